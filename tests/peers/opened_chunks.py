"""Which chunks of hypertables a transaction has opened, when planning as well as when running: it holds a lock on each."""

from __future__ import annotations

from typing import Any

OPENED = """
SELECT DISTINCT format('%s.%s', k.hypertable_schema, k.hypertable_name), l.relation::regclass::text
FROM pg_locks AS l
JOIN timescaledb_information.chunks AS k
    ON format('%I.%I', k.chunk_schema, k.chunk_name)::regclass = l.relation
WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.mode = 'AccessShareLock'
"""


async def opened_chunks(connection: Any) -> dict[str, int]:
    """How many of each hypertable. connection: asyncpg's, inside the transaction."""
    counts: dict[str, int] = {}
    for hypertable, _ in await connection.fetch(OPENED):
        counts[hypertable] = counts.get(hypertable, 0) + 1
    return counts
