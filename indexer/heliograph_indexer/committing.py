"""Batches in, commits out: the next are encoded while others are sent, and several may be sent at once.

A database that is away is waited for, with the same batches in hand; another writer's slots are not written twice. At
once, batches are committed in whatever order their commits end, which is for history alone: nobody waits for its order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from heliograph_core.errors import DatabaseUnavailable, WriteConflict
from heliograph_core.records import EventRecord
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_sql.batch import Batch, Incident
from heliograph_sql.database import Database
from heliograph_sql.prepared import Prepared
from heliograph_sql.streams import read_coverage
from heliograph_sql.writer import Writer

SLOW_COMMIT_S = 2.0
"""A commit that takes longer is worth a line of the log."""

_log = structlog.get_logger(__name__)


class Committed(msgspec.Struct, frozen=True, gc=False):
    """One commit as it was made. last_time: unix seconds of the last block, where known."""

    seq: int
    first: int
    last: int
    last_time: int | None
    transactions: int
    rows: int


class Committer:
    """Commits batches of one stream. epoch: the lease's for the head's leader, None for any other writer.

    at_once: commits under way at once, each on a connection of its own; more than one only without an epoch.
    retry_s, retry_max_s: waits for a database that is away. on_commit is told of each commit after it was made. Incidents
    added to `incidents` go with the next commit.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        *,
        epoch: int | None,
        retry_s: float,
        retry_max_s: float,
        at_once: int = 1,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> None:
        if epoch is not None and at_once != 1:
            raise ValueError(
                f"stream {writer.stream}: the head's leader commits in order, not {at_once} at once"
            )
        self._database = database
        self._writer = writer
        self._epoch = epoch
        self._retry = (retry_s, retry_max_s)
        self._at_once = at_once
        self._on_commit = on_commit
        self.incidents: list[Incident] = []
        self.ready: asyncio.Queue[Prepared | None] = asyncio.Queue(1)
        """What is encoded and waits for a connection."""

    async def run(
        self, batches: asyncio.Queue[Batch | None], done: Callable[[Batch], None] = lambda batch: None
    ) -> None:
        """Until None comes and all before it is committed. done: called for each batch then. Raises LeaseLost, and what no
        retry mends.
        """
        # Made anew: one that was broken off may have left something in it.
        self.ready = asyncio.Queue(1)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._prepare(batches))
                for _ in range(self._at_once):
                    tasks.create_task(self._write(done))
        except BaseExceptionGroup as group:
            # The first failure is the cause; the others were cancelled for it.
            raise group.exceptions[0] from None

    async def _prepare(self, batches: asyncio.Queue[Batch | None]) -> None:
        while (batch := await batches.get()) is not None:
            await self.ready.put(await self._writer.prepare(batch))
        for _ in range(self._at_once):
            await self.ready.put(None)

    async def _write(self, done: Callable[[Batch], None]) -> None:
        while (prepared := await self.ready.get()) is not None:
            incidents, self.incidents = self.incidents, []
            if incidents:
                batch = prepared.batch
                batch = msgspec.structs.replace(batch, incidents=[*batch.incidents, *incidents])
                prepared = msgspec.structs.replace(prepared, batch=batch)
            await self._commit(prepared)
            done(prepared.batch)

    async def _commit(self, prepared: Prepared) -> None:
        """Until the batch's slots are covered, by this commit or by another writer's."""
        backoff = Backoff(*self._retry)
        parts = [prepared]
        now = asyncio.get_running_loop().time
        while parts:
            began = now()
            batch = parts[0].batch
            try:
                seq = await self._writer.commit(parts[0], epoch=self._epoch)
            except WriteConflict as error:
                _log.info("write_conflict", stream=self._writer.stream, first=batch.first, why=str(error))
                left = await self._uncovered(batch, backoff)
                if left and left[0] is batch:
                    await asyncio.sleep(backoff.next())
                else:
                    parts[:1] = [await self._writer.prepare(part) for part in left]
            except DatabaseUnavailable as error:
                wait = backoff.next()
                _log.warning(
                    "database_away", stream=self._writer.stream, why=str(error), retry_in_s=round(wait, 2)
                )
                await asyncio.sleep(wait)
            else:
                parts.pop(0)
                self._log_if_slow(batch, now() - began)
                self._tell(batch, seq)

    def _log_if_slow(self, batch: Batch, seconds: float) -> None:
        if seconds > SLOW_COMMIT_S:
            _log.warning(
                "slow_database",
                stream=self._writer.stream,
                first=batch.first,
                last=batch.last,
                rows=len(batch.records) + len(batch.events),
                took_s=round(seconds, 2),
            )

    async def _uncovered(self, batch: Batch, backoff: Backoff) -> list[Batch]:
        """The batch cut to what nobody has covered yet."""
        while True:
            try:
                coverage = await read_coverage(self._database, self._writer.stream)
                break
            except DatabaseUnavailable:
                await asyncio.sleep(backoff.next())
        gaps = coverage.gaps(batch.first, batch.last).ranges
        if gaps == ((batch.first, batch.last),):
            return [batch]
        return [cut_batch(batch, first, last) for first, last in gaps]

    def _tell(self, batch: Batch, seq: int) -> None:
        if self._on_commit is None:
            return
        rows = len(batch.records) + len(batch.undecoded)
        self._on_commit(
            Committed(seq, batch.first, batch.last, batch.last_time, len(batch.transactions), rows)
        )


def cut_batch(batch: Batch, first: int, last: int) -> Batch:
    """The part of a batch that lies in first..last. States are kept: storing one twice changes nothing. Pure."""

    def inside(slot: int) -> bool:
        return first <= slot <= last

    return msgspec.structs.replace(
        batch,
        first=first,
        last=last,
        last_time=batch.last_time if last == batch.last else None,
        slots=[slot for slot in batch.slots if inside(slot.number)],
        transactions=[row for row in batch.transactions if inside(row.slot)],
        events=[event for event in batch.events if inside(event.key.slot)],
        instructions=[call for call in batch.instructions if inside(call.slot)],
        undecoded=[row for row in batch.undecoded if inside(row.key.slot)],
        records=[row for row in batch.records if isinstance(row, EventRecord) and inside(row.slot)],
    )
