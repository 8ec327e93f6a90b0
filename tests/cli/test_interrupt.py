"""Signals: the first one stops in order, the second stops without waiting; neither shows a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SCRIPT = """
import asyncio, sys
from contextlib import asynccontextmanager
from heliograph_cli.interrupt import leave_on_signal, run_until_stopped

leave_on_signal()

@asynccontextmanager
async def part(name, stopping):
    try:
        yield
    finally:
        print("stopping", name, flush=True)
        await stopping()
        print("stopped", name, flush=True)

async def at_once():
    pass

async def never():
    try:
        await asyncio.Event().wait()
    finally:
        print("gave up", flush=True)

async def main():
    async with part("database", at_once), part("indexer", STOPPING):
        print("ready", flush=True)
        await RUNNING()
    return 7

sys.exit(run_until_stopped(main()))
"""


@contextmanager
def running(*, stopping: str, running: str = "never") -> Iterator[subprocess.Popen[str]]:
    script = SCRIPT.replace("STOPPING", stopping).replace("RUNNING", running)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_part_in_order_with_status_0(number: signal.Signals) -> None:
    # Whoever runs the tests may ignore hang-ups, and what they start would inherit that.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with running(stopping="at_once") as process:
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert out.splitlines() == [
        "gave up",
        "stopping indexer",
        "stopped indexer",
        "stopping database",
        "stopped database",
    ]
    assert (process.returncode, err) == (0, "")


def test_a_second_signal_gives_up_waiting_but_leaves_no_part_out() -> None:
    with running(stopping="never") as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        for expected in ("gave up\n", "stopping indexer\n"):
            assert process.stdout.readline() == expected
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert out.splitlines() == ["gave up", "stopping database", "stopped database"]
    assert (process.returncode, err) == (130, "")


def test_ctrl_c_in_a_script_that_put_us_into_the_background_stops_us() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with running(stopping="at_once") as process:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.returncode == 0


def test_work_that_ends_by_itself_gives_its_status() -> None:
    with running(stopping="at_once", running="at_once") as process:
        process.communicate(timeout=30)
    assert process.returncode == 7
