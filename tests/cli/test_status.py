"""The table of `heliograph status`: whole at any width."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from heliograph_cli.commands.status import Report, document_of, tables_of
from heliograph_sql.progress import Progress, Tallies

GODARK = Progress(
    name="godark",
    protocol="godark",
    programs=["A", "B"],
    first_slot=400_000_000,
    seq=12_345,
    head_slot=400_010_000,
    head_time=datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC),
    final_slot=400_009_968,
    accounts_through=400_009_990,
    leader="indexer-7f9c4d5b8-x2x4z.production.example:1:0123abcd",
    behind_s=3.4,
    complete_through=400_009_000,
    gaps=2,
    epoch=3,
    genesis="5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    lease_s=4.25,
    complete_time=datetime(2026, 11, 22, 1, 0, 0, tzinfo=UTC),
    gap_slots=1500,
    dirty=7,
)
EMPTY = Progress("empty", "godark", [], 5, 0, None, None, None, None, None, None, None, 0)
TALLIES = Tallies({"godark": {"late_row": 3, "refused": 1}}, {"godark": {"unknown": 12}})


def report(*streams: Progress) -> Report:
    return Report("postgresql://db/x", "PostgreSQL 18.6", streams, TALLIES, 400_010_020)


def shown(width: int, *streams: Progress) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width)
    for table in tables_of(report(*streams), width):
        console.print(table, highlight=False)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_no_line_is_too_long_and_no_figure_is_cut(width: int, count: int) -> None:
    lines = shown(width, *(replace(GODARK, name=f"godark{number}") for number in range(count)))
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "…" not in text
    for number in range(count):
        assert f"godark{number}" in text
    for figure in ("400010000", "400009968", "400009000", "2026-11-22 01:00:00 UTC", "3 s, 20 slots"):
        assert text.count(figure) == count
    # Folded where it is too long: nothing of it is lost.
    assert count > 1 or (GODARK.leader or "") in "".join(text.split())


def test_one_stream_is_read_line_by_line() -> None:
    lines = {
        line[:17].strip(): line[17:].strip() for line in shown(80, GODARK) if line and not line[0].isspace()
    }
    assert lines["gaps"] == "2 of 1,500 slots"
    assert lines["dirty keys"] == "7"
    assert lines["incidents"] == "4"
    assert lines["undecoded"] == "12"


def test_what_is_unknown_is_a_dash() -> None:
    text = "\n".join(shown(80, EMPTY))
    assert "nobody" in text and "None" not in text


def test_the_document_has_it_all() -> None:
    document = document_of(report(GODARK, EMPTY))
    godark, empty = document["streams"]
    assert document["tier"] == "PostgreSQL 18.6"
    assert (godark["lag_slots"], godark["incidents"], godark["undecoded"]) == (
        20,
        {"late_row": 3, "refused": 1},
        {"unknown": 12},
    )
    assert (empty["lag_slots"], empty["incidents"], empty["complete_through"]) == (None, {}, None)


def test_accounts_that_were_not_read_yet_are_told_so() -> None:
    begun = "\n".join(shown(120, replace(GODARK, accounts_through=GODARK.first_slot - 1)))
    assert "none yet" in begun and "none yet" not in "\n".join(shown(120, GODARK))
