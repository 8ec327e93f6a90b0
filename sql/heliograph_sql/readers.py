"""Sessions that only read: what answers questions, apart from what writes, so that neither waits for the other's connections.

Their settings make every statement a read-only snapshot of its own, bounded in time, without a round trip to say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from heliograph_core.errors import DatabaseUnavailable
from heliograph_sql.failure import driver_errors
from heliograph_sql.queries import load
from heliograph_sql.settings import DatabaseSettings

_STATEMENTS_CACHED = 200
"""Prepared statements a connection keeps; each costs the server some hundred kilobytes at most."""


class Readers:
    """A pool that opens with its first use. One statement at a time a connection; never acquire twice nested."""

    def __init__(
        self,
        url: str,
        place: str,
        settings: DatabaseSettings,
        session: dict[str, str],
        statement_timeout_s: float,
    ) -> None:
        """session: settings of every connection, as the server names them."""
        self._url = url
        self._place = place
        self._settings = settings
        self._session = {
            **session,
            "default_transaction_isolation": "repeatable read",
            "default_transaction_read_only": "on",
            "statement_timeout": str(round(statement_timeout_s * 1000)),
            # Compiling takes longer than what such statements take.
            "jit": "off",
        }
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._free: list[Any] = []
        self._waiting = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """An asyncpg connection for the time of the block. Several statements that must see one moment need a transaction.

        Raises DatabaseUnavailable where none becomes free in time; driver errors inside leave as DatabaseError.
        """
        with driver_errors(f"database {self._place}"):
            connection = await self._take()
            whole = False
            try:
                yield connection
                whole = _is_whole(connection)
            finally:
                if whole and not self._waiting and not self._closed:
                    # The pool would spend a task on taking it back, and as much on giving it out again.
                    self._free.append(connection)
                else:
                    await self._pool.release(connection)

    async def _take(self) -> Any:
        while self._free:
            connection = self._free.pop()
            if _is_whole(connection):
                return connection
            await self._pool.release(connection)
        pool = await self._open() if self._pool is None or self._closed else self._pool
        self._waiting += 1
        try:
            return await pool.acquire(timeout=self._settings.acquire_timeout_s)
        except TimeoutError:
            raise DatabaseUnavailable(
                f"database {self._place}: no connection became free within "
                f"{self._settings.acquire_timeout_s} s: raise pool_max ({self._settings.pool_max}) or lower the load"
            ) from None
        finally:
            self._waiting -= 1

    async def _open(self) -> Any:
        async with self._opening:
            if self._closed:
                raise DatabaseUnavailable(f"database {self._place} was closed: open it anew")
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=self._settings.pool_min,
                    max_size=self._settings.pool_max,
                    timeout=self._settings.acquire_timeout_s,
                    init=_plan_once,
                    reset=_keep,
                    statement_cache_size=_STATEMENTS_CACHED,
                    # Of any length: a statement that is planned anew each time takes longer than it runs.
                    max_cacheable_statement_size=0,
                    server_settings=self._session,
                )
            return self._pool

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are, and how many of them nobody uses."""
        if self._pool is None:
            return 0, 0
        return self._pool.get_size(), self._pool.get_idle_size() + len(self._free)

    async def close(self) -> None:
        self._closed = True
        if self._pool is not None:
            for connection in self._free:
                await self._pool.release(connection)
            self._free.clear()
            await self._pool.close()

    def terminate(self) -> None:
        self._closed = True
        if self._pool is not None:
            self._pool.terminate()


def _is_whole(connection: Any) -> bool:
    """Whether it can be used again as it is."""
    try:
        return not (connection.is_closed() or connection.is_in_transaction())
    except asyncpg.InterfaceError:
        # The server ended it, and the pool has taken it back.
        return False


async def _plan_once(connection: Any) -> None:
    await connection.execute(load("sessions.sql")["plan_once"])


async def _keep(connection: Any) -> None:
    """Nothing to undo: reading leaves no state behind, and an open transaction was rolled back before this."""
