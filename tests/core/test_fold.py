"""Folding changes into positions, by hand and by property."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from heliograph_core.fold import fold
from heliograph_core.records import ChangeKind, Position, PositionChange

D = Decimal


def change(slot: int, kind: ChangeKind, size_after: str | None, **other: Any) -> PositionChange:
    values: dict[str, Any] = {
        "stream": "s",
        "block_time": 1000 + slot,
        "slot": slot,
        "tx_index": 0,
        "ordinal": 0,
        "part": 0,
        "signature": f"sig{slot}",
        "program": "P",
        "market": "M",
        "wallet": "W",
        "position_key": "K",
        "kind": kind,
        "side": "long",
        "size_delta": D(0),
        "size_after": None if size_after is None else D(size_after),
        "price": D(10),
        "entry_price_after": D(10),
        "collateral_delta": None,
        "collateral_after": D(5),
        "realized_pnl": D(0),
        "fee": D(0),
        "funding": D(0),
        "liquidation_price_after": D(1),
        "trade_id": None,
    }
    return PositionChange(**{**values, **other})


def test_a_life_from_opening_to_close() -> None:
    [position] = fold(
        None,
        [
            change(1, "open", "2", fee=D("0.1")),
            change(2, "increase", "5", fee=D("0.2"), entry_price_after=D(11), collateral_after=D(9)),
            change(
                3,
                "funding",
                "5",
                funding=D("-0.5"),
                entry_price_after=None,
                collateral_after=D("8.5"),
                price=None,
            ),
            change(4, "decrease", "1", realized_pnl=D(3), collateral_after=D(2)),
            change(
                5,
                "close",
                "0",
                price=D(13),
                realized_pnl=D(2),
                entry_price_after=None,
                collateral_after=D(0),
                liquidation_price_after=None,
            ),
        ],
    )
    assert (position.status, position.lifecycle, position.complete) == ("closed", 1, True)
    assert (position.size, position.max_size) == (D(0), D(5))
    assert (position.entry_price, position.exit_price) == (D(10), D(13))
    assert (position.realized_pnl, position.fees, position.funding) == (D(5), D("0.3"), D("-0.5"))
    assert (position.opened_at, position.closed_at, position.closed_slot, position.changes) == (
        1001,
        1005,
        5,
        5,
    )
    assert (position.collateral, position.liquidation_price) == (D(0), None)


def test_funding_keeps_the_entry_price_and_moves_the_liquidation_price() -> None:
    [position] = fold(
        None,
        [
            change(1, "open", "2", entry_price_after=D(11)),
            change(2, "funding", "2", entry_price_after=None, liquidation_price_after=D(4)),
        ],
    )
    assert (position.entry_price, position.liquidation_price) == (D(11), D(4))


def test_a_reused_address_begins_a_new_lifecycle() -> None:
    first, second = fold(
        None, [change(1, "open", "2"), change(2, "liquidation", "0"), change(3, "open", "7")]
    )
    assert (first.status, first.lifecycle) == ("liquidated", 1)
    assert (second.status, second.lifecycle, second.opened_slot, second.size) == ("open", 2, 3, D(7))


def test_a_partial_liquidation_leaves_the_position_open() -> None:
    [position] = fold(None, [change(1, "open", "2"), change(2, "liquidation", "1", price=D(12))])
    assert (position.status, position.exit_price) == ("open", None)


def test_a_change_that_reports_no_after_values_keeps_the_liquidation_price() -> None:
    silent: dict[str, Any] = {
        "collateral_after": None,
        "entry_price_after": None,
        "liquidation_price_after": None,
    }
    [position] = fold(None, [change(1, "open", "2"), change(2, "increase", "3", **silent)])
    assert position.liquidation_price == D(1)


def test_a_position_whose_opening_is_not_covered_is_incomplete_and_takes_after_values() -> None:
    [position] = fold(None, [change(4, "decrease", "3", realized_pnl=D(1))])
    assert (position.complete, position.size, position.max_size) == (False, D(3), None)


def test_without_after_values_an_incomplete_position_knows_no_size_until_it_closes() -> None:
    [position] = fold(
        None,
        [change(4, "decrease", None, size_delta=D(-1), collateral_after=None, entry_price_after=None)],
    )
    assert (position.size, position.collateral) == (None, None)
    [closed] = fold(position, [change(5, "close", None, size_delta=D(-1), collateral_after=None)])
    assert (closed.status, closed.size) == ("closed", D(0))


def test_without_after_values_a_complete_position_sums_its_deltas() -> None:
    nothing: dict[str, Any] = {
        "collateral_after": None,
        "entry_price_after": None,
        "liquidation_price_after": None,
    }
    [position] = fold(
        None,
        [
            change(1, "open", None, size_delta=D(3), collateral_delta=D(8), **nothing),
            change(2, "decrease", None, size_delta=D(-3), collateral_delta=D(-8), **nothing),
        ],
    )
    assert (position.status, position.size, position.collateral) == ("closed", D(0), D(0))


def test_an_opening_over_an_open_position_ends_the_one_whose_close_was_not_seen() -> None:
    lost, fresh = fold(None, [change(1, "open", "2"), change(9, "open", "4")])
    assert (lost.status, lost.size, lost.complete, lost.closed_slot) == ("closed", None, False, 9)
    assert (fresh.lifecycle, fresh.complete, fresh.size) == (2, True, D(4))


LIVES = st.lists(
    st.sampled_from(
        [("open", "3"), ("increase", "4"), ("decrease", "1"), ("close", "0"), ("liquidation", "0")]
    ),
    min_size=1,
    max_size=20,
)


@given(LIVES, st.data())
def test_folding_in_pieces_gives_what_folding_at_once_gives(
    life: list[tuple[ChangeKind, str]], data: st.DataObject
) -> None:
    changes = [change(n, kind, size, fee=D(n)) for n, (kind, size) in enumerate(life, start=1)]
    whole = {p.lifecycle: p for p in fold(None, changes)}
    pieces: dict[int, Position] = {}
    rest = changes
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        latest = pieces[max(pieces)] if pieces else None
        pieces.update({p.lifecycle: p for p in fold(latest, rest[:cut])})
        rest = rest[cut:]
    assert pieces == whole
    assert sum((p.fees for p in whole.values()), D(0)) == sum(range(1, len(life) + 1))
    assert all(msgspec.structs.asdict(p)["changes"] > 0 for p in whole.values())


def grown(slot: int, kind: ChangeKind, delta: str, price: str, **other: Any) -> PositionChange:
    """A change of a protocol that tells what was bought at which price, and neither size nor entry afterwards."""
    told = {
        "entry_price_after": None,
        "liquidation_price_after": None,
        "size_delta": D(delta),
        "price": D(price),
    }
    return change(slot, kind, None, **{**told, **other})


def test_an_entry_price_that_nobody_tells_is_the_average_of_what_was_entered_at() -> None:
    [position] = fold(None, [grown(1, "open", "2", "100"), grown(2, "increase", "1", "130")])
    assert (position.size, position.entry_price) == (D(3), D(110))
    [position] = fold(position, [grown(3, "decrease", "-1", "500")])
    assert (position.size, position.entry_price) == (D(2), D(110))
    [position] = fold(position, [grown(4, "increase", "1", "100")])
    assert position.entry_price == D("106.666666666666666667"), "320 / 3, rounded half-even to 18 places"


def test_collateral_alone_leaves_the_entry_price() -> None:
    [position] = fold(None, [grown(1, "open", "2", "100"), grown(2, "increase", "0", "130")])
    assert position.entry_price == D(100)


def test_what_an_unknown_size_was_entered_at_is_unknown_until_it_is_told() -> None:
    [position] = fold(None, [grown(1, "increase", "2", "100")])
    assert (position.size, position.entry_price, position.complete) == (None, None, False)
    told = change(2, "decrease", "1", entry_price_after=D(90), size_delta=D(-3))
    [position] = fold(position, [told])
    assert (position.size, position.entry_price) == (D(1), D(90))


def test_fees_for_borrowing_and_price_impact_add_up_where_every_change_tells_them() -> None:
    both = {"borrow_fee": D("0.1"), "price_impact_fee": D("0.2")}
    [position] = fold(None, [change(1, "open", "2", **both), change(2, "increase", "5", **both)])
    assert (position.borrow_fees, position.price_impact_fees) == (D("0.2"), D("0.4"))
    [position] = fold(position, [change(3, "decrease", "1", borrow_fee=D(1))])
    assert (position.borrow_fees, position.price_impact_fees) == (D("1.2"), None)
