"""Batches of late history: spans are joined until a limit on rows, bytes or age closes the batch.

What is joined is one commit; it leaves memory only once that is made. Live spans are not joined: each is committed
as soon as it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import NamedTuple, TypeVar

from heliograph_sql.batch import Batch

T = TypeVar("T")


class BatchLimits(NamedTuple):
    """A batch closes as soon as one of them is reached; a single span may exceed them."""

    rows: int
    bytes: int
    age_s: float
    spans: int = 10**9
    """How many spans are joined at most: where only so many may be in hand, no further one comes before the commit."""


async def join_until_full(
    made: asyncio.Queue[Batch | None], full: asyncio.Queue[Batch | None], limits: BatchLimits
) -> None:
    """Moves batches from `made` to `full`, joined, until None comes, which is passed on."""
    loop = asyncio.get_running_loop()
    held: list[Batch] = []
    rows = size = 0
    closes_at = 0.0

    async def close() -> None:
        nonlocal rows, size
        if held:
            await full.put(join_batches(held))
            held.clear()
            rows = size = 0

    while True:
        try:
            async with asyncio.timeout_at(closes_at if held else None):
                batch = await made.get()
        except TimeoutError:
            await close()
            continue
        if batch is None:
            break
        if held and not _adjoins(held[-1], batch):
            await close()
        if not held:
            closes_at = loop.time() + limits.age_s
        held.append(batch)
        rows += count_rows(batch)
        size += count_bytes(batch)
        full_enough = rows >= limits.rows or size >= limits.bytes or len(held) >= limits.spans
        if full_enough or loop.time() >= closes_at:
            await close()
    await close()
    await full.put(None)


def join_batches(batches: Sequence[Batch]) -> Batch:
    """One batch of several adjacent ones, ascending, of one stream, origin and finality."""
    if len(batches) == 1:
        return batches[0]
    for one, other in pairwise(batches):
        if not _adjoins(one, other):
            raise ValueError(
                f"{one.stream} {one.first}..{one.last} cannot be joined with {other.first}..{other.last}"
            )
    return Batch(
        stream=batches[0].stream,
        first=batches[0].first,
        last=batches[-1].last,
        last_time=batches[-1].last_time,
        origin=batches[0].origin,
        final=batches[0].final,
        slots=_all(batch.slots for batch in batches),
        transactions=_all(batch.transactions for batch in batches),
        undecoded=_all(batch.undecoded for batch in batches),
        events=_all(batch.events for batch in batches),
        instructions=_all(batch.instructions for batch in batches),
        records=_all(batch.records for batch in batches),
        states=_all(batch.states for batch in batches),
        incidents=_all(batch.incidents for batch in batches),
        originals={place: raw for batch in batches for place, raw in batch.originals.items()},
    )


def count_rows(batch: Batch) -> int:
    """Rows that the batch writes, states and slots aside."""
    events = len(batch.records) + len(batch.events) + len(batch.undecoded)
    return len(batch.transactions) + len(batch.instructions) + events


def count_bytes(batch: Batch) -> int:
    """Bytes of what is large in memory: log lines and event data."""
    lines = sum(len(line) for row in batch.transactions for line in row.transaction.logs or ())
    return lines + sum(len(raw.data) for raw in batch.originals.values())


def _adjoins(one: Batch, other: Batch) -> bool:
    same = (one.stream, one.origin, one.final) == (other.stream, other.origin, other.final)
    return same and other.first == one.last + 1


def _all(parts: Iterable[Sequence[T]]) -> list[T]:
    return list(chain.from_iterable(parts))
