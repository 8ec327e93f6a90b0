"""Keeps the log of changed objects short: it serves those who follow positions, markets and balances and were cut off for a moment."""

from __future__ import annotations

import asyncio

import structlog

from heliograph_core.errors import DatabaseError
from heliograph_sql.database import Database
from heliograph_sql.queries import load

KEPT_S = 600.0
"""How long a follower may be away without getting everything anew. At 200 changes a second that is some 100 MB."""
INTERVAL_S = 60.0

_log = structlog.get_logger(__name__)


async def forget_changes(database: Database, kept_s: float = KEPT_S) -> None:
    """Drops what commits older than `kept_s` seconds changed."""
    async with database.acquire() as connection:
        await connection.execute(load("objects.sql")["forget_changes"], kept_s)


class ObjectLog:
    """`run()` until cancelled."""

    def __init__(self, database: Database, *, kept_s: float = KEPT_S, interval_s: float = INTERVAL_S) -> None:
        self._database = database
        self._kept_s = kept_s
        self._interval_s = interval_s

    async def run(self) -> None:
        """Any number of processes may; trouble with the database is waited out."""
        while True:
            try:
                await forget_changes(self._database, self._kept_s)
            except DatabaseError as error:
                _log.warning("changed objects are not forgotten", reason=str(error))
            await asyncio.sleep(self._interval_s)
