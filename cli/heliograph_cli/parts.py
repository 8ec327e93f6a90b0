"""Parts that run beside each other: the first that ends ends the whole, and they stop in the reverse of their start."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from heliograph_core.errors import HeliographError

T = TypeVar("T")


class PartEnded(HeliographError):
    """A part that should run until it is stopped came to its end by itself."""


class Parts:
    """The running parts of one process."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None

    @asynccontextmanager
    async def running(
        self, name: str, work: Coroutine[Any, Any, object], *, stop: Callable[[], None] | None = None
    ) -> AsyncIterator[None]:
        """`work` runs inside the block. At its end `stop` asks it to return; without `stop` it is cancelled."""
        task = asyncio.create_task(work, name=name)
        stopping = False

        def note(done: asyncio.Task[object]) -> None:
            if stopping:
                return
            error = None if done.cancelled() else done.exception()
            if self._failure is None:
                self._failure = error or PartEnded(
                    f"the {name} ended by itself; run again with --verbose to see why"
                )
            self._ended.set()

        task.add_done_callback(note)
        try:
            yield
        finally:
            stopping = True
            if stop is None:
                task.cancel()
            else:
                stop()
            await _finished(task)

    async def wait(self, seconds: float | None = None) -> None:
        """Returns after `seconds` (None: never), or raises what the first part that ended raised."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return
        assert self._failure is not None
        raise self._failure


async def _finished(task: asyncio.Task[object]) -> None:
    try:
        await asyncio.wait({task})
    finally:
        # Reached with the task alive only when the user lost patience: then it is cancelled, and not waited for.
        task.cancel()
    if not task.cancelled():
        # Fetched, so that asyncio does not print it; wait() has raised it, or it came of the stop itself.
        task.exception()


async def in_thread(work: Callable[[], T], *, name: str) -> T:
    """Runs blocking `work` in a thread that does not keep the process alive.

    When cancelled the thread is abandoned: only for work that may be broken off anywhere.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:  # noqa: BLE001 - handed to the caller whole
            error = caught
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # The loop is closed: the caller was cancelled and is gone.

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Awaits `work` to its end even when cancelled meanwhile; the cancellation is raised then, and its result lost."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        task.exception()
        raise asyncio.CancelledError
    return task.result()
