"""Pieces hold every slot once, in the order asked for, and end at the same borders whoever cuts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heliograph_core.intervals import SlotSet
from heliograph_indexer.pieces import Order, Piece, pieces

SETS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 80)), max_size=8).map(
    lambda found: SlotSet((first, first + length) for first, length in found)
)
ORDERS: tuple[Order, ...] = ("newest", "oldest")


@given(SETS, st.integers(1, 50), st.sampled_from(ORDERS))
def test_every_slot_is_in_one_piece_and_no_piece_is_too_large(
    slots: SlotSet, size: int, order: Order
) -> None:
    cut = list(pieces(slots, size, order))
    assert SlotSet(cut) == slots
    assert sum(last - first + 1 for first, last in cut) == len(slots)
    assert all(1 <= last - first + 1 <= size for first, last in cut)
    assert cut == sorted(cut, reverse=order == "newest")


@given(SETS, SETS, st.integers(1, 50), st.sampled_from(ORDERS))
def test_who_sees_less_left_cuts_at_the_same_borders(
    slots: SlotSet, done: SlotSet, size: int, order: Order
) -> None:
    mine, theirs = pieces(slots, size, order), list(pieces(slots - done, size, order))
    cells = {first // size for first, _ in mine}
    assert all(first // size == last // size for first, last in theirs)
    assert {first // size for first, _ in theirs} <= cells


def test_pieces_read_as_ranges() -> None:
    assert [str(piece) for piece in pieces(SlotSet([(995, 2_003)]), 1_000, "newest")] == [
        "2000..2003",
        "1000..1999",
        "995..999",
    ]
    assert list(pieces(SlotSet(), 10, "oldest")) == []
    assert next(pieces(SlotSet([(5, 5)]), 10, "oldest")) == Piece(5, 5)
