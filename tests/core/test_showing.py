"""Positions that accounts hold, alone and together with changes, by hand and by property."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.core.test_fold import change
from tests.core.test_sighting import holding, seen

from heliograph_core.fold import fold as fold_changes
from heliograph_core.records import END_OF_SLOT, Position, PositionChange
from heliograph_core.showing import Mark, fold_shown, goes_on, marks_of
from heliograph_core.sighting import Sighting, miss, see

D = Decimal


def fold(
    current: Position | None, changes: list[PositionChange], marks: Sequence[Mark] = ()
) -> list[Position]:
    return fold_shown(current, changes, marks, fold_changes)


def quiet(slot: int, kind: Any, delta: str, **other: Any) -> PositionChange:
    """A change that reports no state after it."""
    values = {"size_delta": D(delta), "entry_price_after": None, "collateral_after": None, **other}
    return change(slot, kind, None, **values)


def test_a_position_that_only_an_account_shows_is_incomplete_and_has_what_the_account_says() -> None:
    life = seen(holding(5, "1", opened_at=700), holding(8, "3", opened_at=700, realized_pnl=D(-2)))
    [position] = fold(None, [], marks_of([life]))
    assert (position.opened_slot, position.opened_tx_index, position.opened_ordinal) == (5, END_OF_SLOT, 0)
    assert (position.opened_at, position.updated_slot, position.updated_at) == (700, 8, 1008)
    assert (position.size, position.max_size, position.realized_pnl) == (D(3), None, D(-2))
    assert (position.complete, position.status, position.changes) == (False, "open", 0)


def test_the_account_says_what_changes_without_after_values_cannot() -> None:
    life = seen(holding(6, "2", entry_price=D(11), collateral=D(4), liquidation_price=D(8)))
    changes = [quiet(1, "open", "5"), quiet(6, "decrease", "-1"), quiet(7, "decrease", "-1")]
    [position] = fold(None, changes, marks_of([life]))
    assert (position.size, position.max_size, position.entry_price) == (D(1), D(5), D(11))
    assert (position.collateral, position.liquidation_price) == (None, D(8))
    assert (position.complete, position.opened_slot, position.updated_slot) == (False, 1, 7), (
        "4 became 2 unseen"
    )


def test_a_position_whose_account_has_no_size_any_more_closes_with_the_profit_that_the_account_keeps() -> (
    None
):
    life = seen(holding(3, "5", realized_pnl=D(0)), holding(9, "0", realized_pnl=D("7.5")))
    [position] = fold(None, [quiet(1, "open", "5")], marks_of([life]))
    assert (position.status, position.size, position.realized_pnl) == ("closed", D(0), D("7.5"))
    assert (position.closed_slot, position.closed_at, position.exit_price) == (9, 1009, None)


def test_what_no_change_told_leaves_sums_incomplete_unless_the_account_has_them() -> None:
    opened = [quiet(1, "open", "5")]
    for sums, complete in (({}, False), ({"realized_pnl": D(3)}, True)):
        [shrunk] = fold(None, opened, marks_of([seen(holding(4, "2", **sums))]))
        assert (shrunk.size, shrunk.complete) == (D(2), complete)
        life = miss(seen(holding(4, "5", **sums)), 6, 1006)
        assert life is not None
        [gone] = fold(None, opened, marks_of([life]))
        assert (gone.status, gone.complete) == ("closed", complete)


def test_a_size_that_differs_as_the_program_rounds_says_nothing_new() -> None:
    changes = [
        change(1, "open", "5", size_delta=D(5), price=D(10), entry_price_after=D("10.0000004")),
        quiet(2, "increase", "0"),
    ]
    rounds = {"rounding": D("0.001"), "entry_price": D(10)}
    [alone] = fold(None, changes)
    [same] = fold(None, changes, marks_of([seen(holding(4, "5.0009", **rounds))]))
    assert same == alone
    [other] = fold(None, changes, marks_of([seen(holding(4, "5.0011", **rounds))]))
    assert (other.size, other.entry_price, other.max_size, other.complete) == (
        D("5.0011"),
        D(10),
        D("5.0011"),
        False,
    )


def test_a_position_closes_once_and_the_instruction_that_closed_it_says_when() -> None:
    life = seen(holding(3, "5"), holding(9, "0", realized_pnl=D(7), liquidated=True))
    close = change(8, "close", None, size_delta=None, realized_pnl=None, price=None)
    [position] = fold(None, [quiet(1, "open", "5"), close], marks_of([life]))
    assert (position.closed_slot, position.realized_pnl, position.status) == (8, D(7), "liquidated")
    assert position.changes == 2 and position.updated_slot == 8


def test_what_no_change_and_no_account_says_is_not_known() -> None:
    close = change(8, "close", None, size_delta=None, realized_pnl=None)
    [position] = fold(None, [quiet(1, "open", "5"), close])
    assert (position.status, position.size, position.realized_pnl) == ("closed", D(0), None)


def test_an_account_that_is_gone_closes_what_it_held() -> None:
    life = miss(seen(holding(3, "5", collateral=D(2), realized_pnl=D(1))), 9, 1009)
    assert life is not None
    [position] = fold(None, [], marks_of([life]))
    assert (position.status, position.closed_slot, position.size) == ("closed", 9, D(0))
    assert (position.collateral, position.realized_pnl) == (D(0), D(1))


def test_a_reused_address_is_another_position_by_the_change_that_opens_it_or_by_the_account() -> None:
    first = miss(seen(holding(3, "5", opened_at=1001)), 5, 1005)
    assert first is not None
    second = seen(holding(7, "2", opened_at=1006))
    by_account = fold(None, [], marks_of([first, second]))
    assert [(each.opened_slot, each.status) for each in by_account] == [(3, "closed"), (7, "open")]
    opened = [quiet(1, "open", "5"), quiet(6, "open", "2")]
    by_change = fold(None, opened, marks_of([first, second]))
    assert [(each.opened_slot, each.complete, each.closed_slot) for each in by_change] == [
        (1, False, 5),
        (6, True, None),
    ]


def test_a_flip_and_a_reopening_that_only_accounts_show_end_the_life_before() -> None:
    for other in ({"side": "short"}, {"opened_at": 1006}):
        lives = [seen(holding(3, "5", opened_at=1001)), seen(holding(7, "2", **{"opened_at": 1001, **other}))]
        before, after = fold(None, [quiet(1, "open", "5")], marks_of(lives))
        assert (before.status, before.complete, before.size, before.closed_slot) == ("closed", False, None, 7)
        assert (after.size, after.complete, after.opened_slot) == (D(2), False, 7)


def test_an_opening_long_before_the_one_that_the_account_tells_of_is_another_position() -> None:
    life = seen(holding(900, "2", opened_at=1890))
    before, after = fold(None, [quiet(1, "open", "5")], marks_of([life]))
    assert (before.opened_slot, before.complete, after.opened_slot, after.complete) == (1, False, 900, False)


def test_late_history_gives_a_position_that_an_account_showed_its_opening() -> None:
    life = seen(holding(6, "2"), holding(9, "1"))
    [before] = fold(None, [quiet(7, "decrease", "-1")], marks_of([life]))
    assert (before.opened_slot, before.complete, before.size) == (6, False, D(1))
    [after] = fold(None, [quiet(2, "open", "2"), quiet(7, "decrease", "-1")], marks_of([life]))
    assert (after.opened_slot, after.complete, after.size, after.max_size) == (2, True, D(1), D(2))


SLOTS = 25


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[PositionChange], list[tuple[int, str, str, bool]]]:
    """A position that opens, changes and closes as it likes: its changes, from some slot on, and (slot, side, size, there)."""
    size, side = 0, "long"
    changes: list[PositionChange] = []
    states: list[tuple[int, str, str, bool]] = []
    keeps_account = draw(st.booleans())
    told_from = draw(st.integers(1, SLOTS))
    for slot in range(1, SLOTS):
        what = draw(st.sampled_from(["nothing", "nothing", "grow", "shrink", "close"]))
        kind, before = None, size
        if what == "grow":
            if not size:
                side = draw(st.sampled_from(["long", "short"]))
            kind, size = ("increase" if size else "open"), size + draw(st.integers(1, 5))
        elif what == "shrink" and size > 1:
            kind, size = "decrease", size - 1
        elif what == "close" and size:
            kind, size = "close", 0
        if kind is not None and slot >= told_from:
            changes.append(quiet(slot, kind, str(size - before), side=side))
        states.append((slot, side, str(size), keeps_account or bool(size)))
    return changes, states


@given(histories(), st.sets(st.integers(1, SLOTS - 1)), st.booleans())
def test_folding_as_things_are_seen_gives_what_folding_everything_at_once_gives(
    history: tuple[list[PositionChange], list[tuple[int, str, str, bool]]], looks: set[int], opened: bool
) -> None:
    """One that begins while another is still open by the account is folded anew, as the database does."""
    changes, states = history
    latest: Position | None = None
    positions: dict[int, Position] = {}
    lives: list[Sighting] = []
    openings, before = 0, "0"

    def take(folded: list[Position]) -> None:
        nonlocal latest
        for position in folded:
            positions[position.lifecycle] = position
        latest = folded[-1] if folded else latest

    for slot, side, size, there in states:
        take(fold(latest, [each for each in changes if each.slot == slot]))
        openings, before = (openings + 1 if size != "0" and before == "0" else openings), size
        if slot not in looks:
            continue
        known = lives[-1] if lives else None
        found: Sighting | None
        if there:
            other = {"opened_at": openings} if opened else {}
            shown = holding(slot, size, side=side, entry_price=D(7), **other)
            found = see(known, shown, 1000 + slot, latest)
        else:
            found = None if known is None else miss(known, slot, 1000 + slot)
        if found is None:
            continue
        same = known is not None and known.first_slot == found.first_slot
        lives = [*lives[: len(lives) - same], found]
        if goes_on(known, found, latest):
            take(fold(latest, [], [marks_of([found])[-1]]))
        else:
            positions, latest = {}, None
            take(fold(None, [each for each in changes if each.slot <= slot], marks_of(lives)))
    whole = fold(None, changes, marks_of(lives))
    assert [undated(one) for one in whole] == [undated(positions[number]) for number in sorted(positions)]


def undated(position: Position) -> Position:
    """Of the states that told the same entry price only the last is kept: whether it was the first to do so is forgotten."""
    return msgspec.structs.replace(
        position, updated_at=0, updated_slot=0, updated_tx_index=0, updated_ordinal=0
    )


def test_marks_stand_in_chain_order_and_none_at_or_above_a_slot() -> None:
    life = miss(seen(holding(3, "5"), holding(6, "4")), 9, 1009)
    assert life is not None
    marks = marks_of([seen(holding(10, "1")), life])
    assert [(mark.slot, mark.what) for mark in marks] == [
        (3, "first"),
        (6, "last"),
        (9, "gone"),
        (10, "last"),
    ]
    assert [mark.slot for mark in marks_of([life], below=9)] == [3, 6]
    assert all(isinstance(mark, Mark) and mark.place == (mark.slot, END_OF_SLOT, 0) for mark in marks)
