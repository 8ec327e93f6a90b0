"""The summary: what one reads in a line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from heliograph_cli.summary import Rate, Summary, duration, line_of, line_of_counts
from heliograph_indexer.indexer_status import IndexerStatus
from heliograph_sql.database import Database
from heliograph_sql.progress import Counts, Progress
from heliograph_sql.streams import add_stream


def stream(**changes: object) -> Progress:
    usual: dict[str, object] = {
        "name": "godark",
        "protocol": "godark",
        "programs": ["A"],
        "first_slot": 100,
        "seq": 5,
        "head_slot": 107,
        "head_time": None,
        "final_slot": None,
        "accounts_through": None,
        "leader": "host:1:ab",
        "behind_s": 1.0,
        "complete_through": 107,
        "gaps": 0,
    }
    return Progress(**{**usual, **changes})  # type: ignore[arg-type]


def indexer(state: str, head: int, committed: int, **troubles: str) -> IndexerStatus:
    return IndexerStatus("godark", state, head, committed, None, 0, 0, 0, 0, None, **troubles)  # type: ignore[arg-type]


def rate() -> Rate:
    found = Rate()
    found.add(1000, 3, now=10.0)
    found.add(500, 5, now=12.0)
    return found


def test_an_indexer_that_keeps_up_is_a_slot_and_a_rate() -> None:
    assert line_of(stream(), rate()).plain == "godark  slot 107  1,500 rows (250/s)"


def test_one_reading_gives_no_rate() -> None:
    once = Rate()
    once.add(7, 1, now=1.0)
    assert line_of(stream(), once).plain == "godark  slot 107  7 rows"


def test_a_stream_without_rows_says_so() -> None:
    assert line_of(stream(head_slot=None), Rate()).plain == "godark  nothing indexed yet"


def test_gaps_are_told() -> None:
    told = line_of(stream(complete_through=103, gaps=2), rate()).plain
    assert "slot 107  complete through 103, 2 gaps  " in told


def test_being_behind_is_told_in_slots_where_the_cluster_is_known() -> None:
    assert "20 slots behind" in line_of(stream(), rate(), indexer("leading", 127, 107)).plain
    assert "behind" not in line_of(stream(behind_s=90.0), rate(), indexer("leading", 108, 107)).plain
    assert "90 s behind" in line_of(stream(behind_s=90.0), rate()).plain


@pytest.mark.parametrize("head_slot", [107, None])
def test_a_cluster_that_does_not_answer_is_named(head_slot: int | None) -> None:
    trouble = "getSlot at http://127.0.0.1:1:\n refused"
    told = line_of(stream(head_slot=head_slot), rate(), indexer("leading", 107, 107, trouble=trouble)).plain
    assert told.endswith("  trouble with the cluster: getSlot at http://127.0.0.1:1: refused")


def test_notifications_that_do_not_come_are_told() -> None:
    told = line_of(stream(), rate(), indexer("leading", 107, 107, deaf="ws://127.0.0.1:1: refused")).plain
    assert told.endswith("  polling, without notifications: ws://127.0.0.1:1: refused")


def test_standing_by_names_who_leads() -> None:
    told = line_of(stream(), rate(), indexer("standby", 107, 107)).plain
    assert told.startswith("godark  standing by, host:1:ab leads  ")


async def test_a_failing_websocket_is_seen_without_asking_for_logs(database: Database) -> None:
    """The summary of a process whose indexer cannot open its WebSocket says so with each line."""
    await add_stream(database, "godark", protocol="godark", programs=["A"], first_slot=100)

    class Troubled:
        status = indexer("leading", 107, 107, deaf="WebSocket ws://a:2: refused")

    out = io.StringIO()
    summary = Summary(database, Console(file=out), {"godark": Troubled()})  # type: ignore[dict-item]
    summary._print_plain(await summary._read())
    (line,) = out.getvalue().splitlines()
    assert "godark" in line and line.endswith("  polling, without notifications: WebSocket ws://a:2: refused")


def test_counts_are_spelled_out() -> None:
    assert line_of_counts(Counts(3, 1200, 1500, 9, 8, 7, 6)).plain == (
        "3 markets, 1,200 open positions, 9 trades, 7 funding payments, 6 liquidations"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (400_000, "5 days")]
)
def test_durations_use_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
