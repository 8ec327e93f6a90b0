"""The log limit, as Agave's log collector has it."""

from __future__ import annotations

from heliograph_localnet.logs import LOG_LIMIT, TRUNCATED, collect


def test_lines_that_fit_are_kept_as_they_are() -> None:
    lines = ["a" * 100] * 99
    collected = collect(lines)
    assert collected.lines == tuple(lines)
    assert not collected.lost


def test_the_line_that_reaches_the_limit_is_lost() -> None:
    assert collect(["a" * (LOG_LIMIT - 1)]).lost == frozenset()
    assert collect(["a" * LOG_LIMIT]) == collect(["b" * LOG_LIMIT])
    assert collect(["a" * LOG_LIMIT]).lines == (TRUNCATED,)


def test_the_mark_appears_once_and_shorter_lines_still_fit_after_it() -> None:
    collected = collect(["a" * 9_000, "b" * 2_000, "short", "c" * 5_000, "end"])
    assert collected.lines == ("a" * 9_000, TRUNCATED, "short", "end")
    assert collected.lost == {1, 3}


def test_the_limit_counts_bytes_and_not_characters() -> None:
    assert collect(["é" * 5_000]).lost == {0}
    assert collect(["é" * 4_999]).lost == frozenset()


def test_without_a_limit_nothing_is_lost() -> None:
    assert not collect(["a" * 50_000], None).lost
