"""Spans in, commits out: read, decode and project, write (committing.py). Bounded queues between the tasks.

A span leaves memory only once it is committed; nothing advances past one that failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import structlog

from heliograph_core.slot import Span
from heliograph_indexer.batching import BatchLimits, join_until_full
from heliograph_indexer.committing import Committed, Committer
from heliograph_indexer.decode import DecodedSlot, Layouts, decode_slot
from heliograph_indexer.projection import Projected, project_slots
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.batch import Batch, Incident, Origin, TransactionRow
from heliograph_sql.database import Database
from heliograph_sql.writer import Writer

_log = structlog.get_logger(__name__)


class InHand:
    """Spans that are fetched, or being fetched, and not committed: what is fetched again when the process is killed."""

    def __init__(self, most: int | None) -> None:
        """most: spans; None where only the queues set a limit."""
        self._most = most
        self._ends: set[int] = set()
        self._less = asyncio.Event()

    async def room(self) -> None:
        """Returns once another span may be fetched."""
        while self._most is not None and len(self._ends) >= self._most:
            self._less.clear()
            await self._less.wait()

    def add(self, last: int) -> None:
        """A span that ends at slot `last` was fetched."""
        self._ends.add(last)

    def remove(self, first: int, last: int) -> None:
        """The spans of first..last are committed."""
        self._ends = {end for end in self._ends if not first <= end <= last}
        self._less.set()


class QueueDepth(NamedTuple):
    """How full a bounded queue is."""

    queue: str
    depth: int
    limit: int


class Pipeline:
    """Commits the spans of one source. epoch: the lease's for the head's leader, None for any other writer.

    limits: spans are joined to batches up to these; None commits each span by itself. at_once: commits under way at once.
    spans_in_hand: fetched and not committed, at most; None: as the queues are. on_commit is told of each commit after it
    was made. Incidents handed to `incident()` go with the next commit.
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
        at_once: int = 1,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> None:
        self._stream = stream
        self._protocol = protocol
        self._layouts = layouts
        self._settings = settings
        self._origin: Origin = origin
        self._limits = limits
        self._spans_in_hand = spans_in_hand
        self._committer = Committer(
            database,
            writer,
            epoch=epoch,
            retry_s=settings.retry_s,
            retry_max_s=settings.retry_max_s,
            at_once=at_once,
            on_commit=on_commit,
        )
        self._queues: dict[str, asyncio.Queue[Any]] = {}

    @property
    def queues(self) -> tuple[QueueDepth, ...]:
        """Of what run() put between its stages."""
        queues = {**self._queues, "prepared": self._committer.ready} if self._queues else {}
        return tuple(QueueDepth(name, queue.qsize(), queue.maxsize) for name, queue in queues.items())

    def incident(self, kind: str, slot: int | None, detail: dict[str, object]) -> None:
        """Records something that went wrong and was survived."""
        _log.warning("incident", stream=self._stream, kind=kind, slot=slot, **detail)
        self._committer.incidents.append(Incident(kind=kind, slot=slot, detail=detail))

    async def run(self, spans: AsyncIterator[Span]) -> None:
        """Until the spans end. Raises what the source raises, LeaseLost, and what no retry mends."""
        read: asyncio.Queue[Span | None] = asyncio.Queue(self._settings.queue_spans)
        made: asyncio.Queue[Batch | None] = asyncio.Queue(self._settings.queue_spans)
        # The batch that waits here and the one being written are large already.
        full = made if self._limits is None else asyncio.Queue[Batch | None](1)
        in_hand = InHand(self._spans_in_hand)
        self._queues = {"read": read, "decoded": made}
        if full is not made:
            self._queues["batched"] = full
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_feed(spans, read, in_hand))
                tasks.create_task(self._decode(read, made))
                if self._limits is not None:
                    tasks.create_task(join_until_full(made, full, self._limits))
                tasks.create_task(
                    self._committer.run(full, lambda batch: in_hand.remove(batch.first, batch.last))
                )
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
