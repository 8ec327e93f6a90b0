"""The hot queries over a long time: each opens few chunks, when planned and when run, and finds its rows by an index."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.graphql.conftest import GENESIS, Ledger, Rows, time_of
from tests.peers.opened_chunks import opened_chunks
from tests.peers.server import ON_BOTH, ON_TIMESCALE
from tests.sql.test_plans import scans

from heliograph_graphql.compiled_query import Compiled
from heliograph_graphql.executor import Executor, Request, looked_up
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.sql import WINDOW
from heliograph_graphql.sql_rows import FOLDED, SLOTS, STREAMS
from heliograph_sql.database import Database

WEEKS = 12
SLOTS_A_DAY = 86_400 * 4
DAYS = range(7 * WEEKS)
FEW = 2
"""A day or a window may lie in two chunks."""
ROW = "nodes { id slot blockTime signature }"
LAST = GENESIS + timedelta(days=DAYS[-1])
CUT = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"
LATEST = '{ trades(first: 5, where: {marketAddress: {eq: "SolMarket"}}) { %s } }'
BEHIND = """query($after: String!) {
    trades(first: 2, after: $after, where: {marketAddress: {eq: "SolMarket"}}) { %s }
}"""
FUNDING = """query($from: DateTime!, $to: DateTime!) {
    fundingPayments(first: 300, where: {marketAddress: {eq: "SolMarket"}, blockTime: {gte: $from, lt: $to}}) { %s }
}"""
VOLUME = """query($from: DateTime!, $to: DateTime!) {
    trades(first: 5, where: {marketAddress: {eq: "SolMarket"}, blockTime: {gte: $from, lt: $to}}) {
        nodes { id } aggregates(by: [TAKER_SIDE], bucket: ONE_HOUR) { groups { key { bucket takerSide } sum { quote } } }
    }
}"""
THEN = """query($slot: Slot!) {
    positions(asOf: {slot: $slot}, where: {wallet: {eq: "dave"}}) { nodes { id status size } }
}"""
HELD = range(40, 43)
DAY = {"from": GENESIS.isoformat(), "to": (GENESIS + timedelta(days=1)).isoformat()}
SIGNATURE = f"sig-{40 * SLOTS_A_DAY}-0"
HOT: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "latest of a market": (LATEST % ROW, {}),
    "behind a cursor": (BEHIND % ROW, {}),
    "positions of a wallet as they were": (THEN, {"slot": str(HELD[1] * SLOTS_A_DAY)}),
    "positions of a wallet": (
        '{ positions(first: 20, where: {wallet: {eq: "alice"}}) { nodes { id status } } }',
        {},
    ),
    "a day of funding": (FUNDING % "nodes { id wallet amount }", DAY),
    "a day's volume of a market": (VOLUME, DAY),
    "one slot": (f'{{ trades(where: {{slot: {{eq: "{30 * SLOTS_A_DAY}"}}}}) {{ {ROW} }} }}', {}),
    "one signature": (f'{{ trades(where: {{signature: {{eq: "{SIGNATURE}"}}}}) {{ {ROW} }} }}', {}),
}


class Watched:
    """A database that notes which chunks its latest reader has opened: a transaction looks at its locks before it ends."""

    def __init__(self, database: Database) -> None:
        self._readers = database.readers(5.0)
        self.opened: Mapping[str, int] = {}

    def readers(self, statement_timeout_s: float) -> Watched:
        return self

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._readers.acquire() as connection, connection.transaction():
            yield connection
            if await connection.fetchval(CUT):
                self.opened = await opened_chunks(connection)


class Watching(Executor):
    """An executor on a watched database."""

    def __init__(self, database: Database) -> None:
        self.watched = Watched(database)
        super().__init__(cast(Database, self.watched), ApiSettings(response_cache=False))


@pytest.fixture
async def executor(database: Database) -> Watching:
    """Over twelve weeks, six trades of two markets and one payment in the first second of each day."""
    ledger = Ledger(database)
    await ledger.create(0)
    for day in DAYS:
        trades = [
            {"trade_id": f"{day}/{n}", "market": ("SolMarket", "BtcMarket")[n % 2], "tx_index": n}
            for n in range(6)
        ]
        changes = [{"tx_index": 8, "kind": "increase"}]
        if day in HELD:
            kind = "open" if day == HELD[0] else "increase"
            changes.append({"tx_index": 7, "kind": kind, "wallet": "dave", "position_key": "dave-sol"})
        rows: Rows = {
            "perps.trades": trades,
            "perps.funding_payments": [{"tx_index": 9}],
            "perps.position_changes": changes,
        }
        await ledger.commit({day * SLOTS_A_DAY: rows}, notify=False)
    await ledger.put("perps.positions")
    slots, times = ([of(day * SLOTS_A_DAY) for day in HELD] for of in (int, time_of))
    dave = {"position_key": "dave-sol", "wallet": "dave", "opened_tx_index": 7, "opened_ordinal": 1}
    opened = {
        "opened_slot": slots[0],
        "opened_at": times[0],
        "updated_slot": slots[-1],
        "updated_at": times[-1],
    }
    await ledger.put("perps.positions", **dave, **opened)
    return Watching(database)


async def ask(executor: Watching, name: str) -> Mapping[str, Any]:
    text, variables = HOT[name]
    given = dict(variables) | ({"after": await cursor(executor)} if "$after" in text else {})
    body = json.loads((await executor.execute(Request(text, None, given))).body)
    assert "errors" not in body, body
    page: Mapping[str, Any]
    (page,) = body["data"].values()
    assert page["nodes"]
    return page


async def cursor(executor: Watching) -> str:
    """Of the second newest trade."""
    text = '{ trades(first: 2, where: {marketAddress: {eq: "SolMarket"}}) { pageInfo { endCursor } } }'
    body = json.loads((await executor.execute(Request(text, None, {}))).body)
    return str(body["data"]["trades"]["pageInfo"]["endCursor"])


@ON_TIMESCALE
async def test_a_hot_query_opens_few_chunks(executor: Watching) -> None:
    for name in HOT:
        await ask(executor, name)
        assert all(count <= FEW for count in executor.watched.opened.values()), (
            name,
            executor.watched.opened,
        )


@ON_TIMESCALE
async def test_a_query_that_does_not_say_when_opens_them_all(executor: Watching) -> None:
    """The counting would notice."""
    text = '{ trades(first: 1000, where: {taker: {eq: "alice"}}) { nodes { id } } }'
    answer = await executor.execute(Request(text, None, {}))
    assert b'"errors"' not in answer.body
    assert executor.watched.opened["perps.trades"] >= WEEKS


@ON_BOTH
async def test_a_hot_query_finds_its_rows_by_an_index(executor: Watching) -> None:
    assert {name: await read_whole(executor, name) for name in HOT} == {name: [] for name in HOT}


@ON_BOTH
async def test_a_lost_index_is_noticed(executor: Watching, database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "DROP INDEX perps.positions_by_wallet, perps.positions_by_opened, perps.positions_by_market"
        )
    assert await read_whole(executor, "positions of a wallet") == ["positions"]


async def read_whole(executor: Watching, name: str) -> list[str]:
    """Tables of rows that the query's statement would read whole."""
    text, variables = HOT[name]
    given = dict(variables) | ({"after": await cursor(executor)} if "$after" in text else {})
    operation = executor.documents.operation(text, None)
    coerced = executor.documents.variables(operation, given)
    (item,) = executor.compiled(operation, coerced).items.values()
    assert isinstance(item, Compiled)
    statement = item.window or item.statement
    past = {STREAMS: ["godark"], SLOTS: [HELD[1] * SLOTS_A_DAY], FOLDED: "[]"}
    given = {**coerced.values, WINDOW: LAST - timedelta(days=1), **past}
    bound = [param.bind(given) for param in statement.params]
    async with executor.watched.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        values = await looked_up(connection, statement, bound)
        told = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement.text}", *values)
    whole = scans(json.loads(told)[0]["Plan"])
    return [table for table in whole if table.startswith(("_hyper", "trades", "positions", "funding"))]
