"""Readers: sessions that only read, given out again without asking the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heliograph_core.errors import DatabaseError, DatabaseUnavailable
from heliograph_sql.database import Database
from heliograph_sql.readers import Readers
from heliograph_sql.settings import DatabaseSettings


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[Readers]:
    """Readers of two connections at most."""
    settings = DatabaseSettings(pool_max=2, acquire_timeout_s=5.0)
    async with await Database.open(database_url, settings) as database:
        yield database.readers(5.0)


async def pid_of(connection: Any) -> int:
    pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid


async def test_every_statement_is_a_bounded_snapshot_that_cannot_write(two: Readers) -> None:
    async with two.acquire() as connection:
        for name, value in (
            ("transaction_read_only", "on"),
            ("transaction_isolation", "repeatable read"),
            ("statement_timeout", "5s"),
        ):
            assert await connection.fetchval("SELECT current_setting($1)", name) == value
    with pytest.raises(DatabaseError, match="read-only"):
        async with two.acquire() as connection:
            await connection.execute("CREATE TABLE perps.mine ()")


async def test_a_connection_is_used_again_and_an_idle_one_counts_as_idle(two: Readers) -> None:
    async with two.acquire() as connection:
        first = await pid_of(connection)
        assert two.connections == (1, 0)
    assert two.connections == (1, 1)
    async with two.acquire() as connection:
        assert await pid_of(connection) == first


async def test_more_than_there_are_connections_take_turns(two: Readers) -> None:
    async def ask(number: int) -> int:
        async with two.acquire() as connection:
            found: int = await connection.fetchval("SELECT $1::int FROM pg_sleep(0.01)", number)
            return found

    assert await asyncio.gather(*(ask(number) for number in range(40))) == list(range(40))
    size, idle = two.connections
    assert size == idle <= 2


async def test_a_connection_that_the_server_ended_is_not_given_out(two: Readers, database: Database) -> None:
    ended = asyncio.Event()
    async with two.acquire() as connection:
        pid = await pid_of(connection)
        connection.add_termination_listener(lambda _: ended.set())
    async with database.acquire() as other:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await ended.wait()
    async with two.acquire() as connection:
        assert await pid_of(connection) != pid


async def test_a_failed_or_left_transaction_leaves_nothing_behind(two: Readers) -> None:
    with pytest.raises(ZeroDivisionError):
        async with two.acquire() as connection, connection.transaction():
            1 / 0  # noqa: B018
    with pytest.raises(DatabaseError):
        async with two.acquire() as connection:
            await connection.fetchval("SELECT 1 / 0")
    async with two.acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT 1") == 1


async def test_after_the_end_there_are_no_readers(database_url: str) -> None:
    database = await Database.open(database_url)
    readers = database.readers(1.0)
    async with readers.acquire() as connection:
        await connection.fetchval("SELECT 1")
    await database.close()
    with pytest.raises(DatabaseUnavailable, match="was closed"):
        async with readers.acquire():
            pass
