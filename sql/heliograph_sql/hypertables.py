"""Hypertables: tables keyed by block_time are cut by it wherever the database has TimescaleDB; rows are kept."""

from __future__ import annotations

from typing import Any

import psycopg

from heliograph_sql.queries import load


def enable_timescale(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Creates the extension where the server preloads it and we may, then cuts every table that is not cut yet.

    On a server without TimescaleDB, or without the right to use it, nothing changes.
    """
    queries = load("hypertables.sql")
    loader = connection.execute(queries["find_loader"]).fetchone()
    if loader is not None and loader[0]:
        connection.execute(queries["create_extension"])
    extension = connection.execute(queries["find_extension"]).fetchone()
    if extension is None or not extension[0]:
        return
    with connection.transaction():
        for (statement,) in connection.execute(queries["write_conversions"]).fetchall():
            connection.execute(str(statement).encode())


async def cut_tables(connection: Any) -> None:
    """The same for tables that were made after the migrations, on an asyncpg connection inside a transaction."""
    queries = load("hypertables.sql")
    if not await connection.fetchval(queries["find_extension"]):
        return
    for row in await connection.fetch(queries["write_conversions"]):
        await connection.execute(row[0])
