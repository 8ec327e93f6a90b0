"""Accounts as they are stored: which of them a stream holds open."""

from __future__ import annotations

from heliograph_sql.database import Database
from heliograph_sql.queries import load


async def list_open_accounts(database: Database, stream: str) -> list[tuple[str, str, int]]:
    """(address, program, slot of the stored state) of every account that is stored and not closed."""
    async with database.acquire() as connection:
        rows = await connection.fetch(load("accounts.sql")["list_open_accounts"], stream)
    return [(row["address"], row["program"], row["slot"]) for row in rows]
