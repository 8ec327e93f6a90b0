"""The statements that run with every commit find their rows by an index, however many rows there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.peers.server import ON_EMBEDDED

from heliograph_sql.database import Database
from heliograph_sql.queries import load

TIME, KEYS, SLOTS = [1_700_000_000], ["P"], [5]
HOT: list[tuple[str, str, list[Any]]] = [
    ("folding.sql", "lock_dirty", ["s", KEYS]),
    ("folding.sql", "unsettle_positions", ["s", KEYS]),
    ("folding.sql", "lock_latest_positions", ["s", KEYS]),
    ("folding.sql", "lock_listed_dirty", ["s", KEYS]),
    ("folding.sql", "count_changes", ["s", KEYS, []]),
    ("folding.sql", "lock_positions", ["s", KEYS]),
    ("folding.sql", "list_changes", ["s", KEYS]),
    ("folding.sql", "delete_positions", ["s", KEYS, KEYS, SLOTS, [0], [0]]),
    ("folding.sql", "clear_dirty", ["s", KEYS]),
    ("correct.sql", "find_slot_times", ["s", SLOTS]),
    ("correct.sql", "find_position_keys", ["s", SLOTS, TIME]),
    ("correct.sql", "restore_balances", ["s", ["W"], ["A"], [""]]),
    ("commit.sql", "lock_stream", ["s"]),
    ("commit.sql", "extend_coverage", ["s", 1, 2, False]),
]


def scans(node: dict[str, Any]) -> Iterator[str]:
    kind = node["Node Type"]
    if kind == "Seq Scan" or ("Index" in kind and "Index Cond" not in node):
        yield str(node.get("Relation Name") or node.get("Index Name"))
    for inner in node.get("Plans", []):
        yield from scans(inner)


async def explain(database: Database, statement: str, arguments: list[Any]) -> list[str]:
    """Tables that would be read whole. Empty tables are read whole unless told otherwise."""
    async with database.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        [told] = await connection.fetch(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    return sorted(scans(json.loads(told[0])[0]["Plan"]))


@pytest.mark.parametrize(
    ("file", "name", "arguments"), HOT, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_no_table_is_read_whole(database: Database, file: str, name: str, arguments: list[Any]) -> None:
    assert await explain(database, load(file)[name], arguments) == []


@pytest.mark.parametrize("table", ["trades", "position_changes", "funding_rates", "transfers"])
async def test_deleting_slots_reads_no_table_whole(database: Database, table: str) -> None:
    async with database.acquire() as connection:
        queries, span = load("correct.sql"), (min(TIME), max(TIME))
        find = await connection.fetchval(queries["write_find_filled"], ["perps"], [table], *span)
        delete = await connection.fetchval(queries["write_delete_rows"], "perps", table, *span)
    assert await explain(database, find, [SLOTS, TIME]) == []
    assert await explain(database, delete, ["s", SLOTS, TIME]) == []


@ON_EMBEDDED
async def test_a_lost_index_is_noticed(database: Database) -> None:
    async with database.acquire() as connection:
        for name in ("market", "wallet", "position_key"):
            await connection.execute(f"DROP INDEX perps.position_changes_by_{name}")
        await connection.execute("ALTER TABLE perps.position_changes DROP CONSTRAINT position_changes_pkey")
    found = await explain(database, load("correct.sql")["find_position_keys"], ["s", SLOTS, TIME])
    assert found == ["position_changes"]
