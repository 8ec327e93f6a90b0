"""Any program: which channels are believed, and that nothing is made up."""

from __future__ import annotations

import base64

import pytest

from heliograph_core.errors import SettingsError
from heliograph_core.event import Channel
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.idl.encoder import Encoder
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocols import ANCHOR, PROTOCOLS, AnyProgram, protocol_of
from heliograph_sql.idls import StoredIdl
from heliograph_sql.streams import StreamRow

GODARK = PROTOCOLS["godark"]
PROGRAM = GODARK.programs["godark_vault"]
DOCUMENT = GODARK.idls()[PROGRAM]
EVENT = {
    "wallet": PROGRAM,
    "mint": PROGRAM,
    "amount": 5,
    "free_after": 5,
    "locked_after": 0,
    "timestamp": 1,
}


def stream(protocol: str, *, log_events: bool = False) -> StreamRow:
    return StreamRow(
        name="s",
        protocol=protocol,
        programs=(PROGRAM,),
        first_slot=0,
        epoch=0,
        seq=0,
        head_slot=None,
        head_time=None,
        final_slot=None,
        retained_from=None,
        accounts_through=None,
        leader=None,
        led=False,
        log_events=log_events,
    )


@pytest.mark.parametrize(("log_events", "count"), [(False, 1), (True, 2)])
def test_text_is_an_event_only_where_the_stream_says_so(log_events: bool, count: int) -> None:
    protocol = protocol_of(stream(ANCHOR, log_events=log_events))
    text = base64.b64encode(Encoder(DOCUMENT).event("CollateralDeposited", EVENT)).decode()
    logs = (
        f"Program {PROGRAM} invoke [1]",
        f"Program data: {text}",
        f"Program log: {text}",
        "Program log: nothing of the kind",
        f"Program {PROGRAM} success",
    )
    slot = Slot(1, 1, (Transaction("sig", 0, None, logs, None),))
    decoded = decode_slot(slot, Layouts.of(protocol, [StoredIdl(PROGRAM, 0, "", DOCUMENT.decode())]))
    [transaction] = decoded.transactions
    assert [event.fields for event in transaction.events] == [EVENT] * count
    projected = project_slots("s", [decoded], protocol)
    assert (projected.records, projected.states, projected.undecoded) == ([], [], [])


def test_its_channels_are_those_that_only_the_program_can_use() -> None:
    assert AnyProgram([PROGRAM]).channels() == {PROGRAM: frozenset({Channel.DATA, Channel.CPI})}


def test_a_protocol_that_is_not_known_here_is_named() -> None:
    assert protocol_of(stream("godark")) is GODARK
    with pytest.raises(SettingsError, match="protocol 'nothing', which this heliograph does not know"):
        protocol_of(stream("nothing"))
