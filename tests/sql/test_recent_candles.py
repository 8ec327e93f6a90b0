"""Pages of candles are the newest ones, however rare prices are."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heliograph_sql.database import Database
from heliograph_sql.rollup import Rollup

GENESIS = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 12
EVERYTHING = (GENESIS - timedelta(days=1), GENESIS + timedelta(days=DAYS))


async def fill(connection: Any, dice: random.Random) -> None:
    """Two streams that know one market: bursts of trades, hours and days without any."""
    for stream in ("one", "two"):
        await connection.execute(
            "INSERT INTO heliograph.streams (name, protocol, programs, first_slot, head_slot, head_time)"
            " VALUES ($1, 'p', '{}', 0, 1, $2)",
            stream,
            GENESIS + timedelta(days=DAYS - 1),
        )
        await connection.execute("INSERT INTO heliograph.coverage (stream) VALUES ($1)", stream)
        await connection.execute(
            "INSERT INTO perps.markets (stream, market, program, symbol, base_asset, quote_asset, created_slot, created_at)"
            " VALUES ($1, 'm', 'p', 'M', 'B', 'Q', 0, $2)",
            *(stream, GENESIS),
        )
        starts = [dice.uniform(0, (DAYS - 1) * 86_400) for _ in range(6)]
        times = sorted(start + dice.uniform(0, 900) for start in starts for _ in range(8))
        await connection.executemany(
            "INSERT INTO perps.trades VALUES ($1, $2, $3, 0, 0, 0, 's', 'p', 'm', 't', 'a', 'long', 'b', $4, 1, 1, 0, 0,"
            " NULL, NULL, NULL, NULL, false)",
            [
                (stream, GENESIS + timedelta(seconds=time), slot, dice.randint(1, 99))
                for slot, time in enumerate(times)
                if time < (DAYS - 1) * 86_400
            ],
        )


async def pages(connection: Any, step: str, filled: bool, most: int) -> list[tuple[Any, ...]]:
    """All candles, page by page, as an answer follows its cursors."""
    found: list[tuple[Any, ...]] = []
    before = None
    while True:
        rows = await connection.fetch(
            "SELECT * FROM heliograph_rollup.recent_candles($1, 'm', 'trade', NULL, NULL, $2, $3, $4)"
            " WHERE $5::text IS NULL OR (bucket, stream) < ($6, $5)"
            " ORDER BY bucket DESC, stream DESC LIMIT $3",
            *(step, before, most, filled),
            *((found[-1][0], found[-1][3]) if found else (None, None)),
        )
        if not rows:
            return found
        found += [tuple(row) for row in rows]
        before = found[-1][3] + timedelta(microseconds=1)


@pytest.mark.parametrize("filled", [False, True])
async def test_pages_hold_every_candle_once(database: Database, seed: int, filled: bool) -> None:
    dice = random.Random(seed)
    async with database.acquire() as connection:
        await fill(connection, dice)
    for rolled in (False, True):
        if rolled:
            await Rollup(database).catch_up()
        async with database.acquire() as connection:
            for step in ("1h", "1d") if filled else ("1m", "1h", "1d"):
                function = "candles_filled" if filled else "candles"
                expected = await connection.fetch(
                    f"SELECT * FROM perps.{function}($1, $2, $3, 'm') ORDER BY bucket DESC, stream DESC",
                    step,
                    EVERYTHING[0],
                    GENESIS + timedelta(days=DAYS - 1, microseconds=1),
                )
                assert expected
                for most in (1, 7, 1000) if step == "1d" else (20, 1000):
                    assert await pages(connection, step, filled, most) == [tuple(row) for row in expected]


@pytest.mark.parametrize("rolled", [False, True])
async def test_the_last_page_ends_with_the_first_candle_wherever_it_is_kept(
    database: Database, seed: int, rolled: bool
) -> None:
    """It may be of a late row below what is rolled up, or of a market that is younger than that."""
    late, young = GENESIS - timedelta(days=40), GENESIS + timedelta(days=DAYS - 1)
    statement = (
        "INSERT INTO perps.trades SELECT stream, $1, 1000000, 0, 0, 0, signature, program, $2, trade_id, taker, taker_side, maker, "
        "price, size, quote, taker_fee, maker_fee, NULL, NULL, NULL, NULL, false FROM perps.trades WHERE stream = 'one' LIMIT 1"
    )
    async with database.acquire() as connection:
        await fill(connection, random.Random(seed))
    if rolled:
        await Rollup(database).catch_up()
    async with database.acquire() as connection:
        await connection.execute(statement, late, "m")
        await connection.execute(statement, young, "young")
        await connection.execute(
            "INSERT INTO perps.markets (stream, market, program, symbol, base_asset, quote_asset, created_slot, created_at)"
            " VALUES ('one', 'young', 'p', 'Y', 'B', 'Q', 0, $1)",
            young,
        )
        if rolled:
            assert await connection.fetchval("SELECT max(through) FROM heliograph.rollups") <= young
            await connection.execute(
                "INSERT INTO heliograph.stale_ranges (stream, first_time, last_time) VALUES ('one', $1, $1)",
                late,
            )
        for filled in (False, True):
            assert (await pages(connection, "1d", filled, 30))[-1][3] == late
            rows = await connection.fetch(
                "SELECT bucket FROM heliograph_rollup.recent_candles('1h', 'young', 'trade', NULL, NULL, NULL, 10, $1)",
                filled,
            )
            assert [row["bucket"] for row in rows] == [young]


async def test_a_range_bounds_what_is_found(database: Database, seed: int) -> None:
    async with database.acquire() as connection:
        await fill(connection, random.Random(seed))
        since, before = GENESIS + timedelta(days=2), GENESIS + timedelta(days=9)
        rows = await connection.fetch(
            "SELECT bucket FROM heliograph_rollup.recent_candles('1h', 'm', 'trade', 'one', $1, $2, NULL, false)",
            *(since, before),
        )
        expected = await connection.fetch(
            "SELECT bucket FROM perps.candles('1h', $1, $2, 'm', 'trade', 'one') ORDER BY bucket DESC",
            *(since, before),
        )
    assert rows == expected and rows


STEPS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400}


@pytest.mark.parametrize("rolled", [0, 1, 2], ids=["not rolled up", "rolled up", "with stale hours"])
async def test_current_candles_are_those_that_there_are(database: Database, seed: int, rolled: int) -> None:
    dice = random.Random(seed)
    found = 0
    async with database.acquire() as connection:
        await fill(connection, dice)
        # Behind what is rolled up there is more than a day.
        await connection.execute(
            "UPDATE heliograph.streams SET head_time ="
            " (SELECT max(block_time) - interval '25 hours' FROM perps.trades WHERE stream = name)"
        )
        if rolled:
            await Rollup(database).catch_up()
        if rolled == 2:
            await connection.execute(
                "INSERT INTO heliograph.stale_ranges (stream, first_time, last_time)"
                " SELECT name, head_time - interval '5 hours', head_time - interval '3 hours' FROM heliograph.streams"
            )
        for step, seconds in STEPS.items():
            for _ in range(12):
                count = (DAYS + 1) * 86_400 // seconds
                first = dice.randrange(count)
                last = dice.randint(first + 1, count)
                span = [EVERYTHING[0] + timedelta(seconds=seconds * number) for number in (first, last)]
                expected = await _rows(connection, "perps.candles", step, *span)
                assert await _rows(connection, "heliograph_rollup.current_candles", step, *span) == expected
                found += len(expected)
    assert found > 0


async def _rows(connection: Any, name: str, *arguments: Any) -> list[tuple[Any, ...]]:
    rows = await connection.fetch(f"SELECT * FROM {name}($1, $2, $3, 'm', 'trade', 'one')", *arguments)
    return sorted(map(tuple, rows))
