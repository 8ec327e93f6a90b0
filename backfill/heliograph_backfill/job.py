"""A range on request: fills what of it is uncovered through the same path as the healer, and says how far it is.

Coverage is the only checkpoint: a job that was killed and is started again does what is left, and what its dead
predecessor had claimed once that claim has ended. Any number of jobs and a live indexer may run at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from heliograph_backfill.plan import make_plan
from heliograph_core.errors import DatabaseUnavailable, RpcUnavailable
from heliograph_core.intervals import SlotSet
from heliograph_indexer.committing import Committed
from heliograph_indexer.filling import Filler
from heliograph_indexer.genesis import bind_cluster
from heliograph_indexer.pieces import Piece
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, extend_down, read_coverage

RATE_WINDOW_S = 30.0
"""Over how long the rate is averaged: pieces differ, and the estimate should follow them."""

T = TypeVar("T")


class JobProgress(msgspec.Struct, frozen=True, gc=False):
    """How far a job is. Slots are counted, not rows: only they are known beforehand.

    slots: asked for. done: of them covered, whoever did it. filled, transactions, rows, commits: by this run.
    slots_per_s: of the last half minute, None before the first commit; eta_s: seconds until all is done at that
    rate. piece: what is under way; None while everything left is claimed by others. first_slot: from where
    completeness counts now, None where this run has not moved it. trouble: what is being waited for.
    """

    first: int
    last: int
    slots: int
    done: int
    filled: int
    transactions: int
    rows: int
    commits: int
    slots_per_s: float | None
    eta_s: float | None
    piece: Piece | None
    first_slot: int | None
    trouble: str | None

    @property
    def complete(self) -> bool:
        return self.done == self.slots


class BackfillJob:
    """Fills slots first..last of one stream, both inclusive."""

    def __init__(
        self,
        database: Database,
        stream: StreamRow,
        protocol: Protocol,
        settings: IndexerSettings,
        cluster: Cluster,
        *,
        first: int,
        last: int,
        holder: str,
    ) -> None:
        """last: a slot that the cluster has reached. holder: unique among all writers. Raises SettingsError, IdlError."""
        self._plan = make_plan(first, last, SlotSet())
        self._database = database
        self._stream = stream
        self._settings = settings
        self._cluster = cluster
        self._filler = Filler(
            database,
            stream,
            protocol,
            settings,
            cluster,
            holder=holder,
            origin="backfill",
            on_commit=self._committed,
        )
        self._filled = self._transactions = self._rows = self._commits = 0
        self._samples: deque[tuple[float, int]] = deque()
        self._first_slot: int | None = None

    @property
    def progress(self) -> JobProgress:
        """As of now; cheap."""
        plan, rate = self._plan, self._rate()
        return JobProgress(
            first=plan.first,
            last=plan.last,
            slots=plan.slots,
            done=plan.done,
            filled=self._filled,
            transactions=self._transactions,
            rows=self._rows,
            commits=self._commits,
            slots_per_s=rate,
            eta_s=len(plan.left) / rate if rate else None,
            piece=self._filler.piece,
            first_slot=self._first_slot,
            trouble=self._filler.trouble,
        )

    async def run(self) -> None:
        """Returns once all of the range is covered.

        Waits out what passes by itself; raises RpcRefused for what the endpoint will never answer.
        """
        first, last = self._plan.first, self._plan.last
        self._samples.append((self._now(), 0))
        await self._waited(lambda: bind_cluster(self._database, self._stream.name, self._cluster))
        await self._read_plan()
        while True:
            step = await self._filler.advance(first, last)
            await self._read_plan()
            # After each piece: newest first, completeness reaches further back with every one.
            lowered = await self._waited(lambda: extend_down(self._database, self._stream.name))
            if lowered is not None:
                self._first_slot = lowered
            if not step.left:
                return
            await asyncio.sleep(step.wait_s)

    async def _read_plan(self) -> None:
        coverage = await self._waited(lambda: read_coverage(self._database, self._stream.name))
        self._plan = make_plan(self._plan.first, self._plan.last, coverage)

    async def _waited(self, attempt: Callable[[], Awaitable[T]]) -> T:
        backoff = Backoff(self._settings.retry_s, self._settings.retry_max_s)
        while True:
            try:
                return await attempt()
            except (DatabaseUnavailable, RpcUnavailable):
                await asyncio.sleep(backoff.next())

    def _committed(self, commit: Committed) -> None:
        self._filled += commit.last - commit.first + 1
        self._transactions += commit.transactions
        self._rows += commit.rows
        self._commits += 1
        left = self._plan.left - SlotSet([(commit.first, commit.last)])
        self._plan = msgspec.structs.replace(self._plan, left=left)
        now = self._now()
        self._samples.append((now, self._filled))
        while len(self._samples) > 2 and now - self._samples[1][0] > RATE_WINDOW_S:
            self._samples.popleft()

    def _rate(self) -> float | None:
        if not self._filled:
            return None
        (then, before), now = self._samples[0], self._now()
        return (self._filled - before) / max(now - then, 1e-3)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
