"""A writer that is stopped in the middle of a transaction does not hold up those that go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from heliograph_core.errors import DatabaseUnavailable
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.writer import Writer

DEADLINE_S = 30.0


class Stopping(Database):
    """Whoever writes through it stops: in the middle of the COPY into a table, or after a named statement."""

    copying: str | None = None
    after: str | None = None

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with super().acquire() as connection:
            yield _Connection(connection, self)

    stopped: asyncio.Event


class _Connection:
    def __init__(self, connection: Any, owner: Stopping) -> None:
        self._connection = connection
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def copy_to_table(self, table: str, *, source: AsyncIterator[bytes], **options: Any) -> Any:
        if table == self._owner.copying:
            source = self._halted(source)
        return await self._connection.copy_to_table(table, source=source, **options)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        answer = await self._connection.fetchval(query, *arguments)
        if self._owner.after is not None and self._owner.after in query:
            await self._stop()
        return answer

    async def _halted(self, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in source:
            yield chunk
            await self._stop()

    async def _stop(self) -> None:
        self._owner.stopped.set()
        await asyncio.Event().wait()


@pytest.fixture
async def stopping(database_url: str) -> AsyncIterator[Stopping]:
    async with await Stopping.open(database_url) as database:
        database.stopped = asyncio.Event()
        yield database


async def test_the_next_leader_writes_what_the_stopped_one_was_copying(
    database: Database, stopping: Stopping, stream: Any, make: Any, fetch: Any
) -> None:
    """PostgreSQL waits for the rest of a COPY without end: no timeout of its own breaks it off."""
    stopping.copying = "trades"
    old = await Lease(database, "s", "old", ttl_s=0.0).acquire()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(
            _ended(Writer(stopping, "s", "old").commit(make.batch(1, 1, [make.trade(1)]), epoch=old))
        )
        await stopping.stopped.wait()
        epoch = await Lease(database, "s", "new").acquire()
        assert epoch is not None
        await Writer(database, "s", "new").commit(make.batch(1, 1, [make.trade(1)]), epoch=epoch)
        writing.cancel()
    assert await fetch("SELECT slot FROM perps.trades") == [(1,)]


async def test_the_next_healer_writes_what_the_stopped_one_was_copying(
    database: Database, stopping: Stopping, stream: Any, make: Any, fetch: Any
) -> None:
    stopping.copying = "trades"
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        stopped = Writer(stopping, "s", "old", claim_ttl_s=0.0)
        writing = tasks.create_task(_ended(stopped.commit(make.batch(1, 9, [make.trade(3)]), epoch=None)))
        await stopping.stopped.wait()
        await Writer(database, "s", "new").commit(make.batch(1, 9, [make.trade(3)]), epoch=None)
        writing.cancel()
    assert await fetch("SELECT slot FROM perps.trades") == [(3,)]


async def test_a_writer_stopped_before_its_commit_gives_the_stream_back(
    database: Database, stopping: Stopping, stream: Any, make: Any, fetch: Any
) -> None:
    """It holds the stream's row, which every other commit needs; nobody takes its range over."""
    stopping.after = "pg_notify"
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        stopped = Writer(stopping, "s", "late")
        writing = tasks.create_task(_ended(stopped.commit(make.batch(1, 1, [make.trade(1)]), epoch=None)))
        await stopping.stopped.wait()
        await Writer(database, "s", "live").commit(make.batch(9, 9, [make.trade(9)]), epoch=None)
        writing.cancel()
    assert await fetch("SELECT slot FROM perps.trades") == [(9,)]
    assert await fetch("SELECT seq FROM heliograph.streams") == [(1,)]


async def test_a_writer_that_was_ended_is_told_to_try_again(
    database: Database, stream: Any, make: Any
) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); END $$"
        )
        await connection.execute(
            "CREATE TRIGGER slow BEFORE INSERT ON perps.trades FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        old = await Lease(database, "s", "old", ttl_s=0.0).acquire()
        writer = Writer(database, "s", "old")
        writing = asyncio.create_task(writer.commit(make.batch(1, 1, [make.trade(1)]), epoch=old))
        while not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'heliograph old' AND wait_event = 'PgSleep'"
        ):
            assert not writing.done()
    await Lease(database, "s", "new").acquire()
    with pytest.raises(DatabaseUnavailable):
        await writing


async def _ended(writing: Any) -> None:
    """A stopped process learns of its end only once it goes on."""
    with suppress(DatabaseUnavailable):
        await writing
