"""The store of accounts: positions wait for the events of their slot, and no longer than they must."""

from __future__ import annotations

import asyncio
from typing import Any

from heliograph_core.account import AccountState
from heliograph_indexer.account_store import AccountStore, Reached
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream
from heliograph_sql.writer import Writer


async def test_who_waits_for_a_slot_goes_on_when_it_is_reached_or_the_time_is_over() -> None:
    reached = Reached()
    waiting = asyncio.create_task(reached.wait(7, 60))
    reached.reach(6)
    await asyncio.sleep(0)
    assert not waiting.done()
    reached.reach(8)
    await waiting
    await reached.wait(8, 60)
    await reached.wait(9, 0.01)


async def test_a_kind_of_account_that_nothing_reads_is_told_of_once(database: Database) -> None:
    await add_stream(database, "s", protocol="godark", programs=["P"], first_slot=0)
    told: list[tuple[str, int | None]] = []
    stored: list[tuple[int, int | None]] = []

    async def at_once(attempt: Any) -> int:
        found: int = await attempt()
        return found

    store = AccountStore(
        "s",
        PROTOCOLS["godark"],
        Writer(database, "s", "h"),
        epoch=0,
        events=Reached(),
        waited=at_once,
        on_incident=lambda kind, slot, detail: told.append((kind, slot)),
        on_stored=lambda count, through: stored.append((count, through)),
    )
    for slot in (5, 6):
        await store.commit([AccountState("A", "P", slot, 1, b"newlayout", None, None, "no layout")], slot)
    assert told == [("account_undecoded", 5)]
    assert stored == [(1, 5), (1, 6)]
