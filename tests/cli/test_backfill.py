"""`heliograph backfill` as an operator runs it: beside live indexing, by slots or by time, refused with one line."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.cli.process import refused, run

from heliograph_backfill.job import JobProgress
from heliograph_cli.commands.backfill import line_of, pace_of, summary_of
from heliograph_core.intervals import SlotSet
from heliograph_indexer.pieces import Piece
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, get_stream, read_coverage

SLOTS = 400


@pytest.fixture
async def localnet() -> AsyncIterator[Localnet]:
    """A cluster whose newest slot is of now."""
    began = int(time.time()) - SLOTS // 4
    async with Localnet(LocalnetSettings(seed=3, rate=8, genesis_time=began)) as localnet:
        await localnet.step(SLOTS)
        yield localnet


@pytest.fixture
async def stream(database: Database, localnet: Localnet) -> StreamRow:
    """Asked for from the newest slot on."""
    return await add_stream(
        database,
        "godark",
        protocol="godark",
        programs=list(localnet.programs),
        first_slot=localnet.chain.slot_at(Commitment.CONFIRMED),
    )


@pytest.fixture
def file(localnet: Localnet, database_url: str, tmp_path: Path) -> str:
    path = tmp_path / "heliograph.toml"
    path.write_text(
        f"rpc = {{ url = {json.dumps(localnet.rpc_url)}, ws_url = {json.dumps(localnet.ws_url)} }}\n"
        f"database = {json.dumps(database_url)}\n[heal]\npoll_s = 0.1\npiece_slots = 50\n"
    )
    return str(path)


async def told(tmp_path: Path, file: str, *arguments: str) -> str:
    """What the command printed; it succeeded and complained of nothing."""
    done = await asyncio.to_thread(run, tmp_path, "backfill", "godark", *arguments, "--config", file)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def test_slots_are_filled_and_what_is_not_final_is_left(
    database: Database, localnet: Localnet, stream: StreamRow, tmp_path: Path, file: str
) -> None:
    first, final = localnet.settings.first_slot, localnet.chain.slot_at(Commitment.FINALIZED)
    text = await told(tmp_path, file, "--from", str(first), "--to", str(first + 99))
    assert await read_coverage(database, "godark") == SlotSet([(first, first + 99)])
    assert f"slots {first}..{first + 99} of godark are complete: 100 slots, " in text
    assert (
        f"still counts from slot {stream.first_slot}: {stream.first_slot - first - 100} slots below" in text
    )
    text = await told(tmp_path, file, "--from", str(first), "--to", str(final + 10))
    assert f"slot {final + 10} is not final yet: filling to slot {final}" in text
    assert await read_coverage(database, "godark") == SlotSet([(first, final)])
    assert re.search(
        rf"godark  {final - first + 1} of {final - first + 1} slots \(100\.0 %\)  complete", text
    )
    async with database.acquire() as connection:
        origins = await connection.fetch("SELECT DISTINCT origin FROM heliograph.commits")
        stored = await connection.fetchval("SELECT count(*) FROM heliograph.transactions")
        events = await connection.fetchval("SELECT count(*) FROM godark.oracle_price_updated")
    assert [row["origin"] for row in origins] == ["backfill"]
    truth = localnet.truth(final)
    assert stored == len(truth["heliograph.transactions"])
    assert events == len(truth["perps.oracle_prices"]) > 0


async def test_a_time_is_turned_into_a_slot_and_first_slot_moves_down_to_it(
    database: Database, localnet: Localnet, stream: StreamRow, tmp_path: Path, file: str
) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE heliograph.streams SET first_slot = $1", localnet.chain.slot_at(Commitment.FINALIZED) + 1
        )
    text = await told(tmp_path, file, "--since", "60s")
    found = re.search(r"UTC was slot (\d+)\n", text)
    assert found is not None
    first = int(found[1])
    wanted = time.time() - 60
    assert abs(localnet.chain.time_of(first) - wanted) < 30
    row = await get_stream(database, "godark")
    assert row is not None and row.first_slot == first
    assert f"godark is complete from slot {first} on" in text
    again = await told(tmp_path, file, "--from", str(first))
    assert " 0 slots, 0 transactions and 0 rows by this run" in again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("godark",), ("either --from SLOT or --since 7d",)),
        (("godark", "--from", "1", "--since", "1d"), ("either --from SLOT or --since 7d",)),
        (("godark", "--since", "soon"), ("'soon'", "as in 7d")),
        (("godark", "--from", "400000100", "--to", "400000099"), ("400000100..400000099",)),
        (("other", "--from", "1"), ("'other'", "heliograph stream list")),
    ],
)
async def test_what_cannot_be_done_is_refused_in_one_line(
    stream: StreamRow, tmp_path: Path, file: str, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    done = await asyncio.to_thread(run, tmp_path, "backfill", *arguments, "--config", file)
    refused(done, 2, *words)


def progress(**changes: object) -> JobProgress:
    values: dict[str, object] = {
        "first": 100, "last": 299, "slots": 200, "done": 50, "filled": 40, "transactions": 7, "rows": 21, "commits": 2,
        "slots_per_s": 10.0, "eta_s": 15.0, "piece": Piece(150, 199), "first_slot": None, "trouble": None,
    }  # fmt: skip
    return JobProgress(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "pace"),
    [
        ({}, "10 slots/s, 15 s left"),
        ({"slots_per_s": None, "eta_s": None}, "starting"),
        ({"piece": None}, "waiting for what others have claimed"),
        ({"trouble": "getSlot at http://x gave 429"}, "waiting: getSlot at http://x gave 429"),
        ({"done": 200, "piece": None}, "complete"),
    ],
)
def test_the_pace_says_what_is_going_on(changes: dict[str, object], pace: str) -> None:
    assert pace_of(progress(**changes)) == pace
    assert line_of(progress(**changes), "godark").endswith(pace)


def test_lines_count_slots_and_the_summary_counts_rows() -> None:
    assert line_of(progress(), "godark").startswith("godark  50 of 200 slots (25.0 %)  ")
    assert summary_of(progress(done=200), "godark", 3.2) == (
        "slots 100..299 of godark are complete: 40 slots, 7 transactions and 21 rows by this run in 3 s"
    )


async def test_on_a_terminal_there_is_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    from heliograph_cli.commands.backfill import _show

    class Job:
        progress = progress()

    job = Job()

    async def work() -> None:
        await asyncio.sleep(0.05)
        job.progress = progress(done=200, piece=None)

    console = Console(force_terminal=True, width=100)
    await _show(console, job, asyncio.create_task(work()), "godark")  # type: ignore[arg-type]
    shown = capsys.readouterr().out
    assert "━" in shown and "25.0 %" in shown and "100.0 %  complete" in shown
