"""A batch: everything that one commit writes about one range of slots. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from heliograph_core.event import Event, RawEvent, Undecoded
from heliograph_core.instruction import InstructionCall
from heliograph_core.records import Record, State
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction

Origin = Literal["live", "heal", "backfill", "replay"]
EventPlace = tuple[int, int, int]
"""(slot, tx_index, ordinal)."""


class TransactionRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A transaction and what only its block and the IDL know of it.

    err_name: the IDL's name of a custom error. truncated: the cluster cut its log lines.
    """

    transaction: Transaction
    slot: int
    block_time: int
    err_name: str | None = None
    truncated: bool = False


class Incident(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Something that went wrong, for `heliograph.incidents`. detail: any JSON value."""

    kind: str
    slot: int | None
    detail: Mapping[str, Any]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of slots first..last, both inclusive; the range becomes covered with them.

    last_time: unix seconds of the last block at or below `last`, None where unknown.
    final: the range was final already when it was fetched.
    slots: those that hold a transaction of the stream, ascending.
    events: decoded; those for which the writer has an event table are stored there.
    instructions: of the stream's programs, where the stream wants them.
    states: in chain order; of several for one object the later wins.
    originals: raw events by place, as many as the caller has; a row whose text cannot be stored as it is keeps its
    bytes from there.
    """

    stream: str
    first: int
    last: int
    last_time: int | None = None
    origin: Origin = "live"
    final: bool = False
    slots: Sequence[Slot] = ()
    transactions: Sequence[TransactionRow] = ()
    undecoded: Sequence[Undecoded] = ()
    events: Sequence[Event] = ()
    instructions: Sequence[InstructionCall] = ()
    records: Sequence[Record] = ()
    states: Sequence[State] = ()
    incidents: Sequence[Incident] = ()
    originals: Mapping[EventPlace, RawEvent] = {}

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise ValueError(f"batch of {self.stream}: {self.first}..{self.last} is no range of slots")
        for slot in self.slots:
            if not self.first <= slot.number <= self.last:
                raise ValueError(
                    f"batch of {self.stream}: slot {slot.number} is outside {self.first}..{self.last}"
                )
