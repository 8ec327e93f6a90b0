"""Synthetic slots of GodArk's oracle: enough to follow one row through projection and pipeline."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from heliograph_core.slot import Slot, Span
from heliograph_core.transaction import Transaction
from heliograph_indexer.idl.encoder import Encoder
from heliograph_indexer.protocols import PROTOCOLS

KEY = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


class OracleChain:
    """Slots in which the oracle speaks: `spans` is what a source would yield of them."""

    def __init__(self) -> None:
        self.program = PROTOCOLS["godark"].programs["godark_positions"]
        self._encoder = Encoder((files("heliograph_indexer") / "idls" / "godark_positions.json").read_bytes())

    def event(self, price: int) -> bytes:
        fields: dict[str, Any] = {
            "market": KEY, "oracle": KEY, "price": price, "confidence": 1, "publish_time": 1_700_000_000,
        }  # fmt: skip
        return self._encoder.event("OraclePriceUpdated", fields)

    def transaction(self, name: str, *payloads: bytes) -> Transaction:
        said = [f"Program data: {base64.b64encode(payload).decode()}" for payload in payloads]
        logs = (f"Program {self.program} invoke [1]", *said, f"Program {self.program} success")
        return Transaction(f"signature-{name}", 0, None, logs, None)

    def slot(self, number: int, *payloads: bytes) -> Slot:
        transaction = self.transaction(str(number), *(payloads or (self.event(number * 1_000_000),)))
        return Slot(number, 1_700_000_000 + number, (transaction,))

    def span(self, first: int, last: int) -> Span:
        """One price in each slot of first..last."""
        slots = tuple(self.slot(number) for number in range(first, last + 1))
        return Span(first, last, slots, slots[-1].block_time)


@pytest.fixture
def oracle_chain() -> OracleChain:
    return OracleChain()


@pytest.fixture
def grown() -> Callable[..., bytes]:
    """The IDL of godark_positions after an upgrade that appends a field to OraclePriceUpdated."""

    def grow(kind: str = "u8", field: str = "venue") -> bytes:
        program = PROTOCOLS["godark"].programs["godark_positions"]
        document = json.loads(PROTOCOLS["godark"].idls()[program])
        event = next(each for each in document["types"] if each["name"] == "OraclePriceUpdated")
        event["type"]["fields"].append({"name": field, "type": kind})
        return json.dumps(document).encode()

    return grow
