"""The hot queries while years of rows pile up: the same rows a day over 7, 70 and 365 days, asked through the API's executor.

HELIOGRAPH_TEST_DATABASE names the server (a TimescaleDB, say); without it an embedded PostgreSQL is started.
HELIOGRAPH_BENCH_ROWS is the number of trades a day (137000 make 50 million a year). A ratio is the time over 7 days by the time over
365: 1 means that age costs nothing, 0.67 that a query takes 1.5 times as long.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psycopg
from psycopg import sql

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import migrate
from heliograph_sql.queries import Queries
from heliograph_sql.rollup import Rollup

# Names of databases are made as the other benchmark makes them.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.write import of_database

DAYS = (7, 70, 365)
TRADES_A_DAY = int(os.environ.get("HELIOGRAPH_BENCH_ROWS", "20000"))
GENESIS = 1_700_000_000
ROUNDS = 40
WARM = 10

TRADE = "id slot blockTime signature price size quote taker maker takerSide takerFee makerFee"
QUERIES: Mapping[str, str] = {
    "latest_of_market": "query($market: String!) { trades(first: 100, where: {marketAddress: {eq: $market}}) "
    f"{{ nodes {{ {TRADE} }} pageInfo {{ endCursor hasNextPage }} completeThrough {{ slot }} }} }}",
    "positions_of_wallet": "query($wallet: String!) { positions(first: 20, where: {wallet: {eq: $wallet}}) "
    "{ nodes { id positionKey side status realizedPnl } completeThrough { slot } } }",
    "day_of_funding": "query($market: String!, $from: DateTime!, $to: DateTime!) { fundingPayments(first: 300, where: "
    "{marketAddress: {eq: $market}, blockTime: {gte: $from, lt: $to}}) { nodes { id wallet amount } } }",
    "slot": f"query($slot: Slot!) {{ trades(where: {{slot: {{eq: $slot}}}}) {{ nodes {{ {TRADE} }} }} }}",
    "signature": "query($signature: String!) { trades(where: {signature: {eq: $signature}}) "
    f"{{ nodes {{ {TRADE} }} }} }}",
}
CANDLES = """
SELECT * FROM perps.candles('1h', $2, $3, $1, 'trade', 'growth') ORDER BY bucket
"""


def main() -> int:
    with ExitStack() as stack:
        url = os.environ.get("HELIOGRAPH_TEST_DATABASE")
        if url is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
            url = stack.enter_context(EmbeddedServer.start(Path(folder))).url
        measured = {days: _of_days(url, days) for days in DAYS}
    ratios: dict[str, float] = {}
    figures: dict[str, float] = {}
    for name in measured[DAYS[0]]:
        times = {days: found[name] for days, found in measured.items()}
        ratios[name] = round(times[DAYS[0]] / times[DAYS[-1]], 2)
        figures |= {f"{name}_{days}d_ms": round(value * 1000, 2) for days, value in times.items()}
        print(f"{name}: " + ", ".join(f"{days} days {value * 1000:.2f} ms" for days, value in times.items()))
    figures["trades"] = TRADES_A_DAY * DAYS[-1]
    print(json.dumps({"bench": "growth", "ratios": ratios, "figures": figures}))
    return 0


def _of_days(url: str, days: int) -> dict[str, float]:
    """Median seconds of each query, over so many days of rows."""
    name = f"heliograph_growth_{os.getpid()}_{days}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            own = of_database(url, name)
            tier = migrate(own).tier
            started = time.perf_counter()
            asyncio.run(_fill(own, days))
            asyncio.run(_roll_up(own))
            print(f"growth: {days} days on {tier} in {time.perf_counter() - started:.0f} s", file=sys.stderr)
            return asyncio.run(_ask(own, days))
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _fill(url: str, days: int) -> None:
    file = Path(__file__).with_suffix(".sql")
    statements = Queries(file.name, file.read_text())
    connection = await asyncpg.connect(url)
    try:
        for statement in statements.values():
            given = [value for value, mark in ((days, "$1"), (TRADES_A_DAY, "$2")) if mark in statement]
            await connection.execute(statement, *given)
    finally:
        await connection.close()


async def _roll_up(url: str) -> None:
    """As the indexer's process does all the time."""
    async with await Database.open(url) as database:
        await Rollup(database).catch_up()


async def _ask(url: str, days: int) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    async with await Database.open(url) as database:
        executor = Executor(database, ApiSettings())
        for number in range(ROUNDS):
            given = _variables(days, number)
            for name, text in QUERIES.items():
                wanted = {key: value for key, value in given.items() if f"${key}:" in text}
                start = time.perf_counter()
                answer = await executor.execute(Request(text, None, wanted))
                taken = time.perf_counter() - start
                if answer.status != 200 or b'"errors"' in answer.body or b'"nodes":[]' in answer.body:
                    raise RuntimeError(f"{name}: {answer.body[:500]!r}")
                found.setdefault(name, []).append(taken)
            until = datetime.fromtimestamp(GENESIS + days * 86_400, UTC)
            since = datetime.fromtimestamp(GENESIS + max(0, days - 30) * 86_400, UTC)
            async with database.acquire() as connection:
                start = time.perf_counter()
                await connection.fetch(CANDLES, given["market"], since, until)
                found.setdefault("month_of_candles", []).append(time.perf_counter() - start)
    return {name: statistics.median(times[WARM:]) for name, times in found.items()}


def _variables(days: int, number: int) -> dict[str, object]:
    """What the number-th round asks for; days and rows are spread over the whole time."""
    slot = (number * 7919 * 101) % (days * TRADES_A_DAY)
    day = number * 37 % days
    return {
        "market": f"market{number % 16}",
        "wallet": f"wallet{number % 50}",
        "slot": str(slot),
        "signature": _md5(str(slot)) + _md5(str(-slot)),
        "from": datetime.fromtimestamp(GENESIS + day * 86_400, UTC).isoformat(),
        "to": datetime.fromtimestamp(GENESIS + (day + 1) * 86_400, UTC).isoformat(),
    }


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
