"""Runs the real indexer beside a test, and waits until it has everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, get_stream, read_coverage

_POLL_S = 0.02


@asynccontextmanager
async def indexing(
    database: Database, stream: StreamRow, protocol: Protocol, settings: IndexerSettings
) -> AsyncIterator[Indexer]:
    """An indexer for the time of the block; what it fails with, the block fails with."""
    indexer = Indexer(database, stream, protocol, settings)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(indexer.run())
        try:
            yield indexer
        finally:
            await indexer.stop()
            await running


async def caught_up(
    database: Database, stream: StreamRow, slot: int, *, accounts: bool = False, timeout_s: float = 60
) -> None:
    """Returns once everything through `slot` is committed, and what of it came late is folded.

    accounts: those read at or above it too.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            through = (await read_coverage(database, stream.name)).through(stream.first_slot)
            row = await get_stream(database, stream.name)
            read_at = row.accounts_through if row is not None else None
            reached = (through, read_at) if accounts else (through,)
            if all(each is not None and each >= slot for each in reached) and not await _waiting(database):
                return
            await asyncio.sleep(_POLL_S)


async def _waiting(database: Database) -> bool:
    """Whether a position waits to be folded anew."""
    async with database.acquire() as connection:
        found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM heliograph.dirty)")
    return found
