"""Claims of other writers: which slots are being fetched now, so that nobody else fetches them."""

from __future__ import annotations

import msgspec

from heliograph_core.intervals import SlotSet
from heliograph_sql.database import Database
from heliograph_sql.queries import load


class Claims(msgspec.Struct, frozen=True):
    """slots: claimed and not expired. expires_in_s: until the first of these claims ends unless prolonged, or None."""

    slots: SlotSet
    expires_in_s: float | None


async def read_claims(database: Database, stream: str, *, besides: str) -> Claims:
    """All living claims on the stream but those of the holder `besides`."""
    async with database.acquire() as connection:
        rows = await connection.fetch(load("claims.sql")["list_claims"], stream, besides)
    return Claims(
        SlotSet((row["first"], row["last"]) for row in rows),
        min((row["expires_in_s"] for row in rows), default=None),
    )
