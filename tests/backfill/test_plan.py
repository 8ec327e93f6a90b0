"""Plans: what of a range is left, and durations as people write them."""

from __future__ import annotations

import pytest

from heliograph_backfill.plan import make_plan, seconds_of
from heliograph_core.errors import SettingsError
from heliograph_core.intervals import SlotSet


def test_what_is_covered_is_not_left_to_do() -> None:
    plan = make_plan(10, 109, SlotSet([(0, 19), (50, 59), (100, 500)]))
    assert plan.left == SlotSet([(20, 49), (60, 99)])
    assert (plan.slots, plan.done) == (100, 30)
    assert make_plan(7, 7, SlotSet([(7, 7)])).left == SlotSet()


@pytest.mark.parametrize(("first", "last"), [(5, 4), (-1, 4)])
def test_a_range_that_is_none_is_refused(first: int, last: int) -> None:
    with pytest.raises(SettingsError, match=f"slots {first}..{last} are no range: give --from"):
        make_plan(first, last, SlotSet())


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1_800), ("12 h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7 days", "1.5h", "7D"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="as in 7d"):
        seconds_of(text)
