"""Typed tables of accounts: the current state by slot, closed ones gone from it, and a history of what changed."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.account import AccountState
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout
from heliograph_sql.streams import StreamRow
from heliograph_sql.table_making import make_tables
from heliograph_sql.writer import Writer

POOL = EventLayout("P", "dex", "Pool", (("size", "numeric(20,0)"), ("slot", "bigint")), kind="account")
USER = EventLayout("P", "dex", "User", (("name", "text"),), kind="account")
HISTORY = EventLayout("", "", "", (), kind="history")


@pytest.fixture
async def accounts(database: Database, stream: StreamRow) -> Writer:
    made = await make_tables(database, "s", [POOL, USER, HISTORY])
    return Writer(database, "s", "h", event_tables=made.tables)


def pool(slot: int, size: int, address: str = "A") -> AccountState:
    return AccountState(address, "P", slot, 10, bytes([size]), "Pool", {"size": size, "slot": 5})


def user(slot: int, name: str) -> AccountState:
    return AccountState("A", "P", slot, 10, name.encode(), "User", {"name": name})


def closed(slot: int) -> AccountState:
    return AccountState("A", "P", slot, 0, b"", None, None)


async def put(writer: Writer, *states: AccountState) -> None:
    await writer.commit_accounts(states, [], through=None, epoch=None)


async def test_the_newest_state_stands_whatever_order_it_comes_in(accounts: Writer, fetch: Any) -> None:
    await put(accounts, pool(5, 1), pool(5, 7, "B"))
    await put(accounts, pool(7, 3))
    await put(accounts, pool(6, 2))
    rows = await fetch("SELECT address, slot, lamports, size, slot_2 FROM s.account_pool ORDER BY address")
    assert rows == [("A", 7, 10, 3, 5), ("B", 5, 10, 7, 5)]
    assert await fetch(
        "SELECT slot, fields ->> 'size' FROM s.account_history WHERE address = 'A' ORDER BY slot"
    ) == [
        (5, "1"),
        (7, "3"),
    ]


async def test_a_closed_account_leaves_its_table_and_an_older_state_does_not_bring_it_back(
    accounts: Writer, fetch: Any
) -> None:
    await put(accounts, pool(5, 1))
    await put(accounts, closed(7))
    await put(accounts, pool(6, 2))
    assert await fetch("SELECT * FROM s.account_pool") == []
    history = await fetch("SELECT slot, name, lamports, fields FROM s.account_history ORDER BY slot")
    assert history[-1] == (7, None, 0, None) and len(history) == 2
    await put(accounts, pool(8, 3))
    assert await fetch("SELECT slot, size FROM s.account_pool") == [(8, 3)]


async def test_an_address_that_becomes_another_type_moves(accounts: Writer, fetch: Any) -> None:
    await put(accounts, pool(5, 1))
    await put(accounts, user(6, "x"))
    assert await fetch("SELECT * FROM s.account_pool") == []
    assert await fetch("SELECT address, name FROM s.account_user") == [("A", "x")]


async def test_what_a_scan_repeats_is_no_history(accounts: Writer, fetch: Any) -> None:
    for slot in (5, 6, 7):
        await put(accounts, pool(slot, 1))
    assert await fetch("SELECT slot FROM s.account_history") == [(5,)]
    assert await fetch("SELECT slot FROM s.account_pool") == [(7,)]


async def test_a_state_that_the_table_refuses_is_told_and_the_others_are_stored(
    accounts: Writer, fetch: Any
) -> None:
    large = AccountState("A", "P", 5, 10, b"x", "Pool", {"size": 10**30, "slot": 5})
    await put(accounts, large, pool(5, 1, "B"))
    assert await fetch("SELECT address FROM s.account_pool") == [("B",)]
    assert await fetch("SELECT address FROM heliograph.accounts ORDER BY address") == [("A",), ("B",)]
    [(kind, detail)] = await fetch("SELECT kind, detail ->> 'table' FROM heliograph.incidents")
    assert (kind, detail) == ("refused", "s.account_pool")


async def test_a_correction_takes_states_of_its_slots_out_of_the_history(
    accounts: Writer, make: Any, fetch: Any
) -> None:
    await accounts.commit(make.batch(4, 6, [make.trade(slot) for slot in (4, 5, 6)]), epoch=None)
    await put(accounts, pool(4, 1))
    await put(accounts, pool(5, 2))
    await accounts.rewrite_slots([5], make.batch(5, 5), epoch=None)
    assert await fetch("SELECT slot FROM s.account_history") == [(4,)]
    times = await fetch("SELECT extract(epoch FROM block_time)::bigint FROM s.account_history")
    assert times == [(make.time(4),)]
