"""The pool: connections of one process, bounded, with every driver error wrapped at this edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg

from heliograph_core.errors import DatabaseUnavailable
from heliograph_sql.failure import driver_errors
from heliograph_sql.migrate import describe
from heliograph_sql.readers import Readers
from heliograph_sql.settings import DatabaseSettings

# How long a dead peer goes unnoticed: 10 s idle, then three probes, 5 s apart.
_KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
_CLOSE_TIMEOUT_S = 5.0


class Database:
    """A pool of asyncpg connections to one database. One query at a time a connection; never acquire twice nested."""

    def __init__(
        self, pool: Any, place: str, settings: DatabaseSettings, url: str, session: dict[str, str]
    ) -> None:
        self._pool = pool
        self._url = url
        self._session = session
        self._readers: list[Readers] = []
        self.place = place
        """Host and database name, for messages."""
        self.settings = settings

    @classmethod
    async def open(cls, url: str, settings: DatabaseSettings | None = None) -> Self:
        """Connects. Raises DatabaseUnavailable where nothing answers, SettingsError where `url` is none."""
        settings = settings or DatabaseSettings()
        place = describe(url)
        session = {
            "application_name": "heliograph",
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": _milliseconds(settings.idle_in_transaction_timeout_s),
            **_KEEPALIVES,
        }
        with driver_errors(f"database {place}"):
            pool = await asyncpg.create_pool(
                url,
                min_size=settings.pool_min,
                max_size=settings.pool_max,
                timeout=settings.acquire_timeout_s,
                server_settings={**session, "statement_timeout": _milliseconds(settings.statement_timeout_s)},
            )
        return cls(pool, place, settings, url, session)

    def readers(self, statement_timeout_s: float) -> Readers:
        """Connections that only read, each statement bounded in time; closed with this database."""
        readers = Readers(self._url, self.place, self.settings, self._session, statement_timeout_s)
        self._readers.append(readers)
        return readers

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """An asyncpg connection for the time of the block; driver errors inside leave as DatabaseError.

        Raises DatabaseUnavailable where none becomes free in time.
        """
        with driver_errors(f"database {self.place}"):
            try:
                connection = await self._pool.acquire(timeout=self.settings.acquire_timeout_s)
            except TimeoutError:
                raise DatabaseUnavailable(
                    f"database {self.place}: no connection became free within {self.settings.acquire_timeout_s} s: "
                    f"raise pool_max ({self.settings.pool_max}) or lower the load"
                ) from None
            try:
                yield connection
            finally:
                await self._pool.release(connection)

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are, and how many of them nobody uses; readers included."""
        each = [(self._pool.get_size(), self._pool.get_idle_size()), *(r.connections for r in self._readers)]
        return sum(size for size, _ in each), sum(idle for _, idle in each)

    async def close(self) -> None:
        """Closes every connection; one that is still in use after a few seconds is cut."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                for pool in (*self._readers, self._pool):
                    await pool.close()
        except TimeoutError:
            for pool in (*self._readers, self._pool):
                pool.terminate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
