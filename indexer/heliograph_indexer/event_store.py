"""What every writer of a stream decodes by and writes to: live, healer and backfill alike."""

from __future__ import annotations

from heliograph_indexer.decode import Layouts
from heliograph_indexer.event_layouts import layouts_of
from heliograph_indexer.protocol import Protocol
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventTables
from heliograph_sql.idls import count_idls, list_idls
from heliograph_sql.streams import get_stream
from heliograph_sql.table_making import make_tables


async def open_layouts(database: Database, stream: str, protocol: Protocol) -> Layouts:
    """The protocol's layouts and those that were added to the stream. Raises IdlError, DatabaseUnavailable."""
    row = await get_stream(database, stream)
    added = await count_idls(database, stream)
    stored = await list_idls(database, stream)
    return Layouts.of(protocol, stored, added, instructions=row is not None and row.instructions)


async def open_event_tables(database: Database, stream: str, layouts: Layouts) -> EventTables:
    """The tables, made where they are missing. Raises DatabaseUnavailable, DatabaseError."""
    return (await make_tables(database, stream, layouts_of(layouts))).tables
