"""The hot queries while years of rows pile up: the same rows a day over 7, 70 and 365 days, asked through the API's executor.

benchmarks/peers/database.py says on which server. HELIOGRAPH_BENCH_ROWS is the number of trades a day; a day has about 4.3 times as many rows in all
tables (20000: 32 million in a year). The three databases are asked in turn, so that whatever else the machine does
meets all of them alike, and medians are compared. A ratio is the time over 7 days by the time over 365: 1 means that
age costs nothing, 0.67 that a query takes 1.5 times as long. A month of candles over 7 days has 7 days of them, so
there is a week of candles too, which has as many rows everywhere. Beside them stand the same candles
in a plain table, read by its primary key: what the rows alone cost to be found, sent and decoded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psycopg

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.migrate import migrate
from heliograph_sql.queries import Queries
from heliograph_sql.rollup import Rollup

# Server and databases are the other benchmarks'.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.peers.database import database as empty_database
from benchmarks.peers.database import server

DAYS = (7, 70, 365)
TRADES_A_DAY = int(os.environ.get("HELIOGRAPH_BENCH_ROWS", "20000"))
GENESIS = 1_700_000_000
ROUNDS = 80
WARM = 20

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
# Market, first and end time. The function and the view answer the same.
CANDLES: Mapping[str, str] = {
    "of_candles": "SELECT * FROM perps.candles('1h', $2, $3, $1) ORDER BY bucket",
    "of_candles_view": "SELECT * FROM perps.candles_1h WHERE market = $1 AND price_kind = 'trade' AND bucket >= $2 "
    "AND bucket < $3 ORDER BY bucket",
}
# What the candles are held against, the same rows without anything to compute: a floor, no query of ours.
PLAIN_ROWS: Mapping[str, str] = {
    "of_plain_rows": "SELECT * FROM plain_candles WHERE market = $1 AND bucket >= $2 AND bucket < $3 ORDER BY bucket",
}
SPANS: Mapping[str, int] = {"week": 7, "month": 30}
"""Days of candles."""
# Room for what is asked often, as a server of such a size would have.
SERVER_OPTIONS = {"shared_buffers": "1GB", "max_wal_size": "4GB"}


def main() -> int:
    with ExitStack() as stack:
        url = stack.enter_context(server(SERVER_OPTIONS))
        urls = {days: stack.enter_context(database(url, days)) for days in DAYS}
        measured = asyncio.run(ask(urls))
        rows = asyncio.run(_count(urls[DAYS[-1]]))
    report(measured, rows)
    return 0


@contextmanager
def database(url: str, days: int) -> Iterator[str]:
    """URL of a database with so many days of rows, for the time of the block."""
    with empty_database(url, f"heliograph_growth_{os.getpid()}_{days}") as own:
        load(own, days)
        yield own


def load(url: str, days: int) -> None:
    """Makes the rows and rolls them up, as the indexer's process does all the time and autovacuum within minutes."""
    tier = migrate(url).tier
    started = time.perf_counter()
    asyncio.run(_fill(url, days))
    asyncio.run(_roll_up(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_statements()["add_plain_candles"].encode())
        connection.execute("VACUUM ANALYZE")
    print(f"growth: {days} days on {tier.label} in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def _statements() -> Mapping[str, str]:
    file = Path(__file__).with_suffix(".sql")
    return Queries(file.name, file.read_text())


async def _fill(url: str, days: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        for name, statement in _statements().items():
            if name not in ("add_plain_candles", "count_rows"):
                given = [value for value, mark in ((days, "$1"), (TRADES_A_DAY, "$2")) if mark in statement]
                await connection.execute(statement, *given)
    finally:
        await connection.close()


async def _roll_up(url: str) -> None:
    async with await Database.open(url) as database:
        await Rollup(database).catch_up()


async def _count(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        rows: int = await connection.fetchval(_statements()["count_rows"])
        return rows
    finally:
        await connection.close()


async def ask(urls: Mapping[int, str]) -> dict[str, dict[int, float]]:
    """Median seconds of each query, by days."""
    found: dict[str, dict[int, list[float]]] = {}
    async with AsyncExitStack() as stack:
        databases = {
            days: await stack.enter_async_context(await Database.open(url)) for days, url in urls.items()
        }
        executors = {
            days: Executor(database, ApiSettings(response_cache=False))
            for days, database in databases.items()
        }
        for number in range(ROUNDS):
            for name, text in QUERIES.items():
                for days, executor in executors.items():
                    taken = await _ask_api(executor, name, text, _variables(days, number))
                    found.setdefault(name, {}).setdefault(days, []).append(taken)
            for span, length in SPANS.items():
                for name, statement in {**CANDLES, **PLAIN_ROWS}.items():
                    for days, database in databases.items():
                        taken = await _ask_candles(database, statement, days, length, number)
                        found.setdefault(f"{span}_{name}", {}).setdefault(days, []).append(taken)
    return {
        name: {days: statistics.median(times[WARM:]) for days, times in by_days.items()}
        for name, by_days in found.items()
    }


async def _ask_api(executor: Executor, name: str, text: str, variables: Mapping[str, object]) -> float:
    wanted = {key: value for key, value in variables.items() if f"${key}:" in text}
    start = time.perf_counter()
    answer = await executor.execute(Request(text, None, wanted))
    taken = time.perf_counter() - start
    if answer.status != 200 or b'"errors"' in answer.body or b'"nodes":[]' in answer.body:
        raise RuntimeError(f"{name}: {answer.body[:500]!r}")
    return taken


async def _ask_candles(database: Database, statement: str, days: int, length: int, number: int) -> float:
    until = datetime.fromtimestamp(GENESIS + days * 86_400, UTC)
    since = datetime.fromtimestamp(GENESIS + max(0, days - length) * 86_400, UTC)
    async with database.acquire() as connection:
        start = time.perf_counter()
        rows = await connection.fetch(statement, f"market{number % 16}", since, until)
        taken = time.perf_counter() - start
    if len(rows) < min(days, length) * 20:
        raise RuntimeError(f"{statement}: {len(rows)} candles of {min(days, length)} days")
    return taken


def report(measured: Mapping[str, Mapping[int, float]], rows: int) -> None:
    """Prints a line a query, and the JSON object."""
    ratios: dict[str, float] = {}
    floors: dict[str, float] = {}
    figures: dict[str, float] = {"rows": rows, "trades_a_day": TRADES_A_DAY}
    for name, times in measured.items():
        of = floors if name.endswith(tuple(PLAIN_ROWS)) else ratios
        of[name] = round(times[DAYS[0]] / times[DAYS[-1]], 2)
        figures |= {f"{name}_{days}d_ms": round(value * 1000, 2) for days, value in times.items()}
        print(f"{name}: " + ", ".join(f"{days} days {value * 1000:.2f} ms" for days, value in times.items()))
    print(json.dumps({"bench": "growth", "ratios": ratios, "floors": floors, "figures": figures}))


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
