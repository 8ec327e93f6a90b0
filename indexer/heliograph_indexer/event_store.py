"""The tables of a stream's decoded events, for every writer of the stream: live, healer and backfill write the same."""

from __future__ import annotations

from heliograph_indexer.decode import Layouts
from heliograph_indexer.event_layouts import event_layouts
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventTables, ensure_event_tables, event_tables


async def open_event_tables(database: Database, stream: str, layouts: Layouts) -> EventTables:
    """The tables, made where they are missing. Raises DatabaseUnavailable, DatabaseError."""
    tables = event_tables(
        stream,
        [
            layout
            for program, decoder in layouts.decoders.items()
            for layout in event_layouts(program, decoder.idl)
        ],
    )
    await ensure_event_tables(database, stream, tables.values())
    return tables
