"""Aggregates over years: a plan opens the chunks that it needs, and one that is older than a commit misses no row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.peers.opened_chunks import opened_chunks
from tests.peers.server import ON_TIMESCALE
from tests.sql.aggregate_rows import compute, differences, read_aggregates, read_rows
from tests.sql.test_rollup import DAY, Rows, day

from heliograph_sql.database import Database
from heliograph_sql.rollup import Rollup
from heliograph_sql.writer import Writer

WEEKS = 8
VIEWS = ("candles_1m", "candles_1h", "candles_1d", "funding_1h", "volume_1h", "open_interest_1d")
FUNCTIONS = (
    "perps.candles('1h', $2, $3, $1)",
    "perps.candles_filled('1h', $2, $3, $1)",
    "perps.volume_filled($2, $3, $1)",
    "perps.funding_filled('1h', $2, $3, $1)",
    "perps.open_interest_filled('1h', $2, $3, $1)",
)
# The tail is in the last chunk; what is carried in may be in the one before, and a day may lie in two.
FEW = 3


@pytest.fixture
async def years(make: Any, writer: Writer, database: Database) -> Rows:
    """Rows of eight weeks, rolled up."""
    rows = Rows(make, 11)
    for week in range(WEEKS):
        first, last = day(7 * week + 1), day(7 * week + 8)
        await writer.commit(rows.batch(first, last - 1, 15), epoch=None)
    await Rollup(database).catch_up()
    return rows


async def opened(database: Database, statement: str, *arguments: Any) -> dict[str, int]:
    async with database.acquire() as connection, connection.transaction():
        rows = await connection.fetch(statement, *arguments)
        assert rows
        return await opened_chunks(connection)


def last_week(make: Any) -> tuple[Any, Any]:
    end = make.time(day(7 * WEEKS + 1)) + 1
    return end - 7 * DAY, end


@ON_TIMESCALE
async def test_views_and_functions_open_few_chunks_however_many_there_are(
    database: Database, years: Rows, make: Any
) -> None:
    between = "market = $1 AND bucket >= $2 AND bucket < $3"
    asked = [*FUNCTIONS, *(f"perps.{view} WHERE {between}" for view in VIEWS)]
    for one in asked:
        statement = f"SELECT * FROM {one}"
        for place in ("$2", "$3"):
            statement = statement.replace(place, f"to_timestamp({place}::bigint)")
        counts = await opened(database, statement, "Market", *last_week(make))
        assert all(count <= FEW for count in counts.values()), (one, counts)


@ON_TIMESCALE
@pytest.mark.parametrize("kind", ["trade", "mark", "oracle"])
async def test_a_page_of_candles_with_holes_opens_few_chunks(
    database: Database, years: Rows, make: Any, kind: str
) -> None:
    """What is missing for a hole is looked for further back, until enough is found or there is nothing more."""
    statement = "SELECT * FROM heliograph_rollup.recent_candles('1m', 'Market', $2, NULL, NULL, to_timestamp($1::bigint), 5, false)"
    counts = await opened(database, statement, make.time(day(7 * WEEKS + 1)) + 1, kind)
    assert all(count <= FEW for count in counts.values()), counts


@ON_TIMESCALE
async def test_a_plan_without_bounds_opens_all_chunks(database: Database, years: Rows) -> None:
    """The counting would notice."""
    counts = await opened(database, "SELECT * FROM perps.trades ORDER BY block_time DESC LIMIT 1")
    assert counts["perps.trades"] >= WEEKS


@ON_TIMESCALE
async def test_a_late_row_opens_its_own_days_and_no_others(
    database: Database, years: Rows, make: Any, writer: Writer
) -> None:
    await writer.commit(make.batch(0, 20, [make.trade(10)]), epoch=None)
    first, end = last_week(make)
    counts = await opened(
        database,
        "SELECT * FROM perps.candles_1h WHERE market = 'Market' AND bucket >= to_timestamp($1::bigint) "
        "AND bucket < to_timestamp($2::bigint)",
        first,
        end,
    )
    assert all(count <= FEW for count in counts.values()), counts


async def test_a_plan_older_than_a_commit_misses_no_row(
    database: Database, years: Rows, writer: Writer, fetch: Callable[..., Any]
) -> None:
    """Bounds of a prepared plan are those of its time: a late slot, far below, is answered nevertheless."""
    names = ("candles_1m", "candles_1d", "funding_1h", "volume_1h", "open_interest_1h")
    statements = [f"SELECT * FROM perps.{name} ORDER BY 1, 2, 3, 4" for name in names]
    async with database.acquire() as connection:
        prepared = [await connection.prepare(statement) for statement in statements]

        async def compare() -> None:
            for old, statement in zip(prepared, statements, strict=True):
                assert [tuple(row) for row in await old.fetch()] == await fetch(statement) != []

        await compare()
        await writer.commit(years.batch(0, day(1) - 1, 60), epoch=None)
        await compare()
        await Rollup(database).catch_up()
        await compare()
        await writer.commit(years.batch(day(7 * WEEKS + 8), day(7 * WEEKS + 9), 60), epoch=None)
        await compare()


async def test_a_plan_older_than_the_first_roll_up_is_right_after_it(
    database: Database, make: Any, writer: Writer, fetch: Callable[..., Any]
) -> None:
    rows = Rows(make, 12)
    statement = "SELECT * FROM perps.candles_1h ORDER BY 1, 2, 3, 4"
    async with database.acquire() as connection:
        prepared = await connection.prepare(statement)
        assert await prepared.fetch() == []
        await writer.commit(rows.batch(0, day(3), 60), epoch=None)
        assert [tuple(row) for row in await prepared.fetch()] == await fetch(statement) != []
        await Rollup(database).catch_up()
        assert [tuple(row) for row in await prepared.fetch()] == await fetch(statement)


STALE, TAIL = (
    "heliograph_rollup.planned_stale() RETURNS tstzrange",
    "heliograph_rollup.planned_tail() RETURNS timestamptz",
)
BESIDE = (
    "heliograph_rollup.pieces_beside(width interval, stale tstzrange, tail timestamptz) "
    "RETURNS TABLE (stream text, first_time timestamptz, end_time timestamptz)"
)


async def redefine(database: Database, function: str, body: str) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            f"CREATE OR REPLACE FUNCTION {function} LANGUAGE sql IMMUTABLE AS $$ SELECT {body} $$"
        )


async def told(database: Database) -> str:
    """Where the aggregates are not what the rows say."""
    async with database.acquire() as connection:
        rows, aggregates = await read_rows(connection, "s"), await read_aggregates(connection, "s")
    return differences(compute(rows), aggregates)


@pytest.mark.parametrize(
    ("stale", "tail"),
    [
        ("NULL::tstzrange", "'infinity'::timestamptz"),
        ("'[2023-11-20, 2023-11-25)'::tstzrange", "'2100-01-01'::timestamptz"),
        ("'[-infinity, infinity)'::tstzrange", "'-infinity'::timestamptz"),
    ],
)
async def test_bounds_that_are_wrong_altogether_cost_no_row(
    database: Database, make: Any, writer: Writer, stale: str, tail: str
) -> None:
    """Whatever a plan was told, …_beside has the rest; without it rows are missing."""
    rows = Rows(make, 13)
    await writer.commit(rows.batch(day(10), day(12), 60), epoch=None)
    await Rollup(database).catch_up()
    # Stale days, a tail of its own, and rows in both.
    await writer.commit(rows.batch(day(3), day(8) - 1, 60), epoch=None)
    await writer.commit(rows.batch(day(12) + 1, day(13), 30), epoch=None)
    await redefine(database, STALE, stale)
    await redefine(database, TAIL, tail)
    assert await told(database) == ""
    await redefine(database, BESIDE, "NULL::text, NULL::timestamptz, NULL::timestamptz WHERE false")
    everything = tail == "'-infinity'::timestamptz"
    assert (await told(database) == "") is everything
