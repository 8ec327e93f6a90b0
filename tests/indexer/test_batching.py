"""Batches close on rows, bytes or age, and lose, double or reorder nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from heliograph_indexer.batching import BatchLimits, count_bytes, count_rows, join_batches, join_until_full
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.pipeline import make_batch
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_sql.batch import Batch

GODARK = PROTOCOLS["godark"]
WIDE = BatchLimits(rows=10**9, bytes=10**12, age_s=3600.0)


@dataclass
class Joining:
    """A running join: put() what was made, take() what is full."""

    made: asyncio.Queue[Batch | None]
    full: asyncio.Queue[Batch | None]

    async def put(self, *batches: Batch | None) -> None:
        for batch in batches:
            await self.made.put(batch)

    async def take(self) -> Batch | None:
        async with asyncio.timeout(5):
            return await self.full.get()


def joining(tasks: asyncio.TaskGroup, limits: BatchLimits) -> Joining:
    queues = Joining(asyncio.Queue(), asyncio.Queue())
    tasks.create_task(join_until_full(queues.made, queues.full, limits))
    return queues


@pytest.fixture
def batches(oracle_chain: Any) -> list[Batch]:
    """Four adjacent batches of three slots."""
    layouts = Layouts.of(GODARK)
    made = []
    for first in (100, 103, 106, 109):
        span = oracle_chain.span(first, first + 2)
        slots = [decode_slot(slot, layouts) for slot in span.slots]
        made.append(make_batch("godark", span, slots, project_slots("godark", slots, GODARK), "heal"))
    return made


async def test_what_is_joined_holds_every_row_once_and_in_order(batches: list[Batch]) -> None:
    joined = join_batches(batches)
    assert (joined.first, joined.last, joined.last_time) == (100, 111, batches[-1].last_time)
    assert [slot.number for slot in joined.slots] == list(range(100, 112))
    assert [row.slot for row in joined.transactions] == list(range(100, 112))
    assert list(joined.records) == [record for batch in batches for record in batch.records]
    assert len(joined.originals) == 12 and count_rows(joined) == sum(map(count_rows, batches))
    assert count_bytes(joined) == sum(map(count_bytes, batches)) > 0


async def test_what_does_not_adjoin_is_not_joined(batches: list[Batch]) -> None:
    with pytest.raises(ValueError, match=r"100\.\.102 cannot be joined with 106\.\.108"):
        join_batches([batches[0], batches[2]])
    final = msgspec.structs.replace(batches[1], final=True)
    async with asyncio.TaskGroup() as tasks:
        queues = joining(tasks, WIDE)
        await queues.put(batches[0], final, batches[3], None)
        assert [await queues.take() for _ in range(4)] == [batches[0], final, batches[3], None]


async def test_a_batch_closes_on_rows(batches: list[Batch]) -> None:
    async with asyncio.TaskGroup() as tasks:
        queues = joining(tasks, WIDE._replace(rows=count_rows(batches[0]) + 1))
        await queues.put(*batches[:3], None)
        first, second = await queues.take(), await queues.take()
        assert first is not None and (first.first, first.last) == (100, 105)
        assert second is not None and (second.first, second.last) == (106, 108)
        assert await queues.take() is None


async def test_a_batch_closes_on_bytes(batches: list[Batch]) -> None:
    async with asyncio.TaskGroup() as tasks:
        queues = joining(tasks, WIDE._replace(bytes=count_bytes(batches[0])))
        await queues.put(*batches, None)
        assert [await queues.take() for _ in range(5)] == [*batches, None]


async def test_a_batch_closes_on_age_though_nothing_more_comes(batches: list[Batch]) -> None:
    async with asyncio.TaskGroup() as tasks:
        queues = joining(tasks, WIDE._replace(age_s=0.02))
        await queues.put(batches[0], batches[1])
        first = await queues.take()
        assert first is not None and (first.first, first.last) == (100, 105)
        await queues.put(None)
        assert await queues.take() is None


async def test_a_batch_closes_on_spans(batches: list[Batch]) -> None:
    async with asyncio.TaskGroup() as tasks:
        queues = joining(tasks, WIDE._replace(spans=2))
        await queues.put(*batches, None)
        assert [(one.first, one.last) for one in [await queues.take(), await queues.take()] if one] == [
            (100, 105),
            (106, 111),
        ]
