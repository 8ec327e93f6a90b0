"""Feeds of one family are read by one statement; each is told what it would be told alone."""

from __future__ import annotations

import random
import re
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError
from tests.graphql.conftest import Ledger, time_of

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.hub import EndingFeed, Feed
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.queries import load
from heliograph_sql.tail import Commit

WALLETS = [f"wallet-{number}" for number in range(6)]
PRICES = ["0", "1.5", "-2", "99999999999999999999.000000000000000001"]
TIMES = [time_of(101).isoformat(), "2100-01-01T00:00:00+02:00"]
SHAPES: dict[str, Any] = {
    "where: {taker: {eq: $a}}": lambda draw: {"a": draw.choice([*WALLETS, None])},
    "where: {taker: {in: $l}}": lambda draw: {
        "l": draw.choices([*WALLETS, 'a "\\{,}', ""], k=draw.randrange(4))
    },
    "where: {or: [{taker: {eq: $a}}, {not: {maker: {eq: $b}}}]}": lambda draw: {
        "a": draw.choice(WALLETS),
        "b": draw.choice(WALLETS),
    },
    "where: {price: {gt: $p}, takerSide: {eq: $s}}": lambda draw: {
        "p": draw.choice(PRICES),
        "s": draw.choice(["LONG", "SHORT"]),
    },
    "where: {price: {in: $q}, liquidation: {eq: $f}}": lambda draw: {
        "q": draw.choices(PRICES, k=2),
        "f": draw.choice([True, False]),
    },
    "where: {marketSymbol: {in: $l}}": lambda draw: {"l": draw.choices(["SOL-PERP", "ETH-PERP", "?"], k=2)},
    "where: {blockTime: {lt: $t}, slot: {gte: $n}}": lambda draw: {
        "t": draw.choice(TIMES),
        "n": str(draw.randrange(99, 104)),
    },
    "where: {blockTime: {in: $v}}": lambda draw: {"v": draw.choices(TIMES, k=2)},
    "": lambda draw: {},
}
VARIABLES = (
    "$a: String, $b: String, $l: [String!], $p: Decimal, $q: [Decimal!], $s: Side, $f: Boolean, $t: DateTime,"
    " $v: [DateTime!], $n: Slot, $first: Int"
)
SELECTION = "seq nodes { tradeId price marketSymbol market { symbol trades(first: $first) { nodes { tradeId } } } } again: nodes { id }"


def feed(executor: Executor, where: str, variables: dict[str, Any]) -> Feed:
    arguments = f"({where})" if where else ""
    written = set(re.findall(r"\$\w+", f"{where} $first"))
    used = [each for each in VARIABLES.split(", ") if each.split(":")[0] in written]
    text = f"subscription ({', '.join(used)}) {{ trades{arguments} {{ {SELECTION} }} }}"
    found, _ = executor.feed(Request(text, None, variables))
    assert not isinstance(found, EndingFeed)
    return found


async def committed(ledger: Ledger, draw: random.Random) -> Commit:
    await ledger.put("perps.markets", market="sol", symbol="SOL-PERP")
    await ledger.put("perps.markets", market="eth", symbol="ETH-PERP")
    slots = {
        slot: {
            "perps.trades": [
                {
                    "trade_id": f"{slot}-{number}",
                    "market": draw.choice(["sol", "eth", "unknown"]),
                    "taker": draw.choice([*WALLETS, None]),
                    "maker": draw.choice([*WALLETS, None]),
                    "taker_side": draw.choice(["long", "short"]),
                    "price": Decimal(draw.choice(PRICES)),
                    "liquidation": draw.choice([True, False]),
                }
                for number in range(5)
            ]
        }
        for slot in range(100, 104)
    }
    seq = await ledger.commit(slots)
    async with ledger.database.acquire() as connection:
        (row,) = await connection.fetch(load("tail.sql")["read_commits"], "godark", seq - 1, 1)
    return Commit("godark", *row)


@pytest.mark.parametrize("where", SHAPES)
async def test_what_a_family_is_told_together_is_what_each_is_told_alone(
    ledger: Ledger, database: Database, where: str
) -> None:
    draw = random.Random(where)
    commit = await committed(ledger, draw)
    executor = Executor(database, ApiSettings())
    feeds = [feed(executor, where, {**SHAPES[where](draw), "first": draw.randrange(3)}) for _ in range(40)]
    families: dict[Any, list[Feed]] = {}
    for each in feeds:
        assert each.can_share(commit)
        families.setdefault(each.family, []).append(each)
    # A comparison with null is another shape.
    assert len(families) <= 2
    async with database.acquire() as connection:
        together = [
            told
            for members in families.values()
            for told in await members[0].render_family(members, commit, connection)
        ]
        alone = [await each.render([commit], connection) for members in families.values() for each in members]
    assert together == alone
    assert any(together), "nothing matched, so nothing was compared"


async def test_a_correction_and_a_commit_larger_than_a_message_are_read_alone(
    ledger: Ledger, database: Database
) -> None:
    commit = await committed(ledger, random.Random(1))
    large = feed(Executor(database, ApiSettings(message_rows=20)), "", {"first": 1})
    assert not large.can_share(commit)
    small = feed(Executor(database, ApiSettings()), "", {"first": 1})
    assert small.can_share(commit)
    corrected = Commit(
        **{name: getattr(commit, name) for name in commit.__struct_fields__} | {"kind": "correct"}
    )
    assert not small.can_share(corrected)


async def test_a_subscription_pays_for_the_rows_that_are_nested_in_a_full_message(
    ledger: Ledger, database: Database
) -> None:
    executor = Executor(database, ApiSettings(max_rows=10_000, message_rows=1_000))
    assert feed(executor, "", {"first": 9})
    with pytest.raises(GraphQLError, match="may read 11000 rows, 10000 are allowed"):
        feed(executor, "", {"first": 10})
    with pytest.raises(GraphQLError, match="first is 1001: ask for 0 to 1000 rows"):
        feed(executor, "", {"first": 1001})
