"""Removes a stream: its rows in every table, its schema and its name, in one transaction."""

from __future__ import annotations

from heliograph_core.errors import SettingsError
from heliograph_sql.database import Database
from heliograph_sql.queries import load


async def remove_stream(database: Database, name: str) -> None:
    """Raises SettingsError where there is no such stream or a running indexer leads it."""
    queries = load("removal.sql")
    async with database.acquire() as connection, connection.transaction():
        await connection.execute(queries["lift_statement_timeout"])
        stream = await connection.fetchrow(queries["lock_stream"], name)
        if stream is None:
            raise SettingsError(
                f"there is no stream {name!r}: `heliograph stream list` shows those there are"
            )
        if stream["led"]:
            raise SettingsError(
                f"stream {name!r} is being indexed by {stream['leader']}: stop that process first"
            )
        for row in await connection.fetch(queries["write_deletes"], name):
            await connection.execute(row[0])
        await connection.execute(await connection.fetchval(queries["write_drop_schema"], name))
        await connection.execute(queries["delete_stream"], name)
