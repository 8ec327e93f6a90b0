"""Removing a stream takes its rows, its schema and its name, and nothing of another stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from tests.peers.server import ON_TIMESCALE

from heliograph_core.errors import SettingsError
from heliograph_sql.batch import Batch
from heliograph_sql.correction import clear_slots
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout
from heliograph_sql.lease import Lease
from heliograph_sql.removal import remove_stream
from heliograph_sql.retention import Retention
from heliograph_sql.settings import StorageSettings
from heliograph_sql.streams import add_stream, list_streams
from heliograph_sql.table_making import make_tables

SIGNATURE = (
    "INSERT INTO heliograph.signatures (signature, stream, block_time, slot, tx_index) "
    "VALUES ('s', $1, now(), 1, 0)"
)
BALANCE = (
    "INSERT INTO perps.balances (stream, wallet, asset, free, locked, updated_at, updated_slot, "
    "updated_tx_index, updated_ordinal) VALUES ($1, 'w', 'a', 1, 0, now(), 1, 0, 0)"
)


async def filled(database: Database, name: str) -> None:
    await add_stream(database, name, protocol="godark", programs=["A"], first_slot=1)
    async with database.acquire() as connection:
        await connection.execute(SIGNATURE, name)
        await connection.execute(BALANCE, name)


async def test_its_rows_and_its_schema_go_and_those_of_others_stay(database: Database) -> None:
    await filled(database, "going")
    await filled(database, "staying")
    await remove_stream(database, "going")
    assert [stream.name for stream in await list_streams(database)] == ["staying"]
    async with database.acquire() as connection:
        for table in ("heliograph.signatures", "perps.balances", "heliograph.coverage"):
            assert await connection.fetchval(f"SELECT array_agg(stream) FROM {table}") == ["staying"]
        schemas = "SELECT array_agg(nspname) FROM pg_namespace WHERE nspname IN ('going', 'staying')"
        assert await connection.fetchval(schemas) == ["staying"]


async def test_a_stream_that_is_not_there_is_named(database: Database) -> None:
    with pytest.raises(SettingsError, match="'absent'"):
        await remove_stream(database, "absent")


async def test_a_stream_that_is_being_indexed_stays(database: Database) -> None:
    await filled(database, "busy")
    lease = Lease(database, "busy", "someone")
    assert await lease.acquire() is not None
    with pytest.raises(SettingsError, match="being indexed by someone"):
        await remove_stream(database, "busy")
    await lease.release()
    await remove_stream(database, "busy")
    assert await list_streams(database) == []


WEEKS = 70
"""As many chunks of a table."""
ROOM = 900
"""Locks that are free: fewer than all chunks of the tables take with their indexes."""
TRADES = """
    INSERT INTO perps.trades
    SELECT $1, to_timestamp(n * 7 * 86400), n, 0, 0, 0, 'sig', 'P', 'M', n::text, NULL, 'long', NULL,
        1, 1, 1, 0, 0, NULL, NULL, NULL, NULL, false
    FROM generate_series(1, $2::integer) AS n
"""


# In slots of their own.
LIQUIDATIONS = """
    INSERT INTO perps.liquidations
    SELECT $1, to_timestamp(n * 7 * 86400), n + 1000, 0, 0, 0, 'sig', 'P', 'M', n::text, 'W', NULL, 'K', 'long',
        1, 1, 1, 1, 0, 0, 0, 'perp'
    FROM generate_series(1, $2::integer) AS n
"""


async def filled_for_years(database: Database, *names: str) -> None:
    for name in names:
        await add_stream(database, name, protocol="godark", programs=["P"], first_slot=1)
        layout = EventLayout(program="P", idl="sample", event="Said", fields=(("what", "text"),))
        await make_tables(database, name, [layout])
        async with database.acquire() as connection:
            await connection.execute(TRADES, name, WEEKS)
            await connection.execute(LIQUIDATIONS, name, WEEKS)
            await connection.execute(
                f"INSERT INTO {name}.said "
                "SELECT to_timestamp(n * 7 * 86400), n, 0, 0, 'sig', 'P', NULL, 'x' FROM generate_series(1, $1::integer) AS n",
                WEEKS,
            )


@asynccontextmanager
async def few_locks(url: str, room: int = ROOM) -> AsyncIterator[None]:
    """Holds all of the server's locks but `room`."""
    connection = await asyncpg.connect(url)
    try:
        with suppress(asyncpg.OutOfMemoryError):
            await connection.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 1000000) AS n")
        await connection.execute(
            "SELECT pg_advisory_unlock(n) FROM generate_series(1, $1::integer) AS n", ROOM
        )
        yield
    finally:
        await connection.close()


@ON_TIMESCALE
async def test_years_of_chunks_go_although_they_cannot_all_be_locked(
    database: Database, database_url: str
) -> None:
    await filled_for_years(database, "going", "staying")
    async with few_locks(database_url):
        async with database.acquire() as connection:
            with pytest.raises(asyncpg.OutOfMemoryError):
                await connection.execute(
                    "DROP SCHEMA going CASCADE; DELETE FROM perps.trades WHERE stream = 'going'"
                )
        await remove_stream(database, "going")
    async with database.acquire() as connection:
        assert await connection.fetch("SELECT stream, count(*) FROM perps.trades GROUP BY 1") == [
            ("staying", WEEKS)
        ]
        assert await connection.fetchval("SELECT count(*) FROM staying.said") == WEEKS
        assert await connection.fetchval("SELECT to_regclass('going.said')") is None


@ON_TIMESCALE
async def test_years_of_chunks_pass_their_retention_although_they_cannot_all_be_locked(
    database: Database, database_url: str
) -> None:
    await filled_for_years(database, "old")
    settings = StorageSettings(retention=("perps.trades=30",))
    async with few_locks(database_url, 400):
        assert await Retention(database, settings).keep()
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM perps.trades") == 0


@ON_TIMESCALE
async def test_a_slot_is_taken_back_although_not_all_chunks_can_be_locked(
    database: Database, database_url: str
) -> None:
    await filled_for_years(database, "s")
    slot = WEEKS
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.slots VALUES ('s', $1, NULL, NULL, to_timestamp($1::bigint * 7 * 86400), 1)",
            slot,
        )
        async with few_locks(database_url):
            with pytest.raises(asyncpg.OutOfMemoryError):
                await connection.execute(
                    "DELETE FROM perps.trades; DELETE FROM perps.liquidations; DELETE FROM s.said"
                )
            async with connection.transaction():
                await clear_slots(connection, "s", [slot], Batch(stream="s", first=slot, last=slot))
        for table in ("perps.trades", "s.said"):
            assert await connection.fetchval(f"SELECT max(slot) FROM {table}") == slot - 1
        assert await connection.fetchval("SELECT count(*) FROM perps.liquidations") == WEEKS
