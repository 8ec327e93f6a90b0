"""Folding from a floor on gives what folding everything gives, wherever the floor stands; by hand and by property."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.test_flow_fold import flow
from tests.core.test_sighting import holding, seen

from heliograph_core.flow_fold import fold_flows
from heliograph_core.records import Flow
from heliograph_core.sighting import Sighting, miss, see
from heliograph_sql.histories import Entry, Outcome
from heliograph_sql.retained import NOTHING, Retained, fold_retained, retain

D = Decimal
TOLD_LATE = [flow(1, "2", "20"), flow(2, "1", "11"), flow(3, "-3", "36", base_before=D(3))]


def raised(
    entries: Sequence[Entry], floors: Sequence[int], sightings: Sequence[Sighting] = ()
) -> tuple[Retained, list[Entry]]:
    """What is kept after the floor rose step by step, and what is above it."""
    kept, left = NOTHING, list(entries)
    for floor in floors:
        below = [one for one in left if one.slot < floor]
        kept = retain(kept, below, sightings, floor) if below else kept
        left = left[len(below) :]
    return kept, left


def agrees(split: Outcome, whole: Outcome, floor: int) -> None:
    """What ended below the floor is stored already and is not folded again."""
    since = split.positions[0].lifecycle if split.positions else 1
    assert split.positions == [one for one in whole.positions if one.lifecycle >= since]
    assert split.changes == [one for one in whole.changes if one.slot >= floor]


@pytest.mark.parametrize("floor", [1, 2, 3, 4])
def test_a_base_that_only_a_flow_above_the_floor_tells_is_known_of_what_is_below(floor: int) -> None:
    kept, left = raised(TOLD_LATE, [floor])
    outcome = fold_retained(kept, left, [])
    [position] = outcome.positions
    assert (position.status, position.complete, position.realized_pnl) == ("closed", True, D(5))
    agrees(outcome, fold_retained(NOTHING, TOLD_LATE, []), floor)


def test_a_flow_that_arrives_late_above_the_floor_changes_what_was_below() -> None:
    late = flow(4, "1", "12")
    told = flow(5, "0", kind="funding", base_after=D(1))
    flows = [flow(1, "2", "20"), flow(2, "-2", "22"), late, told]
    kept, left = raised([flows[0], flows[1], told], [3])
    agrees(fold_retained(kept, left, []), fold_retained(NOTHING, [flows[0], flows[1], told], []), 3)
    whole = fold_retained(NOTHING, flows, [])
    agrees(fold_retained(kept, flows[2:], []), whole, 3)
    assert [one.complete for one in whole.positions] == [True, True]


def test_that_nothing_was_left_is_kept_too() -> None:
    flows = [flow(1, "0", kind="settlement", base_after=D(0)), flow(5, "2", "20")]
    kept, left = raised(flows, [3])
    [position] = fold_retained(kept, left, []).positions
    assert position.complete and position.size == 2


def test_an_account_that_is_seen_above_the_floor_tells_what_was_below() -> None:
    flows = [flow(1, "2", "20"), flow(3, "-1", "12")]
    life = seen(holding(4, "1", entry_quote=D(10), entry_price=D(10)))
    kept, left = raised(flows, [2], [life])
    outcome = fold_retained(kept, left, [life])
    agrees(outcome, fold_retained(NOTHING, flows, [life]), 2)
    assert outcome.positions[0].complete and outcome.positions[0].realized_pnl == 2


def test_flows_are_kept_no_longer_than_until_their_base_is_told() -> None:
    first, _ = raised(TOLD_LATE, [3])
    assert first.position is None and list(first.flows) == TOLD_LATE[:2]
    second, _ = raised(TOLD_LATE, [3, 4])
    assert second == Retained(fold_flows(None, TOLD_LATE).positions[-1])


class Key:
    """A key that trades as it likes from a base on that nobody told; slot by slot its flows, and what its account shows."""

    def __init__(self, start: int, steps: Sequence[tuple[int, int, str]]) -> None:
        self.flows: list[Flow] = []
        self.lives: list[Sighting] = []
        base, entry = start, abs(start) * 10**6
        for slot, (delta, quote, what) in enumerate(steps, start=1):
            before, told = base, {}
            if what != "pays":
                entry, base = _filled(base, entry, delta, quote), base + delta
                if what == "tells" and before and (before > 0) != (base > 0):
                    told = {"base_before": D(before)}
                self.flows.append(flow(slot, D(delta), D(quote).scaleb(-6), **told))
            else:
                self.flows.append(flow(slot, "0", kind="funding", funding=D(quote), base_after=D(base)))
            if what == "looked at":
                self._look(slot, base, D(entry).scaleb(-6))

    def _look(self, slot: int, base: int, entry: Decimal) -> None:
        known = self.lives[-1] if self.lives and self.lives[-1].open else None
        life: Sighting | None
        if not base:
            life = None if known is None else miss(known, slot, 1000 + slot)
        else:
            more: dict[str, Any] = {"entry_quote": entry, "side": "long" if base > 0 else "short"}
            life = see(known, holding(slot, str(abs(base)), **more), 1000 + slot)
        if life is not None:
            if known is not None and life.first_slot == known.first_slot:
                self.lives.pop()
            self.lives.append(life)


def _filled(base: int, entry: int, delta: int, quote: int) -> int:
    """What the open base was entered for after a fill, as a program reckons."""
    if not base or (base > 0) == (delta > 0):
        return entry + quote
    if abs(delta) > abs(base):
        return quote - quote * abs(base) // abs(delta)
    return entry - entry * abs(delta) // abs(base)


STEPS = st.lists(
    st.tuples(
        st.integers(-4, 4).filter(bool),
        st.integers(0, 10**8),
        st.sampled_from(["says nothing", "says nothing", "tells", "pays"]),
    ),
    min_size=3,
    max_size=12,
)
FLOORS = st.lists(st.integers(2, 9), min_size=1, max_size=3).map(sorted)


@given(st.integers(-3, 3), STEPS, FLOORS)
def test_wherever_the_floor_stands_the_fold_comes_to_what_folding_all_comes_to(
    start: int, steps: list[tuple[int, int, str]], floors: list[int]
) -> None:
    key = Key(start, steps)
    kept, left = raised(key.flows, floors)
    agrees(fold_retained(kept, left, []), fold_retained(NOTHING, key.flows, []), floors[-1])


LOOKS = st.lists(
    st.tuples(
        st.integers(-4, 4).filter(bool),
        st.integers(0, 10**8),
        st.sampled_from(["says nothing", "says nothing", "pays", "looked at"]),
    ),
    min_size=3,
    max_size=12,
)


@given(st.integers(-3, 3), LOOKS, FLOORS)
def test_so_it_does_with_what_accounts_showed(
    start: int, steps: list[tuple[int, int, str]], floors: list[int]
) -> None:
    key = Key(start, steps)
    kept, left = raised(key.flows, floors, key.lives)
    agrees(fold_retained(kept, left, key.lives), fold_retained(NOTHING, key.flows, key.lives), floors[-1])
