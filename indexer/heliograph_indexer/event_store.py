"""What every writer of a stream decodes by and writes to: live, healer and backfill alike."""

from __future__ import annotations

from heliograph_indexer.decode import Layouts
from heliograph_indexer.event_layouts import layouts_of
from heliograph_indexer.protocol import Protocol
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventTables, ensure_event_tables, event_tables
from heliograph_sql.idls import count_idls, list_idls


async def open_layouts(database: Database, stream: str, protocol: Protocol) -> Layouts:
    """The protocol's layouts and those that were added to the stream. Raises IdlError, DatabaseUnavailable."""
    added = await count_idls(database, stream)
    return Layouts.of(protocol, await list_idls(database, stream), added)


async def open_event_tables(database: Database, stream: str, layouts: Layouts) -> EventTables:
    """The tables, made where they are missing. Raises DatabaseUnavailable, DatabaseError."""
    tables = event_tables(stream, layouts_of(layouts))
    await ensure_event_tables(database, stream, tables.values())
    return tables
