"""Uncovered slots cut to pieces that one writer claims. Pure.

The borders are multiples of the size, whoever cuts and whenever: two healers that read coverage at different times
cut the same pieces, so that a claim is taken whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from heliograph_core.intervals import SlotSet

Order = Literal["newest", "oldest"]


class Piece(NamedTuple):
    """Slots first..last, both inclusive."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


def pieces(slots: SlotSet, size: int, order: Order) -> Iterator[Piece]:
    """All slots of the set, in pieces of at most `size`; each piece ascends, `order` is that of the pieces."""
    if order == "oldest":
        for first, last in slots.ranges:
            while first <= last:
                end = min(last, first - first % size + size - 1)
                yield Piece(first, end)
                first = end + 1
    else:
        for first, last in reversed(slots.ranges):
            while first <= last:
                begin = max(first, last - last % size)
                yield Piece(begin, last)
                last = begin - 1
