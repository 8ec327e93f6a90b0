"""positions(asOf: …): what was then by every filter, and a clear error for what nobody knows. That it is right: test_as_of.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from tests.graphql.conftest import Ledger, time_of

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings

WALLETS = ("alice", "bob")
LIFE = ((100, "open", 2), (104, "increase", 5), (108, "close", 0))
CLOSED: Mapping[str, Any] = {
    "status": "closed",
    "size": Decimal(0),
    "changes": 3,
    "closed_at": time_of(108),
    "closed_slot": 108,
    "opened_at": time_of(100),
    "updated_at": time_of(108),
    "updated_slot": 108,
}
ASKED = "query ($as: AsOf, $w: PositionFilter) { positions(asOf: $as, where: $w) { nodes { wallet status size changeCount } } }"


@pytest.fixture
async def executor(ledger: Ledger) -> Executor:
    """Two positions that opened at 100, grew at 104 and closed at 108; a slot at 120 ends what is known."""
    for slot, kind, size in LIFE:
        rows = [
            {
                "wallet": wallet,
                "position_key": wallet,
                "tx_index": at,
                "kind": kind,
                "size_after": Decimal(size),
            }
            for at, wallet in enumerate(WALLETS)
        ]
        await ledger.commit({slot: {"perps.position_changes": rows}})
    for at, wallet in enumerate(WALLETS):
        place = {"opened_tx_index": at, "updated_tx_index": at, "opened_ordinal": at, "updated_ordinal": at}
        await ledger.put("perps.positions", wallet=wallet, position_key=wallet, **place, **CLOSED)
    await ledger.trades(120)
    return Executor(ledger.database, ApiSettings(max_folded=4))


async def ask(executor: Executor, text: str = ASKED, **variables: Any) -> tuple[int, dict[str, Any]]:
    answer = await executor.execute(Request(text, None, variables))
    body: dict[str, Any] = json.loads(answer.body)
    return answer.status, body


async def sizes(executor: Executor, as_of: Any, where: Any = None) -> list[tuple[str, str, str]]:
    _, body = await ask(executor, ASKED, **{"as": as_of, "w": where})
    assert "errors" not in body, body
    nodes = body["data"]["positions"]["nodes"]
    return sorted((node["wallet"], node["status"], node["size"]) for node in nodes)


async def refused(executor: Executor, text: str = ASKED, **variables: Any) -> tuple[int, str, str]:
    status, body = await ask(executor, text, **variables)
    (error,) = body["errors"]
    return status, error["extensions"]["code"], error["message"]


async def test_a_position_is_as_it_was_at_the_end_of_the_slot(executor: Executor) -> None:
    for slot, status, size in (
        (100, "OPEN", "2"),
        (103, "OPEN", "2"),
        (104, "OPEN", "5"),
        (108, "CLOSED", "0"),
    ):
        found = await sizes(executor, {"slot": str(slot)}, {"wallet": {"eq": "bob"}})
        assert found == [("bob", status, size)], slot
    assert await sizes(executor, None) == [("alice", "CLOSED", "0"), ("bob", "CLOSED", "0")]


async def test_filters_speak_of_what_was_then(executor: Executor) -> None:
    held = {"status": {"eq": "OPEN"}, "size": {"gt": "4"}}
    both = [("alice", "OPEN", "5"), ("bob", "OPEN", "5")]
    assert await sizes(executor, {"slot": "105"}, held) == both
    assert await sizes(executor, {"slot": "103"}, held) == []
    assert await sizes(executor, {"slot": "110"}, held) == []
    assert await sizes(executor, {"slot": "105"}, {"closedAt": {"eq": None}}) == both


async def test_a_time_means_the_last_block_that_is_not_later(executor: Executor) -> None:
    for slot, size in ((100, "2"), (104, "5"), (108, "0")):
        found = await sizes(executor, {"time": time_of(slot).isoformat()}, {"wallet": {"eq": "bob"}})
        assert [node[2] for node in found] == [size], slot


async def test_pages_counts_and_aggregates_are_of_the_past(executor: Executor) -> None:
    text = """query ($as: AsOf, $after: String) { positions(asOf: $as, first: 1, after: $after, orderBy: [{size: DESC}]) {
        nodes { wallet } totalCount pageInfo { hasNextPage endCursor } aggregates(by: [STATUS]) { groups { key { status } sum { size } } }
        completeThrough { slot } coverage { through }
    } }"""
    _, body = await ask(executor, text, **{"as": {"slot": "104"}})
    page = body["data"]["positions"]
    assert (page["nodes"], page["totalCount"], page["pageInfo"]["hasNextPage"]) == (
        [{"wallet": "bob"}],
        2,
        True,
    )
    assert page["aggregates"]["groups"] == [{"key": {"status": "OPEN"}, "sum": {"size": "10"}}]
    # The gap behind 100 says that not everything up to 104 is known; the answer does.
    assert (page["completeThrough"], page["coverage"]) == ({"slot": "100"}, {"through": "104"})
    _, body = await ask(executor, text, **{"as": {"slot": "104"}, "after": page["pageInfo"]["endCursor"]})
    assert body["data"]["positions"]["nodes"] == [{"wallet": "alice"}]


REFUSED: tuple[tuple[Any, int, str, str], ...] = (
    ({"slot": "99"}, 400, "SLOT_NOT_KEPT", "slot 99 is before what is kept: godark begins at slot 100"),
    ({"slot": "121"}, 409, "SLOT_NOT_REACHED", "slot 121 is not in: godark is at slot 120"),
    ({"slot": str(2**63 - 1)}, 409, "SLOT_NOT_REACHED", "is not in"),
    ({"time": time_of(120).isoformat()}, 409, "SLOT_NOT_REACHED", "is not in"),
    ({"time": "9999-12-31T23:59:59Z"}, 409, "SLOT_NOT_REACHED", "is not in"),
    ({"time": "0001-01-01T00:00:00Z"}, 400, "SLOT_NOT_KEPT", "before what is kept"),
    ({"slot": "-1"}, 400, "BAD_USER_INPUT", "slot -1 is negative"),
    ({"slot": "104", "time": time_of(104).isoformat()}, 400, "BAD_USER_INPUT", "exactly one"),
    ({}, 400, "BAD_USER_INPUT", "exactly one"),
)


async def test_what_nobody_knows_is_an_error(executor: Executor) -> None:
    for as_of, status, code, told in REFUSED:
        found = await refused(executor, ASKED, **{"as": as_of})
        assert found[:2] == (status, code) and told.lower() in found[2].lower(), (as_of, found)


async def test_a_stream_that_is_not_asked_for_does_not_matter(ledger: Ledger, executor: Executor) -> None:
    other = Ledger(ledger.database, "other")
    await other.create(first_slot=110)
    variables: dict[str, Any] = {"as": {"slot": "104"}}
    assert (await refused(executor, ASKED, **variables))[1:] == (
        "SLOT_NOT_REACHED",
        "slot 104 is not in: other holds nothing yet; ask again later",
    )
    await other.trades(130)
    assert (await refused(executor, ASKED, **variables))[1] == "SLOT_NOT_KEPT"
    assert len(await sizes(executor, variables["as"], {"stream": {"eq": "godark"}})) == 2
    assert await sizes(executor, variables["as"], {"stream": {"eq": "nowhere"}}) == []


async def test_more_than_may_be_folded_is_refused_until_the_filter_narrows_it(
    ledger: Ledger, executor: Executor
) -> None:
    few = Executor(ledger.database, ApiSettings(max_folded=2))
    variables: dict[str, Any] = {"as": {"slot": "104"}}
    status, code, message = await refused(few, ASKED, **variables)
    assert (status, code) == (400, "QUERY_TOO_COMPLEX") and "narrow `where` by wallet" in message
    bob = [("bob", "OPEN", "5")]
    for where in (
        {"wallet": {"eq": "bob"}},
        {"not": {"wallet": {"eq": "alice"}}},
        {"or": [{"wallet": {"eq": "bob"}}, {"positionKey": {"eq": "carol"}}]},
        {"and": [{"or": [{"wallet": {"in": ["bob", "carol"]}, "size": {"gt": "4"}}]}]},
    ):
        assert await sizes(few, variables["as"], where) == bob, where
    # A filter on what may have been otherwise narrows nothing.
    for where in ({"size": {"gt": "4"}}, {"or": [{"wallet": {"eq": "bob"}}, {"status": {"eq": "OPEN"}}]}):
        assert (await refused(few, ASKED, **variables, w=where))[1] == "QUERY_TOO_COMPLEX", where


async def test_many_pages_of_the_past_cost_too_much(ledger: Ledger) -> None:
    usual = Executor(ledger.database, ApiSettings())
    asked = " ".join(f'p{n}: positions(asOf: {{slot: "104"}}) {{ totalCount }}' for n in range(10))
    assert (await refused(usual, f"{{ {asked} }}"))[1] == "QUERY_TOO_COMPLEX"


async def test_connections_of_a_row_are_of_now(executor: Executor) -> None:
    text = '{ wallet(address: "bob") { positions(asOf: {slot: "104"}) { totalCount } } }'
    assert (await refused(executor, text))[1] == "GRAPHQL_VALIDATION_FAILED"
