"""Runs the indexer of one stream as a part of the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from heliograph_cli.parts import Parts
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import protocol_of
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow


@asynccontextmanager
async def indexing(
    parts: Parts, database: Database, stream: StreamRow, settings: IndexerSettings
) -> AsyncIterator[Indexer]:
    """`stream` is indexed inside the block; at its end the lease is released."""
    indexer = Indexer(database, stream, protocol_of(stream), settings)
    async with parts.running(f"indexer of {stream.name}", indexer.run()):
        yield indexer
