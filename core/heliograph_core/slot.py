"""Slots and spans: what every source yields, live or historical."""

from __future__ import annotations

import msgspec

from heliograph_core.transaction import Transaction


class Slot(msgspec.Struct, frozen=True, gc=False):
    """A stream's transactions in one block, in block order, whole.

    block_time: unix seconds; known before a slot is written (the nearest earlier block's where it has none).
    blockhash, parent: None where the source does not know them.
    """

    number: int
    block_time: int
    transactions: tuple[Transaction, ...]
    blockhash: str | None = None
    parent: int | None = None


class Span(msgspec.Struct, frozen=True, gc=False):
    """A proved claim: `slots` are all slots of first..last (both inclusive) that hold a transaction of the stream.

    Slots are ascending; skipped and empty slots of the range are simply absent from `slots`.
    last_time: unix seconds of the last block at or below `last`, None where the source does not know it.
    final: the span was finalized already when it was fetched, so that it needs no audit.
    """

    first: int
    last: int
    slots: tuple[Slot, ...]
    last_time: int | None = None
    final: bool = False

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"span {self.first}..{self.last} ends before it begins")
        previous = self.first - 1
        for slot in self.slots:
            if not previous < slot.number <= self.last:
                raise ValueError(
                    f"slot {slot.number} is out of order or outside its span {self.first}..{self.last}"
                )
            previous = slot.number
