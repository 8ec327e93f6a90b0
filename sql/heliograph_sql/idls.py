"""The IDLs of a stream's programs, each in force from its first slot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from heliograph_core.errors import SettingsError
from heliograph_sql.database import Database
from heliograph_sql.plan import TablePlan
from heliograph_sql.queries import load

UndecodedPlace = tuple[int, int, int, int]
"""(block_time, slot, tx_index, ordinal)."""


class StoredIdl(msgspec.Struct, frozen=True):
    """sha256: of the text that was added, in hexadecimal; document: the same as PostgreSQL keeps JSON."""

    program: str
    first_slot: int
    sha256: str
    document: str


async def add_idl(
    database: Database, stream: str, program: str, first_slot: int, document: bytes
) -> StoredIdl:
    """Stores it; adding the same again changes nothing. Raises SettingsError where another is there from that slot.

    From here on every writer that has not read it is refused: what it would call undecoded might be decodable.
    """
    digest = hashlib.sha256(document).hexdigest()
    async with database.acquire() as connection:
        row = await connection.fetchrow(
            load("idls.sql")["add_idl"], stream, program, first_slot, digest, document.decode()
        )
    if row["sha256"] != digest:
        raise SettingsError(
            f"stream {stream}: {program} has another IDL from slot {first_slot} ({row['sha256'][:8]}): "
            "give another --from-slot"
        )
    return StoredIdl(program, first_slot, digest, row["idl"])


async def count_idls(database: Database, stream: str) -> int:
    """How many were added. Ask before list_idls(): a writer that counts too few is refused once, one too many never."""
    async with database.acquire() as connection:
        count = await connection.fetchval(load("idls.sql")["count_idls"], stream)
    assert count is None or isinstance(count, int)
    return count or 0


async def list_idls(database: Database, stream: str) -> list[StoredIdl]:
    """By program and first slot."""
    async with database.acquire() as connection:
        rows = await connection.fetch(load("idls.sql")["list_idls"], stream)
    return [StoredIdl(row["program"], row["first_slot"], row["sha256"], row["idl"]) for row in rows]


class UndecodedEvent(msgspec.Struct, frozen=True):
    """A row of `heliograph.undecoded`: bytes on a channel, as the walk found them. accounts: of an instruction."""

    block_time: int
    slot: int
    tx_index: int
    ordinal: int
    signature: str
    program: str
    channel: str
    data: bytes
    caller: str | None
    accounts: Sequence[str] | None = None

    @property
    def place(self) -> UndecodedPlace:
        return self.block_time, self.slot, self.tx_index, self.ordinal


async def list_undecoded(
    database: Database, stream: str, *, after: UndecodedPlace, limit: int
) -> list[UndecodedEvent]:
    """A page in chain order, after the place (block_time, slot, tx_index, ordinal)."""
    async with database.acquire() as connection:
        rows = await connection.fetch(load("idls.sql")["list_undecoded"], stream, *after, limit)
    return [UndecodedEvent(*row) for row in rows]


async def find_rows(
    database: Database, plan: TablePlan, places: Sequence[UndecodedPlace]
) -> set[UndecodedPlace]:
    """At which of the places an event table has a row already."""
    columns = [list(column) for column in zip(*places, strict=True)]
    async with database.acquire() as connection:
        find = await connection.fetchval(load("events.sql")["write_find_rows"], plan.schema, plan.name)
        return {tuple(row) for row in await connection.fetch(find, *columns)}
