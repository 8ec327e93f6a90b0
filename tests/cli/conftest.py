"""Fixtures for tests of the installed command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.process import Heliograph, Start


@pytest.fixture
def heliograph(tmp_path: Path) -> Iterator[Start]:
    """Starts `heliograph <arguments>` in a folder of its own; stopped after the test."""
    started: list[Heliograph] = []

    def start(*arguments: str) -> Heliograph:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Heliograph(folder, arguments))
        return started[-1]

    yield start
    for process in started:
        process.kill()
