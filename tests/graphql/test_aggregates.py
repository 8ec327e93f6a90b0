"""Aggregates: exact figures by group, bounded in rows, groups and cost. That they are right: test_compiled_answers.py."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.graphql.conftest import Ledger

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings

FIGURES = "count sum { quote size } avg { price } min { price slot } max { price blockTime }"


@pytest.fixture
async def executor(ledger: Ledger) -> Executor:
    """Seven trades of two markets in two minutes, each of a price of its own."""
    await ledger.put("perps.markets")
    for number in range(7):
        row = {
            "market": ("SolMarket", "BtcMarket")[number % 2],
            "taker_side": ("long", "short")[number % 3 == 0],
            "price": Decimal(number + 1),
            "quote": Decimal(number + 1) * 10**17 + Decimal("0.000000001"),
        }
        await ledger.commit({200 + 40 * number: {"perps.trades": [row]}})
    return Executor(ledger.database, ApiSettings(max_aggregated=7))


async def ask(executor: Executor, text: str, **variables: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((await executor.execute(Request(text, None, variables))).body)
    return body


async def trades(executor: Executor, asked: str, within: str = "", **variables: Any) -> Any:
    body = await ask(executor, f"query {within} {{ trades {{ aggregates{asked} }} }}", **variables)
    assert "errors" not in body, body
    return body["data"]["trades"]["aggregates"]


async def refused(executor: Executor, text: str, **variables: Any) -> tuple[str, str]:
    (error,) = (await ask(executor, text, **variables))["errors"]
    return error["extensions"]["code"], error["message"]


async def test_one_group_of_all_rows_has_exact_figures(executor: Executor) -> None:
    told = await trades(executor, f"{{ hasMore groups {{ {FIGURES} }} }}")
    assert told == {
        "hasMore": False,
        "groups": [
            {
                "count": "7",
                "sum": {"quote": "2800000000000000000.000000007", "size": "14"},
                "avg": {"price": "4"},
                "min": {"price": "1", "slot": "200"},
                "max": {"price": "7", "blockTime": "2026-11-21T00:01:50+00:00"},
            }
        ],
    }


async def test_means_are_rounded_half_even_to_18_places(ledger: Ledger) -> None:
    for slot, price in ((101, "0.000000000000000001"), (102, "0.000000000000000002")):
        await ledger.commit({slot: {"perps.trades": [{"price": Decimal(price)}]}})
    told = await trades(Executor(ledger.database, ApiSettings()), "{ groups { avg { price } } }")
    assert told["groups"] == [{"avg": {"price": "0.000000000000000002"}}]


async def test_groups_come_by_market_side_and_bucket_in_the_order_of_their_key(executor: Executor) -> None:
    asked = "(by: [MARKET, TAKER_SIDE], bucket: ONE_MINUTE) { groups { key { bucket marketSymbol takerSide } count } }"
    told = await trades(executor, asked)
    found = [(*group["key"].values(), group["count"]) for group in told["groups"]]
    first, second = "2026-11-21T00:00:00+00:00", "2026-11-21T00:01:00+00:00"
    # The other market is not indexed, and so has no symbol.
    assert found == [
        (first, "SOL-PERP", "SHORT", "1"),
        (second, None, "LONG", "2"),
        (second, None, "SHORT", "1"),
        (second, "SOL-PERP", "LONG", "2"),
        (second, "SOL-PERP", "SHORT", "1"),
    ]


async def test_the_largest_groups_come_first_where_that_is_asked(executor: Executor) -> None:
    asked = (
        "(by: [MARKET], first: 1, orderBy: {sum: {size: DESC}}) { hasMore groups { key { marketAddress } } }"
    )
    told = await trades(executor, asked)
    assert told == {"hasMore": True, "groups": [{"key": {"marketAddress": "SolMarket"}}]}


async def test_variables_may_say_what_to_group_by(executor: Executor) -> None:
    within = "($by: [TradeGroupBy!], $bucket: BucketResolution, $first: Int, $order: TradeGroupOrder)"
    asked = "(by: $by, bucket: $bucket, first: $first, orderBy: $order) { groups { key { bucket takerSide marketAddress } count } }"
    given: dict[str, Any] = {"by": ["TAKER_SIDE"], "first": 5, "order": {"count": "DESC"}}
    by_side = await trades(executor, asked, within, **given)
    assert [group["count"] for group in by_side["groups"]] == ["4", "3"]
    # Of another shape, by the same text.
    by_market = await trades(executor, asked, within, **given | {"by": ["MARKET"], "bucket": "ONE_DAY"})
    assert [group["key"]["marketAddress"] for group in by_market["groups"]] == ["SolMarket", "BtcMarket"]
    nothing = await trades(executor, asked, within, by=[])
    assert [group["count"] for group in nothing["groups"]] == ["7"]


async def test_first_and_after_do_not_change_what_all_rows_come_to(executor: Executor) -> None:
    text = "query ($a: String) { trades(first: 1, after: $a) { aggregates { groups { count } } pageInfo { endCursor } totalCount } }"
    page = (await ask(executor, text))["data"]["trades"]
    again = (await ask(executor, text, a=page["pageInfo"]["endCursor"]))["data"]["trades"]
    assert page["aggregates"] == again["aggregates"] == {"groups": [{"count": "7"}]}


async def test_trades_of_a_wallet_count_once_whichever_side_it_took(ledger: Ledger) -> None:
    await ledger.commit({101: {"perps.trades": [{"maker": "alice"}, {"taker": "bob", "maker": "carol"}]}})
    text = '{ wallet(address: "alice") { trades { aggregates { groups { count } } } } }'
    body = await ask(Executor(ledger.database, ApiSettings()), text)
    assert body["data"]["wallet"]["trades"]["aggregates"]["groups"] == [{"count": "1"}]


async def test_missing_values_are_left_out_and_those_that_are_known_counted(ledger: Ledger) -> None:
    rows: list[dict[str, Any]] = [{"realized_pnl": Decimal(5)}, {"realized_pnl": None, "tx_index": 1}]
    await ledger.commit({101: {"perps.position_changes": rows}})
    text = "{ positionChanges { aggregates { groups { count known { realizedPnl } sum { realizedPnl } avg { realizedPnl } } } } }"
    body = await ask(Executor(ledger.database, ApiSettings()), text)
    (group,) = body["data"]["positionChanges"]["aggregates"]["groups"]
    assert group == {
        "count": "2",
        "known": {"realizedPnl": "1"},
        "sum": {"realizedPnl": "5"},
        "avg": {"realizedPnl": "5"},
    }


async def test_more_rows_than_the_setting_allows_are_refused_and_not_left_out(
    ledger: Ledger, executor: Executor
) -> None:
    text = "query ($w: TradeFilter) { trades(where: $w) { aggregates(by: [MARKET]) { groups { count } } } }"
    assert "errors" not in await ask(executor, text)
    await ledger.trades(900)
    code, message = await refused(executor, text)
    assert code == "QUERY_TOO_COMPLEX" and "more than 7 rows" in message and "narrow `where`" in message
    # A group that does not come back is read all the same.
    assert (await refused(executor, text.replace("by:", "first: 0, by:")))[0] == "QUERY_TOO_COMPLEX"
    assert "errors" not in await ask(executor, text, w={"slot": {"lt": "900"}})


async def test_many_aggregates_cost_too_much(executor: Executor) -> None:
    asked = " ".join(f"a{n}: aggregates(first: 1) {{ groups {{ count }} }}" for n in range(41))
    code, message = await refused(executor, f"{{ trades {{ {asked} }} }}")
    assert code == "QUERY_TOO_COMPLEX" and "may read" in message
    nested = "{ trades(first: 100) { nodes { market { trades { aggregates { hasMore } } } } } }"
    assert (await refused(executor, nested))[0] == "QUERY_TOO_COMPLEX"


REFUSED = (
    ("first: 1001", "BAD_USER_INPUT", "trades.aggregates: first is 1001"),
    ("first: -1", "BAD_USER_INPUT", "trades.aggregates: first is -1"),
    ("orderBy: {bucket: ASC}", "BAD_USER_INPUT", "say how long the buckets are"),
    ("orderBy: {count: ASC, bucket: ASC}", "BAD_USER_INPUT", "exactly one"),
    ("orderBy: {sum: {}}", "BAD_USER_INPUT", "exactly one"),
    ("orderBy: {sum: {taker: ASC}}", "GRAPHQL_VALIDATION_FAILED", "taker"),
    ("by: [PRICE]", "GRAPHQL_VALIDATION_FAILED", "PRICE"),
    ("bucket: ONE_YEAR", "GRAPHQL_VALIDATION_FAILED", "ONE_YEAR"),
)


async def test_what_cannot_be_asked_is_told(executor: Executor) -> None:
    for asked, code, told in REFUSED:
        found, message = await refused(executor, f"{{ trades {{ aggregates({asked}) {{ hasMore }} }} }}")
        assert found == code and told in message, (asked, found, message)
