"""Arithmetic on sets of slots: sorted, disjoint, non-adjacent ranges, both ends inclusive. Values in, values out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class SlotSet:
    """An immutable set of slots, held as ranges.

    >>> SlotSet([(1, 3), (4, 6), (9, 9)]).ranges
    ((1, 6), (9, 9))
    """

    __slots__ = ("_firsts", "ranges")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if first < 0 or last < first:
                raise ValueError(f"slot range {first}..{last} is empty or negative")
            if merged and first <= merged[-1][1] + 1:
                if last > merged[-1][1]:
                    merged[-1] = (merged[-1][0], last)
            else:
                merged.append((first, last))
        self.ranges: tuple[tuple[int, int], ...] = tuple(merged)
        self._firsts = [first for first, _ in merged]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.ranges)

    def __len__(self) -> int:
        """How many slots are in the set."""
        return sum(last - first + 1 for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotSet) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __repr__(self) -> str:
        return f"SlotSet({list(self.ranges)})"

    def __contains__(self, slot: int) -> bool:
        return self.range_of(slot) is not None

    def range_of(self, slot: int) -> tuple[int, int] | None:
        """The range that holds `slot`, or None."""
        at = bisect_right(self._firsts, slot) - 1
        if at >= 0 and slot <= self.ranges[at][1]:
            return self.ranges[at]
        return None

    def through(self, slot: int) -> int | None:
        """The end of the unbroken range that holds `slot`, or None: through which slot `slot` onward is complete."""
        found = self.range_of(slot)
        return found[1] if found else None

    def __or__(self, other: SlotSet) -> SlotSet:
        return SlotSet((*self.ranges, *other.ranges))

    def __and__(self, other: SlotSet) -> SlotSet:
        found = []
        mine, theirs = list(self.ranges), list(other.ranges)
        i = j = 0
        while i < len(mine) and j < len(theirs):
            first = max(mine[i][0], theirs[j][0])
            last = min(mine[i][1], theirs[j][1])
            if first <= last:
                found.append((first, last))
            if mine[i][1] < theirs[j][1]:
                i += 1
            else:
                j += 1
        return SlotSet(found)

    def __sub__(self, other: SlotSet) -> SlotSet:
        found = []
        for first, last in self.ranges:
            for cut_first, cut_last in (SlotSet([(first, last)]) & other).ranges:
                if first < cut_first:
                    found.append((first, cut_first - 1))
                first = cut_last + 1
            if first <= last:
                found.append((first, last))
        return SlotSet(found)

    def gaps(self, first: int, last: int) -> SlotSet:
        """The part of first..last that is not in the set."""
        return SlotSet([(first, last)]) - self if first <= last else SlotSet()
