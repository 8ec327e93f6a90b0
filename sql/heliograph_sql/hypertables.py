"""Hypertables: tables keyed by block_time are cut by it wherever the database has TimescaleDB; rows are kept.

Each table is turned in a transaction of its own: a process that is killed leaves whole tables, and the next goes on.
"""

from __future__ import annotations

from typing import Any

import psycopg

from heliograph_core.errors import DatabaseError
from heliograph_sql.queries import load
from heliograph_sql.settings import StorageSettings
from heliograph_sql.tier import Edition, check_timescale, read_tier


def check_offer(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Raises DatabaseError where TimescaleDB would be created and the server's is too old."""
    queries = load("hypertables.sql")
    if _told(connection, queries["find_loader"]):
        row = connection.execute(queries["find_offered"]).fetchone()
        check_timescale(str(row[0]) if row else "")


def enable_timescale(
    connection: psycopg.Connection[tuple[object, ...]], storage: StorageSettings | None = None
) -> tuple[str, ...]:
    """Creates the extension where the server preloads it and we may, then cuts every table that is not cut yet.

    On a server without TimescaleDB, or without the right to use it, nothing changes but stand-ins for its functions.
    storage: policies to put into force; None leaves those that are. Returns warnings for people. Outside of any
    transaction. Raises DatabaseError where the server's TimescaleDB is too old, or something hangs on the stand-ins.
    """
    queries = load("hypertables.sql")
    if _told(connection, queries["find_loader"]):
        with connection.transaction():
            _drop_stand_ins(connection)
            connection.execute(queries["create_extension"])
    with connection.transaction():
        if storage is not None:
            connection.execute(queries["store_policies"], storage.policies)
    if not _told(connection, queries["find_extension"]):
        if _told(connection, load("compat.sql")["find_need"]):
            with connection.transaction():
                connection.execute(load("compat.sql")["create_compat"].encode())
        return _warnings(connection, storage)
    with connection.transaction():
        _drop_stand_ins(connection)
    for name in ("write_conversions", "write_chunk_intervals"):
        _execute_each(connection, queries[name])
    if _told(connection, queries["find_columnstore"]):
        _execute_each(connection, queries["write_columnstore"])
    return _warnings(connection, storage)


async def cut_tables(connection: Any) -> None:
    """The same for tables that were made after the migrations, on an asyncpg connection inside a transaction."""
    queries = load("hypertables.sql")
    if not await connection.fetchval(queries["find_extension"]):
        return
    for row in await connection.fetch(queries["write_conversions"]):
        await connection.execute(row[0])
    if await connection.fetchval(queries["find_columnstore"]):
        for row in await connection.fetch(queries["write_columnstore"]):
            await connection.execute(row[0])


def _execute_each(connection: psycopg.Connection[tuple[object, ...]], writing: str) -> None:
    for (statement,) in connection.execute(writing).fetchall():
        with connection.transaction():
            connection.execute(str(statement).encode())


def _drop_stand_ins(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    queries = load("compat.sql")
    if not _told(connection, queries["find_compat"]):
        return
    try:
        connection.execute(queries["drop_compat"].encode())
    except psycopg.errors.DependentObjectsStillExist as error:
        raise DatabaseError(
            f"TimescaleDB is here now, and its functions replace those of schema heliograph_compat, which are in use: "
            f"{error.diag.message_detail or error}: drop that, migrate, and create it anew"
        ) from error


def _warnings(
    connection: psycopg.Connection[tuple[object, ...]], storage: StorageSettings | None
) -> tuple[str, ...]:
    """At most one: what is set and the tier has not."""
    if storage is None:
        return ()
    tier = read_tier(connection)
    lacking = storage.lacking(tier.edition)
    if not lacking:
        return ()
    need = "TimescaleDB Community" if tier.edition is Edition.APACHE else "TimescaleDB"
    return (f"{tier.label} lacks what these settings ask for, they do nothing ({need} has it): {lacking}",)


def _told(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> bool:
    row = connection.execute(statement.encode()).fetchone()
    return row is not None and bool(row[0])
