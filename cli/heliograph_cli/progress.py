"""How far each stream is, as the database says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from heliograph_sql.database import Database
from heliograph_sql.queries import load


@dataclass(frozen=True)
class Progress:
    """One stream. Slots are None before the first commit; behind_s is seconds since the last block that is in."""

    name: str
    protocol: str
    programs: list[str]
    first_slot: int
    seq: int
    head_slot: int | None
    head_time: datetime | None
    final_slot: int | None
    accounts_through: int | None
    leader: str | None
    behind_s: float | None
    complete_through: int | None
    gaps: int


@dataclass(frozen=True)
class Counts:
    """Rows of the canonical tables of one stream."""

    markets: int
    open_positions: int
    positions: int
    trades: int
    funding_rates: int
    funding_payments: int
    liquidations: int


async def read_progress(database: Database) -> list[Progress]:
    async with database.acquire() as connection:
        rows = await connection.fetch(load("progress.sql")["list_progress"])
    return [Progress(**dict(row)) for row in rows]


async def sum_rows(database: Database, stream: str, after_seq: int) -> tuple[int, int]:
    """Rows that the commits after `after_seq` wrote, and the latest of those commits."""
    async with database.acquire() as connection:
        row = await connection.fetchrow(load("progress.sql")["sum_rows"], stream, after_seq)
    return row["rows"], row["seq"]


async def count_rows(database: Database, stream: str) -> Counts:
    """Exact, by counting: for databases as small as the demo's."""
    async with database.acquire() as connection:
        row = await connection.fetchrow(load("progress.sql")["count_canonical"], stream)
    return Counts(**dict(row))
