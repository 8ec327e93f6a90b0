"""The pipeline on a real database: every span committed once and whole, whatever the database or others do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from heliograph_core.errors import DatabaseUnavailable, LeaseLost, RpcRefused
from heliograph_core.slot import Span
from heliograph_indexer.batching import BatchLimits
from heliograph_indexer.committing import Committed
from heliograph_indexer.decode import Layouts
from heliograph_indexer.pipeline import Pipeline
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.batch import Batch
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.prepared import Prepared
from heliograph_sql.streams import add_stream, read_coverage
from heliograph_sql.writer import Writer

GODARK = PROTOCOLS["godark"]
LAYOUTS = Layouts.of(GODARK)
SETTINGS = IndexerSettings(rpc_url="http://127.0.0.1:1", retry_s=0.005, retry_max_s=0.02, queue_spans=2)


class Rig:
    """A stream, a leader's writer and what the pipeline told of its commits."""

    def __init__(self, database: Database, epoch: int) -> None:
        self.database = database
        self.epoch = epoch
        self.writer = Writer(database, "godark", "test")
        self.commits: list[Committed] = []
        self.committed = asyncio.Event()

    def pipeline(self, writer: Any = None) -> Pipeline:
        return Pipeline(
            self.database,
            "godark",
            writer or self.writer,
            GODARK,
            LAYOUTS,
            SETTINGS,
            epoch=self.epoch,
            on_commit=self._tell,
        )

    def _tell(self, commit: Committed) -> None:
        self.commits.append(commit)
        self.committed.set()

    async def slots(self) -> list[int]:
        async with self.database.acquire() as connection:
            rows = await connection.fetch("SELECT slot FROM perps.oracle_prices ORDER BY slot")
        return [row["slot"] for row in rows]

    async def ranges(self) -> tuple[tuple[int, int], ...]:
        return (await read_coverage(self.database, "godark")).ranges


@pytest.fixture
async def rig(database: Database) -> Rig:
    programs = list(GODARK.programs.values())
    await add_stream(database, "godark", protocol="godark", programs=programs, first_slot=1)
    epoch = await Lease(database, "godark", "test").acquire()
    assert epoch is not None
    return Rig(database, epoch)


async def stream(*spans: Span) -> AsyncIterator[Span]:
    for span in spans:
        yield span


async def test_spans_become_rows_coverage_and_numbered_commits(rig: Rig, oracle_chain: Any) -> None:
    spans = [oracle_chain.span(1, 5), Span(6, 9, ()), oracle_chain.span(10, 12)]
    await rig.pipeline().run(stream(*spans))
    assert await rig.slots() == [1, 2, 3, 4, 5, 10, 11, 12]
    assert await rig.ranges() == ((1, 12),)
    assert [(one.seq, one.first, one.last, one.transactions) for one in rig.commits] == [
        (1, 1, 5, 5),
        (2, 6, 9, 0),
        (3, 10, 12, 3),
    ]


async def test_a_database_that_was_away_gets_the_same_batch(rig: Rig, oracle_chain: Any) -> None:
    class Flaky(Writer):
        failures = 4

        async def commit(self, given: Batch | Prepared, *, epoch: int | None) -> int:
            if self.failures:
                self.failures -= 1
                raise DatabaseUnavailable("away")
            return await super().commit(given, epoch=epoch)

    writer = Flaky(rig.database, "godark", "test")
    await rig.pipeline(writer).run(stream(oracle_chain.span(1, 3), oracle_chain.span(4, 6)))
    assert await rig.slots() == [1, 2, 3, 4, 5, 6] and await rig.ranges() == ((1, 6),)


async def test_a_commit_whose_answer_was_lost_is_not_written_twice(rig: Rig, oracle_chain: Any) -> None:
    class Forgetful(Writer):
        async def commit(self, given: Batch | Prepared, *, epoch: int | None) -> int:
            await super().commit(given, epoch=epoch)
            raise DatabaseUnavailable("the connection broke behind COMMIT")

    writer = Forgetful(rig.database, "godark", "test")
    await rig.pipeline(writer).run(stream(oracle_chain.span(1, 3), oracle_chain.span(4, 6)))
    assert await rig.slots() == [1, 2, 3, 4, 5, 6] and await rig.ranges() == ((1, 6),)


async def test_slots_of_another_writer_are_left_alone(rig: Rig, oracle_chain: Any) -> None:
    other = Pipeline(
        rig.database, "godark", Writer(rig.database, "godark", "other"), GODARK, LAYOUTS, SETTINGS, epoch=None
    )
    await other.run(stream(oracle_chain.span(4, 6)))
    await rig.pipeline().run(stream(oracle_chain.span(1, 10), oracle_chain.span(11, 12)))
    assert await rig.slots() == list(range(1, 13)) and await rig.ranges() == ((1, 12),)
    assert [(one.first, one.last) for one in rig.commits] == [(1, 3), (7, 10), (11, 12)]


