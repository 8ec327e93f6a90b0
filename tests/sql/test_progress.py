"""What the database says of how far a stream is."""

from __future__ import annotations

import pytest

from heliograph_sql.database import Database
from heliograph_sql.progress import read_progress, read_tallies
from heliograph_sql.streams import add_stream, bind_genesis, get_stream

REASONS = {
    "unknown": "no event of godark_vault begins with 0011223344556677",
    "layout": "Deposited ends at byte 40, but 3 more bytes follow",
    "ambiguous": "IDL a and IDL b both read these bytes, differently, and IDL c, which is in force, does not",
    "projection": "PositionOpened cannot be projected: KeyError: 'size'",
    "refused": "perps.trades: price is out of range",
}


@pytest.fixture
async def stream(database: Database) -> str:
    await add_stream(database, "godark", protocol="godark", programs=["A"], first_slot=100)
    return "godark"


async def test_a_stream_without_a_commit_knows_nothing_and_has_no_gap(
    database: Database, stream: str
) -> None:
    (progress,) = await read_progress(database)
    assert (progress.head_slot, progress.complete_through, progress.gaps) == (None, None, 0)
    assert (progress.leader, progress.lease_s, progress.dirty) == (None, None, 0)


async def test_gaps_and_completeness_are_counted_from_the_first_slot(database: Database, stream: str) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE heliograph.coverage SET slots = '{[50,60),[100,111),[115,121),[130,131)}'"
        )
        await connection.execute("UPDATE heliograph.streams SET head_slot = 130, head_time = now()")
    (progress,) = await read_progress(database)
    assert (progress.complete_through, progress.gaps, progress.gap_slots) == (110, 2, 13)


async def test_reasons_without_end_are_counted_as_few(database: Database, stream: str) -> None:
    async with database.acquire() as connection:
        for number, reason in enumerate(REASONS.values()):
            await connection.execute(
                "INSERT INTO heliograph.undecoded VALUES ($1, now(), 100, 0, $2, 'sig', 'A', 'data', '', $3)",
                stream,
                number,
                reason,
            )
    tallies = await read_tallies(database)
    assert tallies.undecoded == {"godark": dict.fromkeys(REASONS, 1)}


async def test_a_genesis_is_bound_once(database: Database, stream: str) -> None:
    assert await bind_genesis(database, stream, "one") == "one"
    assert await bind_genesis(database, stream, "two") == "one"
    row = await get_stream(database, stream)
    assert row is not None and row.genesis == "one"
