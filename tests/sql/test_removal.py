"""Removing a stream takes its rows, its schema and its name, and nothing of another stream."""

from __future__ import annotations

import pytest

from heliograph_core.errors import SettingsError
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.removal import remove_stream
from heliograph_sql.streams import add_stream, list_streams

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
