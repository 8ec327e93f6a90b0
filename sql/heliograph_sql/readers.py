"""Sessions that only read: what answers questions, apart from what writes, so that neither waits for the other's connections.

Their settings make every statement a read-only snapshot of its own, bounded in time, without a round trip to say so.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

import asyncpg

from heliograph_core.errors import DatabaseUnavailable
from heliograph_sql.failure import DRIVER_ERRORS, wrap
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

    def acquire(self) -> AbstractAsyncContextManager[Any]:
        """An asyncpg connection for the time of the block. Several statements that must see one moment need a transaction.

        Raises DatabaseUnavailable where none becomes free in time; driver errors inside leave as DatabaseError.
        """
        return _Borrowed(self)

    async def take(self) -> Any:
        """The same for those who give it back themselves. Driver errors leave as they are."""
        while self._free:
            connection = self._free.pop()
            if _is_open(connection):
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

    async def give_back(self, connection: Any, *, in_order: bool) -> None:
        """in_order: whether nothing went wrong with it."""
        if in_order and not self._waiting and not self._closed and _is_as_it_was(connection):
            # The pool would spend a task on taking it back, and as much on giving it out again.
            self._free.append(connection)
        else:
            await self._pool.release(connection)

    @property
    def place(self) -> str:
        """Host and database name, for messages."""
        return self._place

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


class _Borrowed:
    """One connection for the time of a block. Not a generator, which takes as long as a small query's way to the server."""

    __slots__ = ("_connection", "_readers")

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def __aenter__(self) -> Any:
        try:
            self._connection = await self._readers.take()
        except DRIVER_ERRORS as error:
            raise wrap(f"database {self._readers.place}", error) from error
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            await self._readers.give_back(self._connection, in_order=kind is None)
            if isinstance(error, DRIVER_ERRORS):
                raise error
        except DRIVER_ERRORS as failed:
            raise wrap(f"database {self._readers.place}", failed) from failed


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # The server ended it, and the pool has taken it back.
        return False


def _is_as_it_was(connection: Any) -> bool:
    """Whether it can be used again as it is."""
    return _is_open(connection) and not connection.is_in_transaction()


async def _plan_once(connection: Any) -> None:
    await connection.execute(load("sessions.sql")["plan_once"])


async def _keep(connection: Any) -> None:
    """Nothing to undo: reading leaves no state behind, and an open transaction was rolled back before this."""
