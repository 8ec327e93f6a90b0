"""Log lines: whole, structured, few, and without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from heliograph_cli.logs import FLOOD_LINES, FLOOD_S, Sparing, configure_logs
from heliograph_core.errors import SettingsError


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_where_asked(tmp_path: Path) -> None:
    file = tmp_path / "log"
    configure_logs(verbose=False, file=file, form="json")
    structlog.get_logger("heliograph_test").info("live_begins", stream="godark", first=7, piece={1})
    logging.getLogger("foreign").warning("said %s", "so")
    own, foreign = map(json.loads, file.read_text().splitlines())
    assert own.pop("timestamp").endswith("Z")
    assert own == {
        "event": "live_begins",
        "stream": "godark",
        "first": 7,
        "piece": "{1}",
        "level": "info",
        "logger": "heliograph_test",
    }
    assert (foreign["event"], foreign["level"]) == ("said so", "warning")


def test_a_line_is_keys_and_values_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "log"
    configure_logs(verbose=False, file=file)
    structlog.get_logger("heliograph_test").info("live_begins", stream="godark", first=7)
    (line,) = file.read_text().splitlines()
    for part in ("[info", "live_begins", "first=7", "stream=godark"):
        assert part in line


def test_another_form_is_refused() -> None:
    with pytest.raises(SettingsError, match="HELIOGRAPH_LOG_FORMAT is 'xml'"):
        configure_logs(verbose=True, file=None, form="xml")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(sparing: Sparing, count: int, **values: object) -> list[dict[str, object]]:
    found = []
    for _ in range(count):
        try:
            found.append(dict(sparing(None, "warning", dict(values))))
        except structlog.DropEvent:
            continue
    return found


def test_what_comes_again_and_again_is_told_a_few_times_and_then_counted() -> None:
    clock = Clock()
    sparing = Sparing(clock)
    assert len(told(sparing, 1000, event="incident", kind="late_row")) == FLOOD_LINES
    assert told(sparing, 1, event="incident", kind="another") == [{"event": "incident", "kind": "another"}]
    clock.now = FLOOD_S
    (first,) = told(sparing, 1, event="incident", kind="late_row")
    assert first["suppressed"] == 1000 - FLOOD_LINES
    (second,) = told(sparing, 1, event="incident", kind="late_row")
    assert "suppressed" not in second


def test_events_without_end_take_no_memory_without_end() -> None:
    sparing = Sparing(Clock())
    for number in range(5000):
        told(sparing, 1, event="incident", kind=str(number))
    assert len(sparing._seen) <= 1000
