"""How far each stream is, as the database says it: for the summary, `heliograph status`, /ready and /metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heliograph_sql.database import Database
from heliograph_sql.queries import load


@dataclass(frozen=True)
class Progress:
    """One stream. Slots are None before the first commit; behind_s is seconds since the last block that is in.

    leader, lease_s: who leads and for how many more seconds unless it renews, None where nobody does. gaps, gap_slots:
    uncovered ranges between first_slot and head_slot, and their slots. dirty: positions that wait to be folded anew.
    """

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
    epoch: int = 0
    genesis: str | None = None
    lease_s: float | None = None
    complete_time: datetime | None = None
    gap_slots: int = 0
    dirty: int = 0
    committed_at: datetime | None = None


@dataclass(frozen=True)
class Tallies:
    """Of each stream, how often what: incidents by kind, and stored rows that could not be decoded by reason.

    Reasons are few: `unknown` (no layout begins so), `ambiguous` (two layouts read it differently), `projection` (decoded, but
    it contradicts its protocol), `refused` (a table cannot hold it), `layout` (the bytes do not fit).
    """

    incidents: Mapping[str, Mapping[str, int]]
    undecoded: Mapping[str, Mapping[str, int]]


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
    """Every stream, by name."""
    async with database.acquire() as connection:
        return await read_progress_on(connection)


async def read_progress_on(connection: Any) -> list[Progress]:
    """As of the connection's snapshot."""
    rows = await connection.fetch(load("progress.sql")["list_progress"])
    return [Progress(**dict(row)) for row in rows]


async def read_tallies(database: Database) -> Tallies:
    """Counts rows: a few hundred milliseconds where there are millions."""
    async with database.acquire() as connection:
        return await read_tallies_on(connection)


async def read_tallies_on(connection: Any) -> Tallies:
    """As of the connection's snapshot."""
    found: list[dict[str, dict[str, int]]] = []
    for name in ("count_incidents", "count_undecoded"):
        of_streams: dict[str, dict[str, int]] = {}
        for stream, kind, count in await connection.fetch(load("progress.sql")[name]):
            of_streams.setdefault(stream, {})[kind] = count
        found.append(of_streams)
    return Tallies(*found)


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
