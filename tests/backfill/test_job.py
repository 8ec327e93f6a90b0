"""A job fills what is left of its range, tells how far it is, and moves first_slot only onto covered ground."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.endtoend.fetched import Fetched

from heliograph_backfill.job import BackfillJob, JobProgress
from heliograph_core.errors import RpcRefused, SettingsError
from heliograph_core.intervals import SlotSet
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings, RpcSettings
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, get_stream, read_coverage

GODARK = PROTOCOLS["godark"]


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=9, rate=40, traders=40, finalized_lag=4)) as net:
        await net.step(200)
        yield net


@pytest.fixture
async def stream(database: Database, net: Localnet) -> StreamRow:
    """Asked for from slot 100 of the localnet on."""
    return await add_stream(
        database,
        "godark",
        protocol="godark",
        programs=list(net.programs),
        first_slot=net.settings.first_slot + 100,
    )


class Jobs:
    """Makes jobs over slots counted from the localnet's first."""

    def __init__(self, database: Database, net: Localnet, stream: StreamRow, cluster: Cluster) -> None:
        self.database, self.net, self.stream, self._cluster = database, net, stream, cluster
        self.base = net.settings.first_slot

    def make(self, first: int, last: int, name: str = "job", piece_slots: int = 16) -> BackfillJob:
        settings = IndexerSettings(
            rpc_url=self.net.rpc_url,
            ws_url=self.net.ws_url,
            retry_s=0.01,
            retry_max_s=0.05,
            heal=HealSettings(piece_slots=piece_slots, poll_s=0.05, batch_age_s=0.2),
        )
        return BackfillJob(
            self.database,
            self.stream,
            GODARK,
            settings,
            self._cluster,
            first=self.base + first,
            last=self.base + last,
            holder=name,
        )

    async def state(self) -> tuple[int, int | None]:
        """first_slot and completeThrough, counted as the ranges."""
        row = await get_stream(self.database, "godark")
        assert row is not None
        through = (await read_coverage(self.database, "godark")).through(row.first_slot)
        return row.first_slot - self.base, None if through is None else through - self.base


@pytest.fixture
async def jobs(database: Database, net: Localnet, stream: StreamRow) -> AsyncIterator[Jobs]:
    async with RpcClient(net.rpc_url, RpcSettings(attempts=2, backoff_s=0.01)) as client:
        yield Jobs(database, net, stream, Cluster(client))


async def stored(database: Database) -> list[str]:
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT signature FROM heliograph.transactions")
    return sorted(row["signature"] for row in rows)


def expected(net: Localnet, first: int, last: int) -> list[str]:
    base = net.settings.first_slot
    rows = net.truth(base + last)["heliograph.transactions"]
    return sorted(row["signature"] for row in rows if row["slot"] >= base + first)


async def test_a_range_is_filled_and_told_of(database: Database, net: Localnet, jobs: Jobs) -> None:
    job = jobs.make(20, 150)
    assert job.progress.done == 0 and job.progress.slots_per_s is None and job.progress.eta_s is None
    await job.run()
    assert await stored(database) == expected(net, 20, 150)
    progress = job.progress
    assert progress.complete and progress.slots == progress.done == progress.filled == 131
    assert progress.transactions == len(expected(net, 20, 150)) and progress.rows > progress.transactions
    assert progress.slots_per_s and progress.eta_s == 0 and progress.commits > 5
    assert progress.piece is None and progress.trouble is None
    async with database.acquire() as connection:
        origins = await connection.fetch("SELECT DISTINCT origin FROM heliograph.commits")
        unaudited = await connection.fetchval("SELECT slots - audited FROM heliograph.coverage")
    assert [row["origin"] for row in origins] == ["backfill"]
    assert list(unaudited) == [], "what is final when it is fetched needs no audit"


async def test_a_cancelled_job_gives_up_its_claim_and_another_does_the_rest_only(
    database: Database, net: Localnet, jobs: Jobs
) -> None:
    fetched = Fetched(net)
    first = jobs.make(0, 180, "first")
    task = asyncio.create_task(first.run())
    async with asyncio.timeout(20):
        while True:
            if first.progress.commits >= 3:
                break
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM heliograph.claims") == 0
    covered = await read_coverage(database, "godark")
    before, asked = first.progress, fetched.slots()
    assert 0 < before.done == len(covered & SlotSet([(jobs.base, jobs.base + 180)])) < before.slots
    fetched.restart()
    second = jobs.make(0, 180, "second")
    await second.run()
    assert not [slot for slot in fetched.slots() if slot in covered]
    assert len(asked & fetched.slots()) <= 16, "more than a piece was in hand"
    assert second.progress.filled == 181 - before.done
    assert await stored(database) == expected(net, 0, 180)


async def test_jobs_of_several_processes_share_a_range_without_fetching_twice(
    database: Database, net: Localnet, jobs: Jobs
) -> None:
    fetched = Fetched(net)
    several = [jobs.make(0, 180, f"job {number}") for number in range(3)]
    await asyncio.gather(*(job.run() for job in several))
    assert fetched.twice() == []
    assert all(job.progress.complete and job.progress.filled for job in several)
    assert sum(job.progress.filled for job in several) == 181
    assert await stored(database) == expected(net, 0, 180)


async def test_completeness_reaches_down_only_over_covered_slots_and_never_falls_back(jobs: Jobs) -> None:
    assert await jobs.state() == (100, None)
    await jobs.make(100, 120).run()
    assert await jobs.state() == (100, 120)
    # History that does not reach up to it yet.
    far = jobs.make(10, 50)
    await far.run()
    assert await jobs.state() == (100, 120) and far.progress.first_slot is None
    # Newest first, first_slot follows piece by piece, and joins what was there.
    near = jobs.make(30, 99)
    task = asyncio.create_task(near.run())
    seen = []
    while not task.done():
        seen.append(await jobs.state())
    await task
    assert await jobs.state() == (10, 120) and near.progress.first_slot == jobs.base + 10
    assert {through for _, through in seen} == {120}
    firsts = [first for first, _ in seen]
    assert firsts == sorted(firsts, reverse=True)


async def test_a_complete_range_is_done_at_once_and_asks_for_nothing(net: Localnet, jobs: Jobs) -> None:
    await jobs.make(0, 60).run()
    fetched = Fetched(net)
    again = jobs.make(10, 50)
    await again.run()
    assert again.progress.complete and again.progress.filled == 0
    assert not fetched.signatures


async def test_what_the_endpoint_never_gives_ends_the_job_with_its_name(net: Localnet, jobs: Jobs) -> None:
    net.node.view.keep_slots = 60
    with pytest.raises(RpcRefused, match="keeps blocks from slot"):
        await jobs.make(0, 180).run()
    coverage = await read_coverage(jobs.database, "godark")
    assert coverage and coverage.ranges[0][0] >= net.node.view.first_available


async def test_a_range_that_is_none_is_refused(jobs: Jobs) -> None:
    with pytest.raises(SettingsError, match="no range"):
        jobs.make(10, 9)


def test_progress_is_complete_when_all_is_done() -> None:
    progress = JobProgress(1, 10, 10, 9, 9, 0, 0, 1, 3.0, 0.3, None, None, None)
    assert not progress.complete
