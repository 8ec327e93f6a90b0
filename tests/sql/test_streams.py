"""Streams: added once, never by a name that hurts, read back as they are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from heliograph_core.errors import SettingsError
from heliograph_core.intervals import SlotSet
from heliograph_sql.database import Database
from heliograph_sql.streams import (
    StreamRow,
    add_stream,
    extend_down,
    get_stream,
    list_streams,
    read_coverage,
)


async def add(database: Database, name: str = "godark", **other: Any) -> StreamRow:
    values: dict[str, Any] = {"protocol": "godark", "programs": ["B", "A"], "first_slot": 7}
    return await add_stream(database, name, **{**values, **other})


async def test_a_stream_is_read_back_as_it_was_added(database: Database) -> None:
    added = await add(database)
    assert added == await get_stream(database, "godark")
    assert (added.name, added.protocol, added.programs, added.first_slot) == (
        "godark",
        "godark",
        ("B", "A"),
        7,
    )
    assert (added.seq, added.epoch, added.head_slot, added.final_slot, added.led) == (0, 0, None, None, False)
    assert await read_coverage(database, "godark") == SlotSet()


async def test_it_has_a_schema_of_its_name(database: Database, fetch: Any) -> None:
    await add(database)
    assert await fetch("SELECT count(*) FROM pg_namespace WHERE nspname = 'godark'") == [(1,)]


async def test_adding_it_again_changes_nothing(database: Database) -> None:
    first = await add(database)
    assert await add(database, programs=["A", "B"], first_slot=99) == first


async def test_processes_that_add_it_at_once_get_the_same_one(database: Database) -> None:
    rows = await asyncio.gather(*(add(database) for _ in range(5)))
    assert rows == [rows[0]] * 5
    assert await list_streams(database) == [rows[0]]


@pytest.mark.parametrize("other", [{"protocol": "drift"}, {"programs": ["A"]}])
async def test_another_stream_of_the_same_name_is_refused(database: Database, other: dict[str, Any]) -> None:
    await add(database)
    with pytest.raises(SettingsError, match="'godark' exists as godark of B, A"):
        await add(database, **other)


@pytest.mark.parametrize(
    "name", ["", "heliograph", "perps", "public", "pg_x", "Upper", "a-b", "1a", "a" * 64, "a b", "a;"]
)
async def test_a_name_that_cannot_be_a_schema_is_refused(database: Database, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be named so"):
        await add(database, name)


async def test_a_schema_that_is_somebody_else_s_is_left_alone(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute("CREATE SCHEMA mine")
    with pytest.raises(SettingsError, match="'mine': the database has a schema"):
        await add(database, "mine")
    assert await get_stream(database, "mine") is None


async def test_streams_are_listed_by_name(database: Database) -> None:
    for name in ("b", "a"):
        await add(database, name)
    assert [stream.name for stream in await list_streams(database)] == ["a", "b"]


async def test_a_stream_that_is_not_there_is_none(database: Database) -> None:
    assert await get_stream(database, "absent") is None
    assert await read_coverage(database, "absent") == SlotSet()


async def test_coverage_comes_back_as_ranges(database: Database) -> None:
    await add(database)
    async with database.acquire() as connection:
        await connection.execute("UPDATE heliograph.coverage SET slots = '{[1,4),[6,7)}'")
    assert await read_coverage(database, "godark") == SlotSet([(1, 3), (6, 6)])


@pytest.mark.parametrize(
    ("covered", "moved"),
    [
        ("{}", None),
        ("{[100,120)}", None),
        # Right below, and from there on.
        ("{[40,100)}", 40),
        ("{[40,120)}", 40),
        # A hole between: completeness still counts from where it did.
        ("{[40,99),[100,120)}", None),
        ("{[10,20),[40,120)}", 40),
    ],
)
async def test_completeness_counts_from_lower_slots_once_all_between_is_covered(
    database: Database, covered: str, moved: int | None
) -> None:
    await add(database, first_slot=100)
    async with database.acquire() as connection:
        await connection.execute(f"UPDATE heliograph.coverage SET slots = '{covered}'")
    before = (await read_coverage(database, "godark")).through(100)
    assert await extend_down(database, "godark") == moved
    stream = await get_stream(database, "godark")
    assert stream is not None and stream.first_slot == (moved or 100)
    after = (await read_coverage(database, "godark")).through(stream.first_slot)
    assert (after or 0) >= (before or 0)
    assert await extend_down(database, "godark") is None
