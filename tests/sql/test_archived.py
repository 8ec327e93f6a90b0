"""Slots that an archive wrote cover nothing, and go as soon as somebody covers them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from heliograph_core.errors import WriteConflict
from heliograph_sql.archived import read_stored
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, read_coverage
from heliograph_sql.writer import Writer


@pytest.fixture
def archive(database: Database, stream: StreamRow) -> Writer:
    return Writer(database, "s", "archive")


async def test_an_archive_covers_nothing_and_moves_no_head(
    archive: Writer, make: Any, fetch: Any, database: Database
) -> None:
    assert await archive.add_archived(make.batch(5, 5, [make.trade(5)], origin="backfill")) == 1
    assert not await read_coverage(database, "s")
    assert await fetch("SELECT seq, head_slot FROM heliograph.streams") == [(1, None)]
    assert await fetch("SELECT slot, seq FROM heliograph.slots") == [(5, 1)]
    assert await fetch("SELECT kind, origin, first_slot FROM heliograph.commits") == [
        ("apply", "backfill", 5)
    ]
    assert await fetch("SELECT slot FROM perps.trades") == [(5,)]


@pytest.mark.parametrize("epoch", [0, None])
async def test_who_covers_the_slot_writes_it_whole(
    archive: Writer, writer: Writer, make: Any, fetch: Any, epoch: int | None
) -> None:
    """epoch 0 is the leader's of a stream that nobody led before."""
    wrong = [make.trade(5, 7), make.change(5, tx_index=7), make.trade(6)]
    await archive.add_archived(make.batch(5, 6, wrong))
    await writer.commit(make.batch(4, 5, [make.trade(5, 1)]), epoch=epoch)
    assert await fetch("SELECT slot, tx_index FROM perps.trades ORDER BY slot") == [(5, 1), (6, 0)]
    assert await fetch("SELECT slot, tx_index FROM heliograph.transactions ORDER BY slot") == [(5, 1), (6, 0)]
    assert await fetch("SELECT slot FROM heliograph.signatures ORDER BY slot") == [(5,), (6,)]
    assert await fetch("SELECT slot FROM perps.position_changes") == []
    assert await fetch("SELECT slot, seq FROM heliograph.slots ORDER BY slot") == [(5, 2), (6, 1)]
    kinds = await fetch("SELECT kind, first_slot, last_slot FROM heliograph.commits ORDER BY seq")
    assert kinds == [("apply", 5, 6), ("correct", 4, 5)]


async def test_a_slot_that_turns_out_empty_is_emptied(
    archive: Writer, writer: Writer, make: Any, fetch: Any
) -> None:
    await archive.add_archived(make.batch(5, 5, [make.trade(5)]))
    await writer.commit(make.batch(1, 9), epoch=None)
    assert await fetch("SELECT slot FROM perps.trades") == []
    assert await fetch("SELECT slot FROM heliograph.slots") == []


async def test_an_archive_of_a_covered_slot_is_refused(
    archive: Writer, writer: Writer, make: Any, fetch: Any
) -> None:
    await writer.commit(make.batch(5, 5), epoch=None)
    with pytest.raises(WriteConflict, match="slot 5 was covered"):
        await archive.add_archived(make.batch(4, 5, [make.trade(4), make.trade(5)]))
    assert await fetch("SELECT slot FROM perps.trades") == []


async def test_two_archives_may_hold_parts_of_one_slot_and_none_is_stored_twice(
    archive: Writer, make: Any, fetch: Any, database: Database
) -> None:
    await archive.add_archived(make.batch(5, 5, [make.trade(5)]))
    await archive.add_archived(make.batch(5, 5, [make.trade(5, 1)]))
    with pytest.raises(WriteConflict):
        await archive.add_archived(make.batch(5, 5, [make.trade(5)]))
    assert await fetch("SELECT tx_index FROM perps.trades ORDER BY tx_index") == [(0,), (1,)]
    stored = await read_stored(database, "s", [4, 5])
    assert stored.covered == frozenset()
    assert stored.signatures == {5: {"sig5-0": 0, "sig5-1": 1}}


async def test_an_archive_that_comes_while_its_slots_are_being_covered_doubles_nothing(
    archive: Writer, writer: Writer, make: Any, fetch: Any
) -> None:
    async def cover(first: int) -> None:
        while True:
            try:
                await writer.commit(make.batch(first, first + 4, [make.trade(first + 1)]), epoch=None)
            except WriteConflict:
                continue
            return

    async def add(slot: int) -> None:
        try:
            await archive.add_archived(make.batch(slot, slot, [make.trade(slot, 3), make.trade(slot)]))
        except WriteConflict:
            return

    await asyncio.gather(*(job for first in range(1, 100, 5) for job in (cover(first), add(first + 1))))
    rows = await fetch("SELECT slot, tx_index FROM perps.trades ORDER BY slot, tx_index")
    assert rows == [(first + 1, 0) for first in range(1, 100, 5)]
    assert await fetch("SELECT count(*) FROM heliograph.transactions") == [(len(rows),)]
