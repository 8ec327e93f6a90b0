"""A span that contradicts itself cannot be made."""

import pytest

from heliograph_core.slot import Slot, Span


def slot(number: int) -> Slot:
    return Slot(number=number, block_time=0, transactions=())


def test_a_span_may_be_empty_and_may_skip_slots() -> None:
    assert Span(5, 5, ()).slots == ()
    assert [s.number for s in Span(5, 9, (slot(5), slot(9))).slots] == [5, 9]


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"6\.\.5"):
        Span(6, 5, ())


@pytest.mark.parametrize("numbers", [(4,), (10,), (6, 6), (7, 6)])
def test_slots_outside_or_out_of_order_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="out of order or outside"):
        Span(5, 9, tuple(slot(n) for n in numbers))
