"""What an audit reads: the slots that wait for it, and what is stored of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from heliograph_core.intervals import SlotSet
from heliograph_sql.database import Database
from heliograph_sql.queries import load


class StoredTransaction(msgspec.Struct, frozen=True, gc=False):
    """A transaction as an audit compares it. err: the JSON value, None where it succeeded."""

    signature: str
    tx_index: int
    err: object | None


class StoredSlot(msgspec.Struct, frozen=True, gc=False):
    """One slot's transactions in block order. blockhash: None where it was not known when the slot was written."""

    blockhash: str | None
    transactions: tuple[StoredTransaction, ...]


class AuditProgress(msgspec.Struct, frozen=True):
    """unaudited: covered slots that were not final when they were fetched. final_slot: None before the first audit."""

    covered: SlotSet
    unaudited: SlotSet
    final_slot: int | None


async def read_audit_progress(database: Database, stream: str) -> AuditProgress:
    """What waits for an audit; nothing for an unknown stream."""
    queries = load("audit.sql")
    async with database.acquire() as connection:
        row = await connection.fetchrow(queries["read_progress"], stream)
        covered = await connection.fetch(load("streams.sql")["read_coverage"], stream)
        unaudited = await connection.fetch(queries["list_unaudited"], stream)
    return AuditProgress(
        SlotSet((each["first"], each["last"]) for each in covered),
        SlotSet((each["first"], each["last"]) for each in unaudited),
        None if row is None else row["final_slot"],
    )


async def read_stored_slots(database: Database, stream: str, first: int, last: int) -> dict[int, StoredSlot]:
    """The slots of first..last that hold a transaction, or once did."""
    queries = load("audit.sql")
    async with database.acquire() as connection:
        hashes = await connection.fetch(queries["list_blockhashes"], stream, first, last)
        rows = await connection.fetch(queries["list_transactions"], stream, first, last)
    transactions: dict[int, list[StoredTransaction]] = {row["slot"]: [] for row in hashes}
    for row in rows:
        err = None if row["err"] is None else json.loads(row["err"])
        transactions.setdefault(row["slot"], []).append(
            StoredTransaction(row["signature"], row["tx_index"], err)
        )
    known = {row["slot"]: row["blockhash"] for row in hashes}
    return {slot: StoredSlot(known.get(slot), tuple(found)) for slot, found in transactions.items()}


async def list_accounts_since(
    database: Database, stream: str, slot: int, addresses: Sequence[str]
) -> list[tuple[str, str, int]]:
    """(address, program, slot of the stored state) of accounts stored at `slot` or above, and of `addresses`; closed ones too."""
    async with database.acquire() as connection:
        rows = await connection.fetch(load("audit.sql")["list_accounts_since"], stream, slot, list(addresses))
    return [(row["address"], row["program"], row["slot"]) for row in rows]
