"""The worked example of docs/protocols.md runs: an event of that program becomes the trade that the page promises."""

from __future__ import annotations

import base64
import importlib
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.idl.encoder import Encoder
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_sql.idls import StoredIdl

PAGE = Path(__file__).resolve().parents[2] / "docs" / "protocols.md"
PROGRAM = "11111111111111111111111111111112"
FIELDS = [
    {"name": "market", "type": "pubkey"},
    {"name": "owner", "type": "pubkey"},
    {"name": "buy", "type": "bool"},
    {"name": "price", "type": "u64"},
    {"name": "size", "type": "u64"},
]
IDL = {
    "name": "example",
    "version": "0.1.0",
    "instructions": [],
    "events": [{"name": "Traded", "fields": FIELDS}],
}
SAID = {"market": PROGRAM, "owner": PROGRAM, "buy": False, "price": 2_500_000, "size": 4_000_000_000}


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Protocol:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "example_of_the_page.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    protocol: Protocol = importlib.import_module("example_of_the_page").Example()
    monkeypatch.delitem(sys.modules, "example_of_the_page")
    return protocol


def test_bytes_of_a_transaction_become_the_trade(example: Protocol) -> None:
    payload = base64.b64encode(Encoder(IDL).event("Traded", SAID)).decode()
    lines = (f"Program {PROGRAM} invoke [1]", f"Program data: {payload}", f"Program {PROGRAM} success")
    transaction = Transaction("sig", 3, None, lines, ())
    slot = Slot(7, 1_700_000_000, (transaction,))
    layouts = Layouts.of(example, [StoredIdl(PROGRAM, 0, "", json.dumps(IDL))])
    projected = project_slots("example", [decode_slot(slot, layouts)], example)
    assert projected.undecoded == [] and projected.incidents == []
    [trade] = projected.records
    told = (trade.slot, trade.ordinal, trade.price, trade.size, trade.quote, trade.taker_side)  # type: ignore[union-attr]
    assert told == (7, 0, Decimal("2.5"), Decimal(4), Decimal(10), "short")


def test_an_event_of_another_layout_is_refused(example: Protocol) -> None:
    key = EventKey(1, 1, 0, 0, "sig")
    with pytest.raises(KeyError):
        list(
            example.project("example", Event(key, PROGRAM, None, 1, Channel.DATA, "Traded", {"market": "M"}))
        )


@pytest.mark.parametrize("name", sorted(PROTOCOLS.keys() - {"godark"}))
def test_every_protocol_has_its_section(name: str) -> None:
    assert re.search(rf"^## {name}", PAGE.read_text(), re.IGNORECASE | re.MULTILINE)