async def test_a_claim_of_another_writer_is_waited_for(rig: Rig, oracle_chain: Any) -> None:
    other = Writer(rig.database, "godark", "other")
    await other.claim(1, 5)
    healer = Pipeline(rig.database, "godark", rig.writer, GODARK, LAYOUTS, SETTINGS, epoch=None)
    running = asyncio.create_task(healer.run(stream(oracle_chain.span(1, 3))))
    await asyncio.sleep(0.1)
    assert not running.done() and await rig.slots() == []
    await other.release(1, 5)
    await running
    assert await rig.slots() == [1, 2, 3]


async def test_a_lost_lease_ends_the_pipeline(rig: Rig, oracle_chain: Any) -> None:
    async with rig.database.acquire() as connection:
        await connection.execute("UPDATE heliograph.streams SET epoch = epoch + 1")
    with pytest.raises(LeaseLost):
        await rig.pipeline().run(stream(oracle_chain.span(1, 3)))
    assert await rig.slots() == [] and await rig.ranges() == ()


async def test_what_the_source_refuses_ends_the_pipeline_behind_what_it_gave(
    rig: Rig, oracle_chain: Any
) -> None:
    async def failing() -> AsyncIterator[Span]:
        yield oracle_chain.span(1, 3)
        await rig.committed.wait()
        raise RpcRefused("no history")

    with pytest.raises(RpcRefused, match="no history"):
        await rig.pipeline().run(failing())
    assert await rig.ranges() == ((1, 3),)


async def test_a_stalled_database_stops_the_reading(rig: Rig, oracle_chain: Any) -> None:
    gate = asyncio.Event()

    class Stalled(Writer):
        async def commit(self, given: Batch | Prepared, *, epoch: int | None) -> int:
            await gate.wait()
            return await super().commit(given, epoch=epoch)

    read = 0

    async def endless() -> AsyncIterator[Span]:
        nonlocal read
        for number in range(1, 101):
            read = number
            yield oracle_chain.span(number, number)

    running = asyncio.create_task(rig.pipeline(Stalled(rig.database, "godark", "test")).run(endless()))
    for _ in range(200):
        await asyncio.sleep(0)
    # Two queues of two and one of one, one span in each hand.
    assert read <= 2 * SETTINGS.queue_spans + 1 + 4
    gate.set()
    await running
    assert await rig.ranges() == ((1, 100),)


@pytest.mark.parametrize("hand", [1, 2, 5])
async def test_no_more_is_fetched_than_may_be_in_hand(rig: Rig, oracle_chain: Any, hand: int) -> None:
    """What is fetched and not committed is fetched again after a kill."""
    read, most = 0, 0

    async def endless() -> AsyncIterator[Span]:
        nonlocal read, most
        for number in range(1, 41):
            read = number
            covered = await rig.ranges()
            most = max(most, number - (covered[-1][1] if covered else 0))
            yield oracle_chain.span(number, number)

    limits = BatchLimits(rows=10**9, bytes=10**12, age_s=3600.0, spans=max(1, hand - 1))
    pipeline = Pipeline(
        rig.database,
        "godark",
        rig.writer,
        GODARK,
        LAYOUTS,
        SETTINGS,
        epoch=None,
        limits=limits,
        spans_in_hand=hand,
    )
    async with asyncio.timeout(30):
        await pipeline.run(endless())
    assert most == hand
    assert await rig.ranges() == ((1, 40),)


async def test_incidents_go_with_the_next_commit(rig: Rig, oracle_chain: Any) -> None:
    pipeline = rig.pipeline()
    pipeline.incident("late_row", 7, {"signature": "x"})
    await pipeline.run(stream(oracle_chain.span(1, 2)))
    async with rig.database.acquire() as connection:
        rows = await connection.fetch("SELECT kind, slot FROM heliograph.incidents")
    assert [(row["kind"], row["slot"]) for row in rows] == [("late_row", 7)]


async def test_a_slow_database_is_a_line_of_the_log(
    rig: Rig, oracle_chain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heliograph_indexer.committing.SLOW_COMMIT_S", 0.0)
    with capture_logs() as lines:
        await rig.pipeline().run(stream(oracle_chain.span(1, 5)))
    slow = [line for line in lines if line["event"] == "slow_database"]
    assert slow and slow[0]["rows"] > 0 and slow[0]["took_s"] >= 0
