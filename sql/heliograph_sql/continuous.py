"""Where rolled buckets are stored: continuous aggregates on TimescaleDB Community, tables of ours on every other tier."""

from __future__ import annotations

import psycopg

from heliograph_sql.queries import load
from heliograph_sql.tier import Edition


def place_rollups(connection: psycopg.Connection[tuple[object, ...]], edition: Edition) -> None:
    """Stores them as the edition can; where that changes, all is rolled up anew, and computed from the rows meanwhile.

    The views that are read stay the same. Inside no transaction. A schema without rollups is left alone.
    """
    queries = load("continuous.sql")
    wanted = edition is Edition.COMMUNITY
    if connection.execute(queries["find_storage"]).fetchone() != (True,):
        return
    if connection.execute(queries["find_continuous"]).fetchone() == (wanted,):
        return
    with connection.transaction():
        if wanted:
            _execute_all(connection, queries["write_creates"])
        _execute_all(connection, queries["write_views" if wanted else "write_plain_views"])
        _execute_all(connection, queries["write_truncates"])
        connection.execute(queries["begin_anew"])
        connection.execute(queries["set_continuous" if wanted else "set_plain"])


def _execute_all(connection: psycopg.Connection[tuple[object, ...]], writing: str) -> None:
    for (statement,) in connection.execute(writing).fetchall():
        connection.execute(str(statement).encode())
