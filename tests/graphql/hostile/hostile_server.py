"""The server under attack: `heliograph serve` in a process of its own, with the limits that docs/gateway.md recommends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from tests.cli.process import Heliograph

SETTINGS = """
[api]
statement_timeout_s = 1.0
operation_timeout_s = 3.0

[gateway]
address_requests_per_minute = {rate}
requests_at_once = 2
live_connections_per_caller = 20
silent_connections = 500
head_timeout_s = 5
write_timeout_s = 2
access_log = false
"""


class Attacked:
    """The running server: its address, and how much memory it holds."""

    def __init__(self, command: Heliograph, url: str) -> None:
        self.command = command
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self._process = psutil.Process(command.process.pid)

    @property
    def megabytes(self) -> float:
        return float(self._process.memory_info().rss) / 2**20


@contextlib.contextmanager
def attacked(folder: Path, database_url: str, rate: int) -> Iterator[Attacked]:
    (folder / "heliograph.toml").write_text(SETTINGS.format(rate=rate))
    command = Heliograph(
        folder, ("serve", "--database", database_url, "--port", "0", "--log-file", str(folder / "log"))
    )
    try:
        found = command.await_output(r"http://127\.0\.0\.1:\d+")
        yield Attacked(command, found[0])
    finally:
        command.stop()


@contextlib.contextmanager
def good_client(url: str, key: str, pause_ms: int, into: list[dict[str, list[float]]]) -> Iterator[None]:
    """Runs the good client beside the block; what it measured is appended to `into`."""
    script = Path(__file__).with_name("good_client.py")
    process = subprocess.Popen(
        [sys.executable, str(script), f"{url}/graphql", key, str(pause_ms)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONWARNINGS": "default"},
    )  # fmt: skip
    try:
        yield
    finally:
        told, _ = process.communicate(timeout=90)
        into.append(json.loads(told))


def p99(milliseconds: list[float]) -> float:
    return sorted(milliseconds)[int(len(milliseconds) * 0.99)]


def errors_in(log: Path) -> list[str]:
    """Lines of the log that tell of a defect."""
    text = log.read_text() if log.exists() else ""
    return [line for line in text.splitlines() if re.search(r"\[(error|critical)", line)]
