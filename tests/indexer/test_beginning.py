"""Where live begins: at the head at once, unless the gap is one that a restart leaves."""

from __future__ import annotations

import pytest

from heliograph_core.intervals import SlotSet
from heliograph_indexer.beginning import live_begins


@pytest.mark.parametrize(
    ("covered", "first_slot", "noted", "begins"),
    [
        ([], 100, 100, 100),
        ([], 100, 109, 100),
        ([], 100, 110, 111),
        ([(100, 200)], 100, 210, 201),
        ([(100, 200)], 100, 211, 212),
        # Only the gap at the head counts: older ones are healed in either case.
        ([(100, 120), (150, 200)], 100, 205, 201),
        # What another writer has covered above the noted slot is not written again.
        ([(100, 120), (150, 230)], 100, 205, 231),
        # A stream that is asked for from a slot that is still to come.
        ([], 1_000, 300, 1_000),
        ([(10, 20)], 100, 500, 501),
    ],
)
def test_live_begins_above_the_noted_slot_or_catches_up_a_small_gap(
    covered: list[tuple[int, int]], first_slot: int, noted: int, begins: int
) -> None:
    assert live_begins(SlotSet(covered), first_slot, noted, catch_up_slots=10) == begins


def test_without_catching_up_live_always_begins_above_the_noted_slot() -> None:
    assert live_begins(SlotSet([(1, 200)]), 1, 201, catch_up_slots=0) == 202
    assert live_begins(SlotSet([(1, 200)]), 1, 200, catch_up_slots=0) == 201
