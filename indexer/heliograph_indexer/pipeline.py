"""Spans in, commits out: read, decode and project, write. Bounded queues between the tasks.

A span leaves memory only once it is committed; nothing advances past one that failed. A database that is away is
waited for, with the same batch in hand; another writer's slots are not written twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec
import structlog

from heliograph_core.errors import DatabaseUnavailable, WriteConflict
from heliograph_core.records import EventRecord
from heliograph_core.slot import Span
from heliograph_indexer.batching import BatchLimits, join_until_full
from heliograph_indexer.decode import DecodedSlot, Layouts, decode_slot
from heliograph_indexer.projection import Projected, project_slots
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.batch import Batch, Incident, Origin, TransactionRow
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


class InHand:
    """Spans that are fetched, or being fetched, and not committed: what is fetched again when the process is killed."""

    def __init__(self, most: int | None) -> None:
        """most: spans; None where only the queues set a limit."""
        self._most = most
        self._ends: deque[int] = deque()
        self._less = asyncio.Event()

    async def room(self) -> None:
        """Returns once another span may be fetched."""
        while self._most is not None and len(self._ends) >= self._most:
            self._less.clear()
            await self._less.wait()

    def add(self, last: int) -> None:
        """A span that ends at slot `last` was fetched."""
        self._ends.append(last)

    def remove(self, through: int) -> None:
        """What is fetched through this slot is committed."""
        while self._ends and self._ends[0] <= through:
            self._ends.popleft()
        self._less.set()


class QueueDepth(NamedTuple):
    """How full a bounded queue is."""

    queue: str
    depth: int
    limit: int


class Pipeline:
    """Commits the spans of one source. epoch: the lease's for the head's leader, None for any other writer.

    limits: spans are joined to batches up to these; None commits each span by itself.
    spans_in_hand: fetched and not committed, at most; None: as the queues are. on_commit is told of each commit after it was made. Incidents handed to `incident()` go with the next commit.
    """

    def __init__(
        self,
        database: Database,
        stream: str,
        writer: Writer,
        protocol: Protocol,
        layouts: Layouts,
        settings: IndexerSettings,
        *,
        epoch: int | None,
        origin: Origin = "live",
        limits: BatchLimits | None = None,
        spans_in_hand: int | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> None:
        self._database = database
        self._stream = stream
        self._writer = writer
        self._protocol = protocol
        self._layouts = layouts
        self._settings = settings
        self._epoch = epoch
        self._origin: Origin = origin
        self._limits = limits
        self._spans_in_hand = spans_in_hand
        self._on_commit = on_commit
        self._incidents: list[Incident] = []
        self._queues: dict[str, asyncio.Queue[Any]] = {}

    @property
    def queues(self) -> tuple[QueueDepth, ...]:
        """Of what run() put between its stages."""
        return tuple(QueueDepth(name, queue.qsize(), queue.maxsize) for name, queue in self._queues.items())

    def incident(self, kind: str, slot: int | None, detail: dict[str, object]) -> None:
        """Records something that went wrong and was survived."""
        _log.warning("incident", stream=self._stream, kind=kind, slot=slot, **detail)
        self._incidents.append(Incident(kind=kind, slot=slot, detail=detail))

    async def run(self, spans: AsyncIterator[Span]) -> None:
        """Until the spans end. Raises what the source raises, LeaseLost, and what no retry mends."""
        read: asyncio.Queue[Span | None] = asyncio.Queue(self._settings.queue_spans)
        made: asyncio.Queue[Batch | None] = asyncio.Queue(self._settings.queue_spans)
        # The batch that waits here and the one being written are large already.
        full = made if self._limits is None else asyncio.Queue[Batch | None](1)
        in_hand = InHand(self._spans_in_hand)
        ready: asyncio.Queue[Prepared | None] = asyncio.Queue(1)
        self._queues = {"read": read, "decoded": made}
        if full is not made:
            self._queues["batched"] = full
        self._queues["prepared"] = ready
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_feed(spans, read, in_hand))
                tasks.create_task(self._decode(read, made))
                if self._limits is not None:
                    tasks.create_task(join_until_full(made, full, self._limits))
                tasks.create_task(self._prepare(full, ready))
                tasks.create_task(self._write(ready, in_hand))
        except BaseExceptionGroup as group:
            # The first failure is the cause; the others were cancelled for it.
            raise group.exceptions[0] from None

    async def _decode(self, read: asyncio.Queue[Span | None], made: asyncio.Queue[Batch | None]) -> None:
        while (span := await read.get()) is not None:
            slots = []
            for slot in span.slots:
                slots.append(decode_slot(slot, self._layouts))
                # Decoding is all computing: others get a turn after each slot.
                await asyncio.sleep(0)
            projected = project_slots(self._stream, slots, self._protocol)
            await made.put(make_batch(self._stream, span, slots, projected, self._origin))
        await made.put(None)

    async def _prepare(
        self, made: asyncio.Queue[Batch | None], ready: asyncio.Queue[Prepared | None]
    ) -> None:
        while (batch := await made.get()) is not None:
            await ready.put(await self._writer.prepare(batch))
        await ready.put(None)

    async def _write(self, ready: asyncio.Queue[Prepared | None], in_hand: InHand) -> None:
        while (prepared := await ready.get()) is not None:
            incidents, self._incidents = self._incidents, []
            if incidents:
                batch = prepared.batch
                batch = msgspec.structs.replace(batch, incidents=[*batch.incidents, *incidents])
                prepared = msgspec.structs.replace(prepared, batch=batch)
            await self._commit(prepared)
            in_hand.remove(prepared.batch.last)

    async def _commit(self, prepared: Prepared) -> None:
        """Until the batch's slots are covered, by this commit or by another writer's."""
        backoff = Backoff(self._settings.retry_s, self._settings.retry_max_s)
        parts = [prepared]
        now = asyncio.get_running_loop().time
        while parts:
            began = now()
            batch = parts[0].batch
            try:
                seq = await self._writer.commit(parts[0], epoch=self._epoch)
            except WriteConflict as error:
                _log.info("write_conflict", stream=self._stream, first=batch.first, why=str(error))
                left = await self._uncovered(batch, backoff)
                if left and left[0] is batch:
                    await asyncio.sleep(backoff.next())
                else:
                    parts[:1] = [await self._writer.prepare(part) for part in left]
            except DatabaseUnavailable as error:
                wait = backoff.next()
                _log.warning("database_away", stream=self._stream, why=str(error), retry_in_s=round(wait, 2))
                await asyncio.sleep(wait)
            else:
                parts.pop(0)
                self._log_if_slow(batch, now() - began)
                self._tell(batch, seq)

    def _log_if_slow(self, batch: Batch, seconds: float) -> None:
        if seconds > SLOW_COMMIT_S:
            _log.warning(
                "slow_database",
                stream=self._stream,
                first=batch.first,
                last=batch.last,
                rows=len(batch.records) + len(batch.events),
                took_s=round(seconds, 2),
            )

    async def _uncovered(self, batch: Batch, backoff: Backoff) -> list[Batch]:
        """The batch cut to what nobody has covered yet."""
        while True:
            try:
                coverage = await read_coverage(self._database, self._stream)
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


def make_batch(
    stream: str, span: Span, slots: Sequence[DecodedSlot], projected: Projected, origin: Origin
) -> Batch:
    """What one span writes. Pure."""
    return Batch(
        stream=stream,
        first=span.first,
        last=span.last,
        last_time=span.last_time,
        origin=origin,
        final=span.final,
        slots=[slot.slot for slot in slots],
        transactions=[
            TransactionRow(
                transaction=decoded.transaction,
                slot=slot.slot.number,
                block_time=slot.slot.block_time,
                err_name=decoded.error_name,
                truncated=decoded.truncated,
            )
            for slot in slots
            for decoded in slot.transactions
        ],
        events=[event for slot in slots for decoded in slot.transactions for event in decoded.events],
        instructions=[call for slot in slots for decoded in slot.transactions for call in decoded.calls],
        undecoded=projected.undecoded,
        records=projected.records,
        states=projected.states,
        incidents=projected.incidents,
        originals={
            (event.key.slot, event.key.tx_index, event.key.ordinal): raw
            for slot in slots
            for decoded in slot.transactions
            for event, raw in zip(decoded.events, decoded.raw, strict=True)
        },
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


async def _feed(spans: AsyncIterator[Span], read: asyncio.Queue[Span | None], in_hand: InHand) -> None:
    if isinstance(spans, AsyncGenerator):
        # Closed here, and not whenever the collector finds it.
        async with aclosing(spans):
            await _feed_all(spans, read, in_hand)
    else:
        await _feed_all(spans, read, in_hand)


async def _feed_all(spans: AsyncIterator[Span], read: asyncio.Queue[Span | None], in_hand: InHand) -> None:
    # A source fetches when it is asked: not before there is room.
    await in_hand.room()
    async for span in spans:
        in_hand.add(span.last)
        await read.put(span)
        await in_hand.room()
    await read.put(None)
