"""Rolled buckets move to continuous aggregates and back without an answer changing."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest
from tests.sql.aggregate_rows import compute, differences, read_aggregates, read_rows

from heliograph_sql.continuous import place_rollups
from heliograph_sql.database import Database
from heliograph_sql.queries import load
from heliograph_sql.rollup import Rollup
from heliograph_sql.tier import Edition, read_tier
from heliograph_sql.writer import Writer


async def check(database: Database) -> None:
    async with database.acquire() as connection:
        rows, told = await read_rows(connection, "s"), await read_aggregates(connection, "s")
    assert rows["trades"]
    found = differences(compute(rows), told)
    assert not found, found


async def test_another_edition_changes_where_buckets_are_kept_and_no_answer(
    make: Any, database: Database, database_url: str, writer: Writer
) -> None:
    trades = [make.trade(slot) for slot in range(0, 400_000, 9_999)]
    await writer.commit(make.batch(0, 400_000, trades), epoch=None)
    await Rollup(database).catch_up()
    with psycopg.connect(database_url, autocommit=True) as connection:
        here = read_tier(connection).edition
        if here is not Edition.COMMUNITY:
            # As after a license was changed back: the views are placed anew over tables.
            connection.execute(load("continuous.sql")["set_continuous"])
        place_rollups(connection, Edition.PLAIN)
        kept = connection.execute("SELECT continuous FROM heliograph_rollup.storage").fetchone()
        assert kept == (False,)
        assert connection.execute("SELECT count(*) FROM heliograph.rollups").fetchone() == (0,)
        await check(database)
        await Rollup(database).catch_up()
        counted = connection.execute("SELECT sum(points) FROM heliograph_rollup.kept_candles_1h").fetchone()
        assert counted is not None and counted[0]
        await check(database)
        place_rollups(connection, here)
        await check(database)
        await Rollup(database).catch_up()
        await check(database)


def test_the_same_edition_again_changes_nothing(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        edition = read_tier(connection).edition
        connection.execute(
            "INSERT INTO heliograph.streams (name, protocol, programs, first_slot) VALUES ('s', 'p', '{}', 0)"
        )
        connection.execute("INSERT INTO heliograph.rollups VALUES ('s', now(), true)")
        place_rollups(connection, edition)
        assert connection.execute("SELECT count(*) FROM heliograph.rollups").fetchone() == (1,)


def test_community_keeps_buckets_in_continuous_aggregates(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        if read_tier(connection).edition is not Edition.COMMUNITY:
            named = "names none" if "HELIOGRAPH_TEST_DATABASE" not in os.environ else "names another edition"
            pytest.skip(f"needs TimescaleDB Community: HELIOGRAPH_TEST_DATABASE {named}")
        rows = connection.execute(
            "SELECT view_name::text, materialized_only FROM timescaledb_information.continuous_aggregates "
            "WHERE view_schema = 'heliograph_rollup'"
        ).fetchall()
    assert len(rows) == 3 * 6 + 2 * 2 + 1 + 2
    assert all(materialized for _, materialized in rows)
