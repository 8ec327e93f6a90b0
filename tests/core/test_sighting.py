"""What is kept of a life that an account showed, state by state."""

from decimal import Decimal
from typing import Any

from tests.core.test_fold import change

from heliograph_core.fold import fold
from heliograph_core.records import Holding
from heliograph_core.sighting import Sighting, forget, miss, see

D = Decimal


def holding(slot: int, size: str, **other: Any) -> Holding:
    values: dict[str, Any] = {
        "stream": "s",
        "position_key": "K",
        "account": "A",
        "account_slot": slot,
        "program": "P",
        "market": "M",
        "wallet": "W",
        "side": "long",
        "size": D(size),
    }
    return Holding(**{**values, **other})


def seen(*states: Holding) -> Sighting:
    life = None
    for state in states:
        life = see(life, state, 1000 + state.account_slot) or life
    assert life is not None
    return life


def test_a_life_keeps_when_it_was_first_seen_its_last_state_and_its_largest_size() -> None:
    life = seen(holding(5, "1"), holding(7, "3"), holding(9, "2"))
    assert (life.first_slot, life.first_at, life.slot, life.seen_at) == (5, 1005, 9, 1009)
    assert (life.holding.size, life.max_size, life.open) == (D(2), D(3), True)


def test_a_state_that_says_nothing_new_and_one_that_is_older_change_nothing() -> None:
    life = seen(holding(5, "1"), holding(7, "3"))
    assert see(life, holding(9, "3"), 1009) is None
    assert see(life, holding(6, "9"), 1006) is None


def test_another_side_another_opening_and_a_size_after_the_close_are_other_lives() -> None:
    life = seen(holding(5, "1", opened_at=50))
    for state in (holding(9, "1", side="short"), holding(9, "1", opened_at=51)):
        other = see(life, state, 1009)
        assert other is not None and other.first_slot == 9
    closed = seen(holding(5, "1"), holding(7, "0"))
    assert not closed.open and closed.first_slot == 5
    again = see(closed, holding(9, "2"), 1009)
    assert again is not None and again.first_slot == 9


def test_what_changes_ended_after_it_was_seen_is_another_life() -> None:
    life = seen(holding(5, "1"))
    opened = fold(None, [change(7, "open", "1")])[-1]
    closed = fold(None, [change(2, "open", "1"), change(7, "close", "0")])[-1]
    for position in (opened, closed):
        other = see(life, holding(9, "1"), 1009, position)
        assert other is not None and other.first_slot == 9
    going_on = fold(None, [change(2, "open", "1"), change(7, "increase", "2")])[-1]
    same = see(life, holding(9, "2"), 1009, going_on)
    assert same is not None and same.first_slot == 5


def test_an_account_without_it_ends_it_once() -> None:
    life = seen(holding(5, "1"))
    gone = miss(life, 8, 1008)
    assert gone is not None and not gone.open and (gone.gone_slot, gone.gone_at) == (8, 1008)
    assert miss(gone, 9, 1009) is None
    assert miss(life, 4, 1004) is None
    assert see(gone, holding(7, "1"), 1007) is None
    again = see(gone, holding(9, "1"), 1009)
    assert again is not None and again.first_slot == 9


def test_what_was_seen_in_blocks_that_are_gone_is_taken_back() -> None:
    life = seen(holding(5, "1"), holding(7, "9"))
    assert forget(life, 5) is None
    left = forget(life, 6)
    assert left is not None and left.doubtful
    mended = see(left, holding(8, "2"), 1008)
    assert mended is not None and (mended.first_slot, mended.max_size) == (5, D(2))
    same = see(left, holding(8, "9"), 1008)
    assert same is not None and not same.doubtful
    gone = miss(life, 8, 1008)
    assert gone is not None
    back = forget(gone, 8)
    assert back is not None and back.open and not back.doubtful
