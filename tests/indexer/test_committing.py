"""Commits of history, several at once, on a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from heliograph_core.errors import DatabaseError
from heliograph_indexer.committing import Committed, Committer, cut_batch
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.pipeline import make_batch
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_sql.batch import Batch
from heliograph_sql.database import Database
from heliograph_sql.prepared import Prepared
from heliograph_sql.streams import add_stream, read_coverage
from heliograph_sql.writer import Writer

GODARK = PROTOCOLS["godark"]
LAYOUTS = Layouts.of(GODARK)
SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'heliograph test' AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def writer(database: Database) -> Writer:
    programs = list(GODARK.programs.values())
    await add_stream(database, "godark", protocol="godark", programs=programs, first_slot=1)
    return Writer(database, "godark", "test")


def batch_of(chain: Any, first: int, last: int) -> Batch:
    span = chain.span(first, last)
    slots = [decode_slot(slot, LAYOUTS) for slot in span.slots]
    return make_batch("godark", span, slots, project_slots("godark", slots, GODARK), "backfill")


def queue_of(*batches: Batch) -> asyncio.Queue[Batch | None]:
    queue: asyncio.Queue[Batch | None] = asyncio.Queue()
    for batch in (*batches, None):
        queue.put_nowait(batch)
    return queue


async def test_so_many_commits_are_under_way_and_all_are_whole(
    database: Database, writer: Writer, oracle_chain: Any
) -> None:
    told: list[Committed] = []
    done: list[int] = []
    committer = Committer(
        database, writer, epoch=None, retry_s=0.01, retry_max_s=0.1, at_once=3, on_commit=told.append
    )
    batches = [batch_of(oracle_chain, first, first + 1) for first in range(1, 41, 2)]
    async with database.acquire() as connection, database.acquire() as other, asyncio.timeout(60):
        async with connection.transaction():
            # Nobody can write a row until this ends.
            await connection.execute("LOCK TABLE heliograph.signatures IN SHARE MODE")
            running = asyncio.create_task(
                committer.run(queue_of(*batches), lambda batch: done.append(batch.first))
            )
            # Not by the same one, which sees the sessions as they were when its transaction asked first.
            while await other.fetchval(SESSIONS) < 3:
                assert not running.done()
                await asyncio.sleep(0.01)
            assert told == []
        await running
        rows = await connection.fetch("SELECT slot FROM perps.oracle_prices ORDER BY slot")
    assert [row["slot"] for row in rows] == list(range(1, 41))
    assert (await read_coverage(database, "godark")).ranges == ((1, 40),)
    assert sorted(one.seq for one in told) == list(range(1, 21))
    assert sorted(done) == [batch.first for batch in batches]


async def test_what_no_retry_mends_ends_the_others_and_is_raised_as_it_is(
    database: Database, writer: Writer, oracle_chain: Any
) -> None:
    class Broken(Writer):
        async def commit(self, given: Batch | Prepared, *, epoch: int | None) -> int:
            assert isinstance(given, Prepared)
            if given.batch.first == 3:
                raise DatabaseError("broken")
            return await super().commit(given, epoch=epoch)

    committer = Committer(
        database, Broken(database, "godark", "test"), epoch=None, retry_s=0.01, retry_max_s=0.1, at_once=2
    )
    with pytest.raises(DatabaseError, match=r"^broken$"):
        await committer.run(queue_of(*(batch_of(oracle_chain, number, number) for number in range(1, 9))))
    assert (await read_coverage(database, "godark")).gaps(3, 3).ranges == ((3, 3),)


async def test_the_leader_commits_in_order(database: Database, writer: Writer) -> None:
    with pytest.raises(ValueError, match="in order, not 2 at once"):
        Committer(database, writer, epoch=1, retry_s=0.01, retry_max_s=0.1, at_once=2)


def test_a_cut_batch_holds_what_lies_inside(oracle_chain: Any) -> None:
    span = oracle_chain.span(1, 10)
    slots = [decode_slot(slot, LAYOUTS) for slot in span.slots]
    batch = make_batch("godark", span, slots, project_slots("godark", slots, GODARK), "live")
    cut = cut_batch(batch, 4, 6)
    assert (cut.first, cut.last, cut.last_time) == (4, 6, None)
    assert [slot.number for slot in cut.slots] == [4, 5, 6]
    assert [row.slot for row in cut.transactions] == [4, 5, 6] and len(cut.records) == 3
    assert cut_batch(batch, 4, 10).last_time == batch.last_time
