"""The commit protocol: whole, once, numbered without gaps, whoever else writes or dies."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from heliograph_core.account import AccountState
from heliograph_core.errors import DatabaseError, DatabaseUnavailable, LeaseLost, WriteConflict
from heliograph_core.intervals import SlotSet
from heliograph_core.records import MarketState
from heliograph_sql.batch import Incident
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.settings import DatabaseSettings
from heliograph_sql.streams import get_stream, read_coverage
from heliograph_sql.writer import CHANNEL, Writer

TABLES = """
    SELECT (SELECT count(*) FROM perps.trades), (SELECT count(*) FROM perps.position_changes),
        (SELECT count(*) FROM perps.positions), (SELECT count(*) FROM perps.balances),
        (SELECT count(*) FROM heliograph.transactions), (SELECT count(*) FROM heliograph.slots),
        (SELECT count(*) FROM heliograph.commits), (SELECT count(*) FROM heliograph.dirty)
"""


async def test_a_batch_is_written_whole(database: Database, writer: Writer, make: Any, fetch: Any) -> None:
    records = [make.trade(10), make.trade(12), make.change(12, ordinal=1), make.transfer(12, free=7)]
    batch = make.batch(10, 13, records, [make.market(10), make.balance(12, free=7)])
    assert await writer.commit(batch, epoch=None) == 1
    assert await fetch("SELECT slot, quote FROM perps.trades ORDER BY slot") == [(10, 21), (12, 21)]
    assert await fetch("SELECT slot, seq, blockhash FROM heliograph.slots ORDER BY slot") == [
        (10, 1, "hash10"),
        (12, 1, "hash12"),
    ]
    assert await fetch("SELECT signature FROM heliograph.signatures ORDER BY slot") == [
        ("sig10-0",),
        ("sig12-0",),
    ]
    assert await fetch("SELECT symbol FROM perps.markets") == [("SOL-PERP",)]
    assert await fetch("SELECT free FROM perps.balances") == [(7,)]
    assert await fetch("SELECT kind, origin, first_slot, last_slot, row_count FROM heliograph.commits") == [
        ("apply", "live", 10, 13, 6)
    ]
    assert await read_coverage(database, "s") == SlotSet([(10, 13)])
    stream = await get_stream(database, "s")
    assert stream is not None
    assert (stream.seq, stream.head_slot, stream.head_time) == (1, 13, make.time(13))
    assert await fetch("SELECT count(*) FROM heliograph.claims") == [(0,)]


async def test_an_empty_span_is_covered_and_numbered(database: Database, writer: Writer, make: Any) -> None:
    assert await writer.commit(make.batch(5, 9), epoch=None) == 1
    assert await writer.commit(make.batch(10, 10), epoch=None) == 2
    assert await read_coverage(database, "s") == SlotSet([(5, 10)])


async def test_a_slot_is_never_written_twice(writer: Writer, make: Any, fetch: Any) -> None:
    await writer.commit(make.batch(1, 5, [make.trade(3)]), epoch=None)
    for first, last in ((1, 5), (5, 6), (0, 1), (3, 3)):
        with pytest.raises(WriteConflict, match=f"{first}..{last}"):
            await writer.commit(make.batch(first, last, [make.trade(first, ordinal=9)]), epoch=None)
    assert await fetch("SELECT slot FROM perps.trades") == [(3,)]
    assert await fetch("SELECT max(seq) FROM heliograph.commits") == [(1,)]


async def test_of_two_writers_at_once_one_writes_the_slot(
    database: Database, stream: Any, make: Any, fetch: Any
) -> None:
    writers = [Writer(database, "s", f"holder-{number}") for number in range(4)]
    for slot in range(20):
        batch = make.batch(slot, slot, [make.trade(slot), make.change(slot)])
        results = await asyncio.gather(
            *(writer.commit(batch, epoch=None) for writer in writers), return_exceptions=True
        )
        won = [result for result in results if isinstance(result, int)]
        lost = [result for result in results if isinstance(result, (WriteConflict, DatabaseUnavailable))]
        assert won == [slot + 1]
        assert len(lost) == 3
    assert await fetch("SELECT slot FROM perps.trades ORDER BY slot") == [(slot,) for slot in range(20)]


async def test_a_writer_whose_claim_ran_out_is_refused_by_the_coverage(
    database: Database, stream: Any, make: Any, fetch: Any
) -> None:
    slow = Writer(database, "s", "slow", claim_ttl_s=0.0)
    fast = Writer(database, "s", "fast")
    await slow.claim(1, 10)
    await fast.commit(make.batch(5, 5), epoch=None)
    with pytest.raises(WriteConflict, match="covered by another writer"):
        await slow.commit(make.batch(1, 10, [make.trade(1)]), epoch=None)
    assert await fetch("SELECT count(*) FROM perps.trades") == [(0,)]


async def test_numbers_are_gap_free_with_many_writers(database_url: str, make: Any) -> None:
    async with await Database.open(database_url, DatabaseSettings(pool_max=12)) as database:
        from heliograph_sql.streams import add_stream

        await add_stream(database, "s", protocol="p", programs=["P"], first_slot=0)

        async def write(number: int) -> list[int]:
            writer = Writer(database, "s", f"holder-{number}")
            done = []
            for turn in range(10):
                slot = turn * 8 + number
                # One position key for all, so that they meet at its dirty row too.
                batch = make.batch(slot, slot, [make.change(slot), make.trade(slot, ordinal=1)])
                done.append(await writer.commit(batch, epoch=None))
            return done

        seqs = await asyncio.gather(*(write(number) for number in range(8)))
        assert sorted(seq for each in seqs for seq in each) == list(range(1, 81))
        async with database.acquire() as connection:
            rows = await connection.fetch("SELECT seq, committed_at FROM heliograph.commits ORDER BY seq")
        assert [row["seq"] for row in rows] == list(range(1, 81))
        assert [row["committed_at"] for row in rows] == sorted(row["committed_at"] for row in rows)
        assert await read_coverage(database, "s") == SlotSet([(0, 79)])


async def test_an_old_epoch_cannot_write(writer: Writer, database: Database, make: Any, fetch: Any) -> None:
    old, new = Lease(database, "s", "old", ttl_s=0.0), Lease(database, "s", "new")
    old_epoch, new_epoch = await old.acquire(), await new.acquire()
    assert old_epoch is not None and new_epoch == old_epoch + 1
    with pytest.raises(LeaseLost, match=f"epoch {old_epoch} is over, {new_epoch} leads"):
        await writer.commit(make.batch(1, 1, [make.change(1)]), epoch=old_epoch)
    assert await fetch(TABLES) == [(0,) * 8]
    assert await writer.commit(make.batch(1, 1, [make.change(1)]), epoch=new_epoch) == 1


async def test_a_failure_before_the_end_leaves_nothing(
    writer: Writer, database: Database, make: Any, fetch: Any
) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk on fire'; END $$;"
            "CREATE TRIGGER fail BEFORE INSERT ON heliograph.commits FOR EACH ROW EXECUTE FUNCTION fail()"
        )
    batch = make.batch(1, 2, [make.trade(1), make.change(1, ordinal=1)], [make.balance(1, free=3)])
    with pytest.raises(DatabaseError, match="disk on fire"):
        await writer.commit(batch, epoch=None)
    assert await fetch(TABLES) == [(0,) * 8]
    assert await read_coverage(database, "s") == SlotSet()
    async with database.acquire() as connection:
        await connection.execute("DROP TRIGGER fail ON heliograph.commits")
    assert await writer.commit(batch, epoch=None) == 1


async def test_the_same_writer_may_try_again_with_a_wider_range(writer: Writer, make: Any) -> None:
    await writer.claim(3, 4)
    assert await writer.commit(make.batch(1, 9), epoch=None) == 1


async def test_a_claim_keeps_others_out_until_it_expires(database: Database, stream: Any, make: Any) -> None:
    holder, other = Writer(database, "s", "holder"), Writer(database, "s", "other")
    await holder.claim(1, 10)
    with pytest.raises(WriteConflict, match=r"5\.\.5"):
        await other.commit(make.batch(5, 5), epoch=None)
    await Writer(database, "s", "holder", claim_ttl_s=0.0).claim(1, 10)
    assert await other.commit(make.batch(5, 5), epoch=None) == 1


async def test_a_claim_of_a_dead_leader_does_not_hold_up_the_next(
    database: Database, stream: Any, make: Any
) -> None:
    await Writer(database, "s", "dead").claim(1, 1)
    epoch = await Lease(database, "s", "next").acquire()
    assert await Writer(database, "s", "next").commit(make.batch(1, 1, [make.trade(1)]), epoch=epoch) == 1


async def test_a_wide_claim_outlives_the_commits_inside_it_and_is_released(
    database: Database, stream: Any, make: Any, fetch: Any
) -> None:
    holder, other = Writer(database, "s", "holder"), Writer(database, "s", "other")
    await holder.claim(1, 10)
    await holder.commit(make.batch(1, 3), epoch=None)
    with pytest.raises(WriteConflict):
        await other.claim(10, 12)
    await holder.release(1, 10)
    await other.claim(10, 12)
    assert await fetch("SELECT holder FROM heliograph.claims") == [("other",)]


async def test_two_writers_that_claim_at_once_do_not_both_get_it(database: Database, stream: Any) -> None:
    writers = [Writer(database, "s", f"holder-{number}") for number in range(6)]
    results = await asyncio.gather(*(writer.claim(5, 9) for writer in writers), return_exceptions=True)
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, WriteConflict) for result in results) == 5


async def test_a_commit_is_notified_when_it_is_visible(writer: Writer, database_url: str, make: Any) -> None:
    listener = await asyncpg.connect(database_url)
    heard: asyncio.Queue[str] = asyncio.Queue()
    try:
        await listener.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[3]))
        for slot in (1, 2):
            await writer.commit(make.batch(slot), epoch=None)
            async with asyncio.timeout(10):
                assert await heard.get() == f"s {slot}"
            assert await listener.fetchval("SELECT max(seq) FROM heliograph.commits") == slot
    finally:
        await listener.close()


async def test_a_stopped_writer_does_not_block_the_others_for_long(
    database_url: str, stream: Any, make: Any
) -> None:
    settings = DatabaseSettings(idle_in_transaction_timeout_s=0.3)
    async with (
        await Database.open(database_url, settings) as stopped,
        await Database.open(database_url) as running,
    ):
        with pytest.raises(DatabaseUnavailable):
            async with stopped.acquire() as connection, connection.transaction():
                await connection.execute("SELECT FROM heliograph.streams WHERE name = 's' FOR NO KEY UPDATE")
                async with asyncio.timeout(10):
                    assert await Writer(running, "s", "other").commit(make.batch(1), epoch=None) == 1
                await connection.execute("SELECT 1")


async def test_a_stream_that_does_not_exist_is_named(database: Database, make: Any) -> None:
    make.stream = "absent"
    with pytest.raises(DatabaseError, match="absent"):
        await Writer(database, "absent", "h").commit(make.batch(1), epoch=None)


async def test_a_batch_of_another_stream_is_refused(writer: Writer, make: Any) -> None:
    make.stream = "other"
    with pytest.raises(ValueError, match="batch of other"):
        await writer.commit(make.batch(1), epoch=None)


async def test_a_range_that_was_final_when_fetched_moves_the_final_slot(
    database: Database, writer: Writer, make: Any, fetch: Any
) -> None:
    async def final() -> int | None:
        stream = await get_stream(database, "s")
        assert stream is not None
        return stream.final_slot

    await writer.commit(make.batch(5, 9, final=True), epoch=None)
    assert await final() is None, "slots from the stream's first on are not covered yet"
    await writer.commit(make.batch(0, 4, final=True), epoch=None)
    assert await final() == 9
    await writer.commit(make.batch(10, 12), epoch=None)
    assert await final() == 9
    assert await fetch("SELECT audited::text FROM heliograph.coverage") == [("{[0,10)}",)]


async def test_the_head_moves_forward_only(database: Database, writer: Writer, make: Any) -> None:
    await writer.commit(make.batch(100, 110), epoch=None)
    await writer.commit(make.batch(50, 60), epoch=None)
    stream = await get_stream(database, "s")
    assert stream is not None
    assert (stream.head_slot, stream.head_time) == (110, make.time(110))
    await writer.commit(make.batch(111, 111, last_time=None), epoch=None)
    stream = await get_stream(database, "s")
    assert stream is not None
    assert (stream.head_slot, stream.head_time) == (111, make.time(110)), "the last known block time stays"


async def test_incidents_are_noted_with_their_commit(writer: Writer, make: Any, fetch: Any) -> None:
    incidents = [
        Incident(kind="truncated", slot=1, detail={"signature": "x\0"}),
        Incident(kind="b", slot=None, detail={}),
    ]
    await writer.commit(make.batch(1, incidents=incidents), epoch=None)
    assert await fetch("SELECT kind, slot, detail FROM heliograph.incidents ORDER BY id") == [
        ("truncated", 1, '{"signature": "x\u2400"}'),
        ("b", None, "{}"),
    ]


async def test_a_big_batch_is_written_in_one_commit(writer: Writer, make: Any, fetch: Any) -> None:
    records = [make.trade(slot, tx_index) for slot in range(50) for tx_index in range(100)]
    assert await writer.commit(make.batch(0, 49, records), epoch=None) == 1
    assert await fetch("SELECT count(*), count(DISTINCT (slot, tx_index)) FROM perps.trades") == [
        (5000, 5000)
    ]
    assert await fetch("SELECT row_count FROM heliograph.commits") == [(10_000,)]


def account(address: str, slot: int, **other: Any) -> AccountState:
    values: dict[str, Any] = {
        "lamports": 5,
        "data": b"\0\1",
        "name": "Market",
        "fields": {"a": 2**70, "b": "\0"},
    }
    return AccountState(address=address, program="Program", slot=slot, **{**values, **other})


def market_state(slot: int, mark: int) -> MarketState:
    return MarketState(
        stream="s",
        market="Market",
        account_slot=slot,
        mark_price=mark,  # type: ignore[arg-type]
        index_price=None,
        funding_rate=None,
        open_interest_long=None,
        open_interest_short=None,
    )


async def test_accounts_keep_the_newest_state(
    database: Database, writer: Writer, make: Any, fetch: Any
) -> None:
    described = [make.market(1), market_state(20, 7)]
    assert await writer.commit_accounts([account("Market", 20)], described, through=20, epoch=None) == 1
    assert (
        await writer.commit_accounts(
            [account("Market", 19, lamports=1)],
            [make.market(1, symbol="OLD"), market_state(19, 1)],
            through=None,
            epoch=None,
        )
        == 2
    )
    assert await fetch("SELECT slot, lamports, fields FROM heliograph.accounts") == [
        (20, 5, f'{{"a": {2**70}, "b": "\u2400"}}')
    ]
    assert await fetch("SELECT symbol, account_slot, mark_price FROM perps.markets") == [("SOL-PERP", 20, 7)]
    assert await fetch("SELECT kind, first_slot, last_slot FROM heliograph.commits ORDER BY seq") == [
        ("accounts", 20, 20),
        ("accounts", 19, 19),
    ]
    stream = await get_stream(database, "s")
    assert stream is not None and stream.accounts_through == 20 and stream.head_slot is None


async def test_a_closed_account_keeps_a_row(writer: Writer, fetch: Any) -> None:
    await writer.commit_accounts([account("A", 1)], [], through=None, epoch=None)
    closed = account("A", 2, lamports=0, data=b"", name=None, fields=None, reason="closed")
    await writer.commit_accounts([closed], [], through=2, epoch=None)
    assert await fetch("SELECT slot, lamports, name, fields FROM heliograph.accounts") == [(2, 0, None, None)]


async def test_an_event_does_not_overrule_what_an_account_said_of_a_market(
    writer: Writer, make: Any, fetch: Any
) -> None:
    await writer.commit(make.batch(1, 1, [make.trade(1)], [make.market(1, symbol="BORN")]), epoch=None)
    await writer.commit_accounts(
        [account("Market", 5)], [make.market(1, symbol="NOW")], through=5, epoch=None
    )
    await writer.commit(make.batch(2, 2, [make.trade(2)], [make.market(1, symbol="LATE")]), epoch=None)
    assert await fetch("SELECT symbol, account_slot FROM perps.markets") == [("NOW", 5)]


async def test_the_latest_balance_wins_whenever_it_is_written(writer: Writer, make: Any, fetch: Any) -> None:
    await writer.commit(make.batch(9, 9, [], [make.balance(9, free=9)]), epoch=None)
    await writer.commit(make.batch(3, 4, [], [make.balance(4, free=4), make.balance(3, free=3)]), epoch=None)
    assert await fetch("SELECT free, updated_slot FROM perps.balances") == [(9, 9)]


async def test_accounts_of_an_old_epoch_are_refused(writer: Writer, database: Database, fetch: Any) -> None:
    await Lease(database, "s", "one").acquire()
    with pytest.raises(LeaseLost):
        await writer.commit_accounts([account("A", 1)], [], through=1, epoch=0)
    assert await fetch("SELECT count(*) FROM heliograph.accounts") == [(0,)]
