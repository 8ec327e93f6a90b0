"""Parts that run beside each other, and work in threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from heliograph_cli.parts import PartEnded, Parts, in_thread, uninterrupted
from heliograph_core.errors import DatabaseUnavailable


async def forever() -> None:
    await asyncio.Event().wait()


async def test_waiting_ends_after_the_seconds_asked_for() -> None:
    parts = Parts()
    async with parts.running("part", forever()):
        await parts.wait(0)


async def test_the_first_error_ends_the_whole() -> None:
    parts = Parts()

    async def fail() -> None:
        raise DatabaseUnavailable("gone")

    with pytest.raises(DatabaseUnavailable, match="gone"):
        async with parts.running("good", forever()), parts.running("bad", fail()):
            await parts.wait()


async def test_a_part_that_returns_unasked_is_an_error_that_names_it() -> None:
    parts = Parts()

    async def leave() -> None:
        return

    with pytest.raises(PartEnded, match=r"^the indexer ended by itself"):
        async with parts.running("indexer", leave()):
            await parts.wait()


async def test_parts_stop_in_the_reverse_of_their_start() -> None:
    parts = Parts()
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await forever()
        finally:
            ended.append(name)

    async with parts.running("first", work("first")), parts.running("second", work("second")):
        await asyncio.sleep(0)
    assert ended == ["second", "first"]


async def test_a_part_with_a_stop_of_its_own_is_asked_and_not_cancelled() -> None:
    parts = Parts()
    asked = asyncio.Event()
    finished = False

    async def work() -> None:
        nonlocal finished
        await asked.wait()
        finished = True

    async with parts.running("part", work(), stop=asked.set):
        await asyncio.sleep(0)
    assert finished


async def test_work_in_a_thread_gives_its_result_or_its_error() -> None:
    assert await in_thread(lambda: 7, name="seven") == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0, name="broken")


async def test_a_thread_is_abandoned_when_its_caller_is_cancelled() -> None:
    gate = threading.Event()
    task = asyncio.create_task(in_thread(gate.wait, name="waiting"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()


async def test_uninterrupted_work_ends_before_the_cancellation_is_raised() -> None:
    gate = asyncio.Event()
    done = False

    async def work() -> None:
        nonlocal done
        await gate.wait()
        done = True

    task = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done


async def test_uninterrupted_work_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert await uninterrupted(work()) == 7
