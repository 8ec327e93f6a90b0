"""Hypertables piece by piece, for what touches all of a table.

A statement over a whole hypertable holds a lock for each chunk, each of its indexes and its TOAST table until its transaction ends, and
the server has room for max_locks_per_transaction (64) times its connections, of all sessions together.
"""

from __future__ import annotations

import datetime
from typing import Any

from heliograph_sql.queries import load

CHUNKS_AT_ONCE = 20
"""Of one table in one transaction: some hundred locks."""


async def list_pieces(connection: Any, schema: str, name: str) -> list[datetime.datetime]:
    """Block times that cut a hypertable into pieces of CHUNKS_AT_ONCE chunks: where each ends, oldest first.

    connection: asyncpg's. Empty for a plain table, and where there is no TimescaleDB.
    """
    queries = load("hypertables.sql")
    if not await connection.fetchval(queries["find_extension"]):
        return []
    ends = [row["range_end"] for row in await connection.fetch(queries["list_chunk_ends"], schema, name)]
    return [*ends[CHUNKS_AT_ONCE - 1 : -1 : CHUNKS_AT_ONCE], *ends[-1:]]
