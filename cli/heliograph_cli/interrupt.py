"""Runs a coroutine until it ends or the user ends it: one Ctrl-C stops in order, a second stops without waiting."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any

import uvloop

from heliograph_cli.failure import INTERRUPTED


def _signals() -> tuple[signal.Signals, ...]:
    """Those that ask for a stop; a hang-up does too, unless nohup has it ignored.

    An ignored SIGINT is heeded all the same: a shell script ignores it for what it starts with `&`, and Ctrl-C in
    that script must not leave us behind.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return signal.SIGINT, signal.SIGTERM
    return signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def leave_on_signal() -> None:
    """From here on a signal that asks for a stop ends the process with status 0. For the time before there is anything to stop."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    for number in _signals():
        signal.signal(number, leave)


def run_until_stopped(main: Coroutine[Any, Any, int], *, stopped: int = 0) -> int:
    """Runs `main` on a new event loop and returns its exit status, or `stopped` where a signal ended it.

    Errors of `main` pass through.

    A signal cancels `main`, whose own `finally` and `async with` blocks stop what runs, in order. Another one
    cancels whatever they wait for, so that each block gives up its patience but none is left out.
    """
    # uvloop takes a third less time a request than asyncio's own loop.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_supervised(main, stopped))


async def _supervised(main: Coroutine[Any, Any, int], stopped: int) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(main, name="main")
    signals = 0

    def stop() -> None:
        nonlocal signals
        signals += 1
        task.cancel()

    numbers = _signals()
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        # wait() and not await: what cancels `task` must not cancel this coroutine.
        await asyncio.wait({task})
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            # Between here and the end of the process a signal has nothing left to stop.
            signal.signal(number, signal.SIG_IGN)
    if signals > 1:
        return INTERRUPTED
    if signals and task.cancelled():
        return stopped
    return task.result()
