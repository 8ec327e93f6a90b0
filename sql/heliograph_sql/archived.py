"""Slots that an archive wrote: stored, and not covered, until somebody who can vouch for them writes them whole.

Such a slot has a row in `heliograph.slots` and is not in the coverage. Whoever covers it deletes what is stored of it in
the same transaction (Writer.commit).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from heliograph_core.errors import WriteConflict
from heliograph_core.slot import Slot
from heliograph_sql.batch import Batch
from heliograph_sql.correction import Cleared, clear_slots
from heliograph_sql.database import Database
from heliograph_sql.queries import load

FIRST_UNPLACED = 100_000
"""tx_index from which transactions stand whose record does not say where in the block: beyond any block's count."""


class StoredSlots(NamedTuple):
    """covered: those of the asked slots that are complete. signatures: slot to signature to tx_index."""

    covered: frozenset[int]
    signatures: dict[int, dict[str, int]]


async def read_stored(database: Database, stream: str, slots: Sequence[int]) -> StoredSlots:
    """What is known of these slots."""
    queries = load("archive.sql")
    async with database.acquire() as connection:
        covered = await connection.fetch(queries["list_covered"], stream, slots)
        rows = await connection.fetch(queries["list_signatures"], stream, slots)
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["slot"], {})[row["signature"]] = row["tx_index"]
    return StoredSlots(frozenset(row["slot"] for row in covered), found)


async def clear_archived(connection: Any, stream: str, batch: Batch) -> Cleared | None:
    """Deletes what archives wrote of the batch's range and says what that touched; None where there was nothing."""
    queries = load("archive.sql")
    rows = await connection.fetch(queries["list_archived"], stream, batch.first, batch.last)
    if not rows:
        return None
    slots = [row["slot"] for row in rows]
    cleared = await clear_slots(connection, stream, slots, batch)
    await connection.execute(queries["delete_slots"], stream, slots)
    return cleared


async def store_archived(connection: Any, stream: str, slots: Sequence[Slot]) -> None:
    """Notes the slots with the number of the commit under way. After the stream's row was locked.

    Raises WriteConflict where one of them was covered meanwhile.
    """
    queries = load("archive.sql")
    numbers = [slot.number for slot in slots]
    covered = await connection.fetch(queries["list_covered"], stream, numbers)
    if covered:
        raise WriteConflict(
            f"stream {stream}: slot {covered[0]['slot']} was covered by another writer meanwhile"
        )
    await connection.execute(queries["note_slots"], stream, numbers, [slot.block_time for slot in slots])
