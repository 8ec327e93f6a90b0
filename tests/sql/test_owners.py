"""Owners of sub-accounts: rows name the wallet as soon as it is known, whoever learns it and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.sql.test_flow_folding import flow

from heliograph_core.account import AccountState
from heliograph_core.records import Owner
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.queries import load
from heliograph_sql.writer import Writer

WALLETS = "SELECT wallet FROM perps.{} ORDER BY slot"


@pytest.fixture
async def epoch(database: Database, stream: Any) -> int:
    epoch = await Lease(database, "s", "leader").acquire()
    assert epoch is not None
    return epoch


def owner(account: str, wallet: str | None = None) -> Owner:
    return Owner(stream="s", account=account, wallet=wallet)


async def test_rows_written_before_an_owner_is_known_are_mended(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    unknown = flow(make, 1, 2, 20, wallet="A", base_before=0)
    trade = make.trade(1, ordinal=1, taker="A", maker="B")
    moved = make.transfer(1, free=1, wallet="A")
    await writer.commit(make.batch(1, 1, [unknown, trade, moved], [owner("A"), owner("B")]), epoch=epoch)
    assert await fetch("SELECT wallet FROM perps.positions") == [("A",)]
    known = flow(make, 2, 1, 10, wallet="A")
    await writer.commit(make.batch(2, 2, [known], [owner("A", "Alice")]), epoch=epoch)
    assert await fetch(WALLETS.format("flows")) == [("Alice",), ("Alice",)]
    assert await fetch("SELECT taker, maker FROM perps.trades") == [("Alice", "B")]
    assert await fetch(WALLETS.format("transfers")) == [("Alice",)]
    assert await writer.refold(epoch=epoch) is not None
    assert await fetch("SELECT DISTINCT wallet FROM perps.position_changes") == [("Alice",)]
    assert await fetch("SELECT wallet, size, settled FROM perps.positions") == [("Alice", 3, True)]
    assert await fetch("SELECT account, wallet FROM perps.owners ORDER BY account") == [
        ("A", "Alice"),
        ("B", None),
    ]


async def test_a_writer_names_the_wallets_that_anybody_learned(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    await writer.commit_accounts([], [owner("A", "Alice")], through=5, epoch=epoch)
    other = Writer(database, "s", "other")
    await other.commit(make.batch(1, 1, [make.trade(1, taker="A")], [owner("A")]), epoch=None)
    await other.commit(make.batch(2, 2, [make.trade(2, taker="A")], [owner("A")]), epoch=None)
    assert await fetch("SELECT taker FROM perps.trades ORDER BY slot") == [("Alice",), ("Alice",)]


async def test_an_owner_that_is_learned_while_a_batch_waits_is_not_missed(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    waiting = await writer.prepare(make.batch(1, 1, [make.trade(1, taker="A")], [owner("A")]))
    await Writer(database, "s", "other").commit_accounts([], [owner("A", "Alice")], through=5, epoch=None)
    await writer.commit(waiting, epoch=epoch)
    assert await fetch("SELECT taker FROM perps.trades") == [("Alice",)]


async def test_two_writers_that_meet_on_an_account_leave_nothing_unnamed(
    database: Database, stream: Any, make: Any, fetch: Any
) -> None:
    async def write(slot: int, wallet: str | None) -> None:
        batch = make.batch(slot, slot, [make.trade(slot, taker="A")], [owner("A", wallet)])
        await Writer(database, "s", f"w{slot}").commit(batch, epoch=None)

    await asyncio.gather(*(write(slot, "Alice" if slot == 7 else None) for slot in range(12)))
    assert await fetch("SELECT DISTINCT taker FROM perps.trades") == [("Alice",)]


async def test_who_learns_an_owner_waits_for_who_folds_before_it_marks_keys(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    """Else each waits for the other: the one for the lock of folding, the other for a key that is marked."""
    opened = flow(make, 1, 2, 20, key="A-0", wallet="A")
    await writer.commit(make.batch(1, 1, [opened], [owner("A")]), epoch=epoch)
    queries = load("folding.sql")
    async with database.acquire() as connection, connection.transaction():
        await connection.execute(queries["lock_folding"], "s")
        account = AccountState("A", "Program", 3, 1, b"", "User", {})
        learning = asyncio.create_task(
            writer.commit_accounts(
                [account], [owner("A", "Alice")], through=None, epoch=epoch, understood=["A"]
            )
        )
        async with asyncio.timeout(10):
            while True:
                if await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    break
                await asyncio.sleep(0.01)
        # As the commit of a batch does while it folds.
        await connection.execute("SET LOCAL lock_timeout = '5s'")
        await connection.execute(queries["mark_dirty"], "s", ["A-0"])
    await learning
    assert await fetch("SELECT wallet FROM perps.flows") == [("Alice",)]
    assert await fetch("SELECT position_key FROM heliograph.dirty") == [("A-0",)]


async def test_an_account_that_holds_nothing_tells_that_what_was_opened_unseen_is_closed(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    """Opened and closed between two looks at the account, by fills that tell no base."""
    fills = [flow(make, 1, 2, 20, key="A-0", wallet="A"), flow(make, 2, -2, 26, key="A-0", wallet="A")]
    await writer.commit(make.batch(1, 2, fills, [owner("A", "Alice")]), epoch=epoch)
    assert await fetch("SELECT status, size, realized_pnl FROM perps.positions") == [("open", None, None)]
    account = AccountState("A", "Program", 3, 1, b"", "User", {})
    await writer.commit_accounts([account], [], through=None, epoch=epoch, understood=["A"])
    assert await writer.refold(epoch=epoch) is not None
    assert await fetch(
        "SELECT status, size, realized_pnl, complete, settled, wallet FROM perps.positions"
    ) == [("closed", 0, 6, True, True, "Alice")]
    assert await fetch("SELECT kind, size_after FROM perps.position_changes ORDER BY slot") == [
        ("open", 2),
        ("close", 0),
    ]
