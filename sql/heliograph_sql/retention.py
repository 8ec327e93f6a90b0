"""Retention: rows older than their table's days go, on every tier, and completeness then starts where they were.

One path for all: TimescaleDB's own policies know nothing of completeness (docs/decisions/0022). A stream's floor,
`retained_from`, rises first: below it nothing is written, folded anew or called complete any more. What positions and
balances were there is kept, because later folds and corrections begin with it. Then chunks are dropped where the
tables are hypertables, and rows deleted in batches elsewhere. Whoever is killed in between leaves rows for the next look.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import structlog

from heliograph_core.errors import DatabaseError, DatabaseUnavailable
from heliograph_core.records import Flow, PositionChange
from heliograph_sql.chunks import drop_chunks
from heliograph_sql.database import Database
from heliograph_sql.folding import read_sightings
from heliograph_sql.histories import Entry
from heliograph_sql.queries import load
from heliograph_sql.retained import NOTHING, read_retained, retain, write_retained
from heliograph_sql.settings import StorageSettings

KEYS_AT_ONCE = 500
"""Positions that are kept by one statement."""
ROWS_AT_ONCE = 20_000
"""Rows that one transaction deletes from a plain table."""
STEP = datetime.timedelta(days=1)
"""Of block time, by which a floor rises at once: folding waits meanwhile."""

_log = structlog.get_logger(__name__)


class Retention:
    """The worker of one process. Several may run: who comes second finds the floor raised and the rows gone."""

    def __init__(self, database: Database, settings: StorageSettings) -> None:
        self._database = database
        self._settings = settings
        self._queries = load("retention.sql")

    async def run(self) -> None:
        """Looks every `retention_check_s` until cancelled; while the database cannot be reached, later."""
        while True:
            try:
                await self.keep()
            except DatabaseUnavailable as error:
                _log.info("retention.waiting", reason=str(error))
            except DatabaseError as error:
                _log.warning("retention.failed", reason=str(error))
            await asyncio.sleep(self._settings.retention_check_s)

    async def keep(self, now: datetime.datetime | None = None) -> bool:
        """Deletes what is past its retention now, by the database's clock where none is given.

        False where a stream has positions that wait to be folded anew: then nothing is deleted yet.
        """
        async with self._database.acquire() as connection:
            if now is None:
                now = await connection.fetchval(self._queries["read_now"])
            tables = [tuple(row) for row in await connection.fetch(self._queries["list_tables"])]
            streams = [row["name"] for row in await connection.fetch(self._queries["list_streams"])]
        assert now is not None
        cutoffs = {
            table: _cutoff(now, days)
            for table in tables
            if (days := self._settings.days_kept(".".join(table))) is not None
        }
        if not cutoffs:
            return True
        for stream in streams:
            # A stream's own tables, and those that it shares: the shortest says from where it is complete.
            its = [
                cutoff for (schema, _), cutoff in cutoffs.items() if schema in (stream, "heliograph", "perps")
            ]
            if its and not await self._raise(stream, max(its)):
                return False
        for (schema, name), cutoff in cutoffs.items():
            await self._delete(schema, name, cutoff)
        if ("heliograph", "transactions") in cutoffs:
            for stream in streams:
                await self._delete_places(stream, cutoffs["heliograph", "transactions"])
        return True

    async def _raise(self, stream: str, cutoff: datetime.datetime) -> bool:
        """Raises the stream's floor to where blocks are no older than cutoff, a day at a time."""
        stepping = True
        while True:
            async with self._database.acquire() as connection, connection.transaction():
                await connection.execute(self._queries["lift_statement_timeout"])
                await connection.execute(load("folding.sql")["lock_folding"], stream)
                row = await connection.fetchrow(self._queries["read_floor"], stream)
                if row is None:
                    return True
                floor = row["floor"]
                oldest = await connection.fetchval(self._queries["find_oldest"], stream, floor, cutoff)
                until = cutoff if oldest is None or not stepping else min(cutoff, oldest + STEP)
                raised = await connection.fetchval(self._queries["find_floor"], stream, until)
                # A change of a slot that is not known, as an archive may have left it, must not hold the floor.
                stepping = raised is not None and raised > floor
                if stepping:
                    if row["dirty"]:
                        return False
                    await self._retain(connection, stream, floor, raised, until)
                    await connection.fetchrow(load("commit.sql")["lock_stream"], stream)
                    await connection.execute(self._queries["raise_floor"], stream, raised)
                    _log.info("retention.raised", stream=stream, retained_from=raised)
            if until >= cutoff:
                return True

    async def _retain(
        self, connection: Any, stream: str, floor: int, raised: int, until: datetime.datetime
    ) -> None:
        """Keeps what every position and balance is right below `raised`."""
        window = stream, floor, raised, until
        for query, kind in (("list_changes_between", PositionChange), ("list_flows_between", Flow)):
            entries: dict[str, list[Entry]] = {}
            async for row in connection.cursor(self._queries[query], *window, prefetch=KEYS_AT_ONCE):
                key = row["position_key"]
                if key not in entries and len(entries) >= KEYS_AT_ONCE:
                    await self._retain_positions(connection, stream, entries, raised)
                    entries.clear()
                entries.setdefault(key, []).append(kind(**dict(row)))
            await self._retain_positions(connection, stream, entries, raised)
        await connection.execute(self._queries["retain_balances"], *window)

    async def _retain_positions(
        self, connection: Any, stream: str, entries: dict[str, list[Entry]], raised: int
    ) -> None:
        before = await read_retained(connection, stream, list(entries))
        seen = await read_sightings(connection, stream, list(entries))
        kept = {
            key: retain(before.get(key, NOTHING), its, seen.get(key, []), raised)
            for key, its in entries.items()
        }
        await write_retained(connection, stream, kept)

    async def _delete(self, schema: str, name: str, cutoff: datetime.datetime) -> None:
        async with self._database.acquire() as connection:
            if await drop_chunks(connection, schema, name, cutoff):
                return
            delete = await connection.fetchval(self._queries["write_delete_older"], schema, name)
        await self._repeat(delete, cutoff)

    async def _delete_places(self, stream: str, cutoff: datetime.datetime) -> None:
        """The lookups of transactions: by signature and by slot."""
        async with self._database.acquire() as connection:
            floor = await connection.fetchval(self._queries["find_floor"], stream, cutoff)
        if floor is not None:
            await self._repeat(self._queries["delete_signatures"], stream, floor)
            await self._repeat(self._queries["delete_slots"], stream, floor)

    async def _repeat(self, delete: str, *arguments: object) -> None:
        """Deletes in batches, each a transaction, until nothing is left."""
        while True:
            async with self._database.acquire() as connection:
                told = await connection.execute(delete, *arguments, ROWS_AT_ONCE)
            if int(told.split()[-1]) < ROWS_AT_ONCE:
                return


def _cutoff(now: datetime.datetime, days: int) -> datetime.datetime:
    """Begin of the day, UTC, that is so many days ago: so no floor cuts a bucket of the aggregates."""
    day = now.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - datetime.timedelta(days=days)
