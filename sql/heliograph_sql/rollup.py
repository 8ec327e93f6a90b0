"""Rolls the aggregates up: moves on by full hours, and computes anew what was written below; one process at a time.

Whether it runs, lags or never ran changes how fast an answer is, not the answer (migrations/0010_aggregates.sql).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from heliograph_core.errors import DatabaseError, DatabaseUnavailable
from heliograph_sql.database import Database
from heliograph_sql.queries import load
from heliograph_sql.settings import RollupSettings

_log = structlog.get_logger(__name__)


class Rollup:
    """The worker of one process; several may run, of which one works at a time."""

    def __init__(self, database: Database, settings: RollupSettings | None = None) -> None:
        self._database = database
        self._settings = settings or RollupSettings()
        self._queries = load("rollup.sql")

    async def run(self) -> None:
        """Rolls up every `interval_s` until cancelled; while the database cannot be reached, later.

        What the database refuses is logged and tried again: answers are right without us, only slower.
        """
        while True:
            try:
                await self.catch_up()
            except DatabaseUnavailable as error:
                _log.info("rollup.waiting", reason=str(error))
            except DatabaseError as error:
                _log.warning("rollup.failed", reason=str(error))
            await asyncio.sleep(self._settings.interval_s)

    async def catch_up(self) -> int:
        """Rolls up all that is due and all that is stale; how many days of a stream were computed.

        0 too where another process is at it.
        """
        async with self._locked() as connection:
            if connection is None:
                return 0
            for row in await connection.fetch(self._queries["list_due"]):
                await self._move_on(connection, row["name"])
            continuous = await connection.fetchval(self._queries["find_storage"])
            for row in await connection.fetch(self._queries["list_unbegun"]):
                await self._begin(connection, row["stream"], continuous)
            days = 0
            for row in await connection.fetch(self._queries["list_stale"]):
                while await self._refresh_day(connection, row["stream"], continuous):
                    days += 1
            return days

    async def _move_on(self, connection: Any, stream: str) -> None:
        async with connection.transaction():
            # Writers hold this lock when they look at `through`: no row may be missed between their look and our move.
            await connection.fetchrow(load("commit.sql")["lock_stream"], stream)
            await connection.execute(self._queries["move_through"], stream)

    async def _begin(self, connection: Any, stream: str, continuous: bool) -> None:
        """Takes up what was stored before the stream had a roll-up."""
        first_time = await connection.fetchval(self._queries["find_first_time"], stream)
        if continuous and first_time is not None:
            # What a stream of that name left behind, which has no range of its own.
            await self._call_refreshes(connection, stream, None, first_time)
        async with connection.transaction():
            if await connection.fetchval(self._queries["keep_stream"], stream) is None:
                return
            for row in await connection.fetch(self._queries["write_empties"], stream):
                await connection.execute(row[0])
            await connection.execute(self._queries["begin"], stream, first_time)

    async def _refresh_day(self, connection: Any, stream: str, continuous: bool) -> bool:
        """Computes what is stale of the first day that has something; whether there was one.

        The ranges are read first: one that a writer puts down meanwhile stays, and its rows are computed again.
        """
        if continuous:
            day = await connection.fetchrow(self._queries["take_day"], stream)
            if day is not None:
                await self._call_refreshes(connection, stream, day["first_time"], day["last_time"])
                async with connection.transaction():
                    await self._finish(connection, day)
            return day is not None
        async with connection.transaction():
            if await connection.fetchval(self._queries["keep_stream"], stream) is None:
                return False
            day = await connection.fetchrow(self._queries["take_day"], stream)
            if day is None:
                return False
            times = (day["first_time"], day["last_time"])
            for row in await connection.fetch(self._queries["write_refreshes"], stream, *times):
                await connection.execute(row[0])
            await self._finish(connection, day)
        return True

    async def _call_refreshes(self, connection: Any, stream: str, first_time: Any, last_time: Any) -> None:
        # Each a statement of its own: a continuous aggregate is not refreshed inside a transaction.
        calls = await connection.fetch(
            load("continuous.sql")["write_refreshes"], stream, first_time, last_time
        )
        for row in calls:
            await connection.execute(row[0])

    async def _finish(self, connection: Any, day: Any) -> None:
        await connection.execute(self._queries["delete_done"], day["ids"], day["next_day"])
        await connection.execute(self._queries["cut_done"], day["ids"], day["next_day"])

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[Any]:
        """A connection that alone rolls up, None where another process does; a day of rows may take its time."""
        async with self._database.acquire() as connection:
            if not await connection.fetchval(self._queries["try_lock"]):
                yield None
                return
            try:
                await connection.execute(self._queries["lift_statement_timeout"])
                yield connection
            finally:
                if not connection.is_closed():
                    await connection.execute(self._queries["restore_statement_timeout"])
                    await connection.execute(self._queries["unlock"])
