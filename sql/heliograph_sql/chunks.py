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


async def drop_chunks(
    connection: Any, schema: str, name: str, until: datetime.datetime | None = None
) -> bool:
    """Drops the chunks of a hypertable that end at or before `until`, all of them where it is None, oldest first, some in a transaction.

    connection: asyncpg's, outside of a transaction. False where there are no chunks at all, as of a plain table.
    """
    queries = load("hypertables.sql")
    if not await connection.fetchval(queries["find_extension"]):
        return False
    ends = [row["range_end"] for row in await connection.fetch(queries["list_chunk_ends"], schema, name)]
    due = [end for end in ends if until is None or end <= until]
    for end in [*due[CHUNKS_AT_ONCE - 1 : -1 : CHUNKS_AT_ONCE], *due[-1:]]:
        async with connection.transaction():
            await connection.execute(queries["lift_statement_timeout"])
            await connection.fetch(queries["drop_chunks"], schema, name, end)
    return bool(ends)
