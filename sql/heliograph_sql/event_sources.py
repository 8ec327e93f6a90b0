"""What the database has of every stream's events: their tables and columns, as they were written down when they were made."""

from __future__ import annotations

from typing import Any

import msgspec

from heliograph_sql.queries import load


class EventColumn(msgspec.Struct, frozen=True):
    """type: as declared, with precision. field: of the IDL; a second one of that name is `field#2`."""

    column: str
    field: str
    type: str
    docs: str


class EventSource(msgspec.Struct, frozen=True):
    """One event of one program. about: what the table's comment says. columns: in the order of their making."""

    stream: str
    program: str
    event: str
    table: str
    about: str
    columns: tuple[EventColumn, ...]


class EventSources(msgspec.Struct, frozen=True):
    """All of them, earlier streams first. digest: changes with them."""

    digest: str = ""
    sources: tuple[EventSource, ...] = ()


async def read_event_digest(connection: Any) -> str:
    digest: str = await connection.fetchval(load("event_sources.sql")["read_event_digest"])
    return digest


async def read_event_sources(connection: Any) -> EventSources:
    """As of one moment: inside a transaction. Raises DatabaseError."""
    queries = load("event_sources.sql")
    digest = await read_event_digest(connection)
    columns: dict[tuple[str, str], list[EventColumn]] = {}
    for stream, table, *rest in await connection.fetch(queries["list_event_columns"]):
        columns.setdefault((stream, table), []).append(EventColumn(*rest))
    sources = tuple(
        EventSource(stream, program, event, table, about or "", tuple(columns.get((stream, table), ())))
        for stream, program, event, table, about in await connection.fetch(queries["list_events"])
    )
    return EventSources(digest, sources)
