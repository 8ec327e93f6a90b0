"""Slot sets against Python's own sets of ints."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_core.intervals import SlotSet

RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=8
)


def slots(ranges: list[tuple[int, int]]) -> set[int]:
    return {slot for first, last in ranges for slot in range(first, last + 1)}


@given(RANGES)
def test_ranges_are_sorted_disjoint_and_never_adjacent(ranges: list[tuple[int, int]]) -> None:
    found = SlotSet(ranges).ranges
    assert slots(list(found)) == slots(ranges)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found))


@given(RANGES, RANGES)
def test_union_intersection_and_difference_are_those_of_sets(
    a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    one, two = SlotSet(a), SlotSet(b)
    assert slots(list(one | two)) == slots(a) | slots(b)
    assert slots(list(one & two)) == slots(a) & slots(b)
    assert slots(list(one - two)) == slots(a) - slots(b)
    assert len(one) == len(slots(a))


@given(RANGES, st.integers(0, 70), st.integers(0, 70))
def test_gaps_are_the_complement_inside_the_range(
    ranges: list[tuple[int, int]], first: int, last: int
) -> None:
    assert slots(list(SlotSet(ranges).gaps(first, last))) == set(range(first, last + 1)) - slots(ranges)


@given(RANGES, st.integers(0, 70))
def test_through_is_the_last_slot_before_the_first_hole(ranges: list[tuple[int, int]], slot: int) -> None:
    covered = slots(ranges)
    expected = None
    while slot in covered:
        expected, slot = slot, slot + 1
    start = slot if expected is None else expected
    assert SlotSet(ranges).through(start) == expected
    assert (start in SlotSet(ranges)) == (expected is not None)


def test_equal_sets_are_equal_however_they_were_written() -> None:
    assert SlotSet([(4, 6), (1, 3)]) == SlotSet([(1, 6)])
    assert hash(SlotSet([(4, 6), (1, 3)])) == hash(SlotSet([(1, 6)]))
    assert not SlotSet()


@pytest.mark.parametrize("bad", [(-1, 3), (5, 4)])
def test_an_empty_or_negative_range_is_refused(bad: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{bad[0]}..{bad[1]}"):
        SlotSet([bad])
