"""Folding flows: sides, kinds, profit and lifecycles follow from signed movements; by hand and by property."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_core.flow_fold import find_start, fold_flows
from heliograph_core.records import Flow, Position, PositionChange

D = Decimal


def flow(slot: int, base: str | Decimal, quote: str | Decimal = "0", **other: Any) -> Flow:
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
        "kind": "fill",
        "base_delta": D(base),
        "quote": D(quote),
        "price": None,
        "fee": D(0),
        "funding": D(0),
        "settled_pnl": D(0),
        "base_before": None,
        "base_after": None,
        "entry_quote_after": None,
        "entry_quote_released": None,
        "quote_places": 6,
        "trade_id": None,
    }
    return Flow(**{**values, **other})


def funding(slot: int, amount: str, base_after: str) -> Flow:
    return flow(slot, "0", kind="funding", funding=D(amount), base_after=D(base_after))


def brief(positions: list[Position]) -> list[tuple[Any, ...]]:
    return [
        (one.lifecycle, one.side, one.status, one.size, one.realized_pnl, one.complete) for one in positions
    ]


def kinds(changes: list[PositionChange]) -> list[tuple[Any, ...]]:
    return [(one.slot, one.part, one.kind, one.side, one.size_delta, one.size_after) for one in changes]


LIFE = [
    flow(1, "2", "20", fee=D("0.01")),
    flow(2, "1", "13.000001"),
    flow(3, "-1", "14"),
    funding(4, "-0.5", "2"),
    flow(5, "-5", "60", fee=D("0.000007")),
    flow(6, "3", "30", kind="liquidation", price=D(10)),
    flow(7, "0", kind="settlement", settled_pnl=D("-3"), base_after=D(0)),
]


def test_a_life_with_a_flip_and_a_liquidation() -> None:
    folded = fold_flows(None, LIFE)
    # 33.000001 for 3; a third of it, truncated, is 11, sold for 14. Two of the five sold close the rest for 24.
    assert brief(folded.positions) == [
        (1, "long", "closed", 0, D("3") + D("24") - D("22.000001"), True),
        (2, "short", "liquidated", 0, D("36") - D("30"), True),
    ]
    assert kinds(folded.changes) == [
        (1, 0, "open", "long", 2, 2),
        (2, 0, "increase", "long", 1, 3),
        (3, 0, "decrease", "long", -1, 2),
        (4, 0, "funding", "long", 0, 2),
        (5, 0, "close", "long", -2, 0),
        (5, 1, "open", "short", 3, 3),
        (6, 0, "liquidation", "short", -3, 0),
        (7, 0, "settlement", "short", 0, 0),
    ]
    long, short = folded.positions
    assert (long.fees, short.fees) == (D("0.010002"), D("0.000005")), (
        "a share is truncated, the rest is the other's"
    )
    assert (long.funding, short.settled_pnl, short.exit_price) == (D("-0.5"), D("-3"), D(10))
    assert (long.opened_slot, long.closed_slot, short.opened_slot, short.closed_slot) == (1, 5, 5, 6)
    assert not folded.surprised


def test_the_entry_is_kept_exact_and_its_price_rounded() -> None:
    [position] = fold_flows(None, [flow(1, "3", "10"), funding(2, "0", "3")]).positions
    assert (position.entry_quote, position.entry_price) == (D(10), D("3.333333333333333333"))
    assert position.complete, "what it is later proves that it was nothing before"


def test_what_is_told_later_says_what_was_there_before_the_first_flow() -> None:
    flows = [flow(5, "-1", "10"), flow(6, "-3", "33"), funding(7, "1", "2")]
    assert find_start(flows) == 6
    folded = fold_flows(None, flows)
    assert brief(folded.positions) == [(1, "long", "open", 2, None, False)]
    assert kinds(folded.changes)[:2] == [(5, 0, "decrease", "long", -1, 5), (6, 0, "decrease", "long", -3, 2)]
    assert folded.positions[0].entry_price is None


def test_without_a_word_of_the_base_nothing_is_claimed() -> None:
    folded = fold_flows(None, [flow(1, "1", "10"), flow(2, "-1", "12")])
    assert brief(folded.positions) == [(1, "long", "open", None, None, False)]


def test_a_fill_that_says_what_it_closed_tells_side_and_profit_by_itself() -> None:
    folded = fold_flows(None, [flow(1, "-2", "24", entry_quote_released=D(20))])
    assert brief(folded.positions) == [(1, "long", "open", None, 4, False)]
    assert kinds(folded.changes) == [(1, 0, "decrease", "long", -2, None)]


def test_a_flip_that_is_the_first_thing_known_begins_the_life_after_it() -> None:
    flip = flow(1, "-5", "60", base_before=D(2), entry_quote_released=D(20))
    folded = fold_flows(None, [flip])
    assert kinds(folded.changes) == [(1, 0, "close", "long", -2, 0), (1, 1, "open", "short", 3, 3)]
    assert folded.changes[0].realized_pnl == 4
    assert brief(folded.positions) == [(1, "short", "open", 3, 0, True)]


def test_a_contradiction_is_believed_and_told() -> None:
    [known] = fold_flows(None, [flow(1, "2", "20"), funding(2, "0", "2")]).positions
    more = fold_flows(known, [funding(3, "0", "5")])
    assert more.surprised
    assert brief(more.positions) == [(1, "long", "open", 5, 0, False)]
    assert more.positions[0].entry_quote is None
    other = fold_flows(known, [funding(3, "-1", "-4")])
    assert brief(other.positions) == [
        (1, "long", "closed", None, 0, False),
        (2, "short", "open", 4, 0, False),
    ]
    gone = fold_flows(known, [flow(3, "0", kind="settlement", base_after=D(0))])
    assert brief(gone.positions) == [(1, "long", "closed", None, 0, False)]


def test_what_a_settlement_says_of_the_entry_counts() -> None:
    told = flow(2, "0", kind="settlement", base_after=D(2), entry_quote_after=D("21.5"))
    folded = fold_flows(None, [flow(1, "-1", "10"), told, flow(3, "-2", "22")])
    assert [one.realized_pnl for one in folded.changes] == [None, 0, D("0.5")]


def test_a_settlement_of_what_ended_before_anything_is_known_is_of_no_position() -> None:
    assert fold_flows(None, [flow(1, "0", kind="settlement", base_after=D(0))]) == ([], [], False)


class Books:
    """Integers in the program's own units, one share of an amount truncated, as a program of this kind keeps them."""

    def __init__(self) -> None:
        self.base = self.entry = self.pnl = 0
        self.flows: list[Flow] = []

    def fill(self, slot: int, base: int, quote: int, tell: bool) -> None:
        before, closed = self.base, 0
        if before and (before > 0) != (base > 0):
            closed = min(abs(before), abs(base))
            got = quote if closed == abs(base) else quote * closed // abs(base)
            released = self.entry * closed // abs(before)
            self.pnl += got - released if before > 0 else released - got
            self.entry -= released
            self.entry += quote - got
        else:
            self.entry += quote
        self.base += base
        told = {"base_after": D(self.base)} if tell else {}
        self.flows.append(flow(slot, D(base), D(quote).scaleb(-6), **told))


