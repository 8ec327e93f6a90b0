"""Runs the real indexer beside a test, and waits until it has everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from heliograph_core.errors import DatabaseUnavailable
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, get_stream, read_coverage

PATIENCE_S = 300.0
"""How long a test waits for what has to come before it says that it does not: no measure of speed, and far above what it
takes on a machine that does ten other things."""
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
    database: Database, stream: StreamRow, slot: int, *, accounts: bool = False, timeout_s: float = PATIENCE_S
) -> None:
    """Returns once everything through `slot` is committed, and what of it came late is folded.

    accounts: those read at or above it too. Raises AssertionError, saying how far it came.
    """
    came = "the database never answered"
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    through = (await read_coverage(database, stream.name)).through(stream.first_slot)
                    row = await get_stream(database, stream.name)
                    waiting = await _waiting(database)
                except DatabaseUnavailable as error:
                    came = str(error)
                else:
                    read_at = row.accounts_through if row is not None else None
                    reached = (through, read_at) if accounts else (through,)
                    if all(each is not None and each >= slot for each in reached) and not waiting:
                        return
                    came = f"complete through {through}, accounts through {read_at}, {waiting} positions to be folded anew"
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise AssertionError(f"not caught up with slot {slot} after {timeout_s:g} s: {came}") from None


async def _waiting(database: Database) -> int:
    """How many positions wait to be folded anew."""
    async with database.acquire() as connection:
        found: int = await connection.fetchval("SELECT count(*) FROM heliograph.dirty")
    return found
