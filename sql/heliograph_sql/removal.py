"""Removes a stream: its rows in every table, its schema and its name.

First nothing of it counts as complete any more, and nothing can be written. Then rows go, a table or some chunks in a transaction,
because one over all of them would hold more locks than a server has; at last its schema and its name. Whoever is stopped in
between leaves a stream that is complete nowhere, and begins again.
"""

from __future__ import annotations

from typing import Any

from heliograph_core.errors import SettingsError
from heliograph_sql.chunks import drop_chunks
from heliograph_sql.database import Database
from heliograph_sql.queries import load


async def remove_stream(database: Database, name: str) -> None:
    """Raises SettingsError where there is no such stream or a running indexer leads it."""
    queries = load("removal.sql")
    async with database.acquire() as connection:
        async with connection.transaction():
            await _lock(connection, name)
            await connection.execute(queries["end_coverage"], name)
        for schema, table, own in await connection.fetch(queries["list_tables"], name):
            if own:
                await drop_chunks(connection, schema, table)
            else:
                await _delete_rows(connection, schema, table, name)
        async with connection.transaction():
            await _lock(connection, name)
            await connection.execute(await connection.fetchval(queries["write_drop_schema"], name))
            await connection.execute(queries["delete_stream"], name)


async def _lock(connection: Any, name: str) -> None:
    queries = load("removal.sql")
    await connection.execute(queries["lift_statement_timeout"])
    stream = await connection.fetchrow(queries["lock_stream"], name)
    if stream is None:
        raise SettingsError(f"there is no stream {name!r}: `heliograph stream list` shows those there are")
    if stream["led"]:
        raise SettingsError(
            f"stream {name!r} is being indexed by {stream['leader']}: stop that process first"
        )


async def _delete_rows(connection: Any, schema: str, table: str, stream: str) -> None:
    queries = load("removal.sql")
    async with connection.transaction():
        await connection.execute(queries["lift_statement_timeout"])
        await connection.execute(await connection.fetchval(queries["write_delete"], schema, table, stream))