FILLS = st.lists(
    st.tuples(st.integers(-9, 9).filter(bool), st.integers(0, 10**9), st.booleans()), min_size=1, max_size=20
)


@given(fills=FILLS, cut=st.integers(0, 20))
def test_a_fold_agrees_with_the_programs_books_wherever_it_is_cut(
    fills: list[tuple[int, int, bool]], cut: int
) -> None:
    books = Books()
    for slot, (base, quote, tell) in enumerate(fills):
        books.fill(slot, base, quote, tell or slot == 0)
    whole = fold_flows(None, books.flows)
    assert not whole.surprised
    assert sum(one.realized_pnl or 0 for one in whole.positions) == D(books.pnl).scaleb(-6)
    last = whole.positions[-1]
    size = last.size if last.side == "long" else -(last.size or 0)
    assert size == books.base
    assert (last.entry_quote or 0) == D(books.entry).scaleb(-6)
    assert all(one.complete for one in whole.positions)
    assert [one.status for one in whole.positions[:-1]] == ["closed"] * (len(whole.positions) - 1)
    # Whoever folds a part first, and goes on from what came of it, ends where one fold of all ends.
    first = fold_flows(None, books.flows[:cut])
    if cut and books.flows[:cut]:
        rest = fold_flows(first.positions[-1], books.flows[cut:])
        assert [*first.changes, *rest.changes] == whole.changes
        replaced = {one.lifecycle for one in rest.positions}
        kept = [one for one in first.positions if one.lifecycle not in replaced]
        assert [*kept, *rest.positions] == whole.positions


@given(fills=FILLS, start=st.integers(-9, 9), teller=st.integers(0, 19))
def test_wherever_the_base_is_told_the_sizes_before_it_are_found(
    fills: list[tuple[int, int, bool]], start: int, teller: int
) -> None:
    books, sizes = Books(), []
    books.base = start
    for slot, (base, quote, _) in enumerate(fills):
        books.fill(slot, base, quote, slot == teller % len(fills))
        sizes.append(books.base)
    changes = fold_flows(None, books.flows).changes
    ends = {one.slot: one for one in changes}
    assert [abs(size) for size in sizes] == [ends[slot].size_after for slot in range(len(sizes))]


@pytest.mark.parametrize(
    ("amount", "rest"), [("10", "6.666667"), ("0.000001", "0.000001"), ("-10", "-6.666667")]
)
def test_a_share_is_truncated_to_the_programs_places(amount: str, rest: str) -> None:
    flip = flow(2, "-3", "30", fee=D(amount))
    [_, short] = fold_flows(None, [flow(1, "1", "10", base_after=D(1)), flip]).positions
    assert short.fees == D(rest)
