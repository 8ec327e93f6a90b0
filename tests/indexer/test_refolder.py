"""The refolder: what waits is folded soon, at once when it is woken, and a database that is away is waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from heliograph_core.errors import DatabaseUnavailable, LeaseLost
from heliograph_indexer import refolder as module
from heliograph_indexer.refolder import REFOLD_KEYS, Refolder


class _Writer:
    """Answers of refold(), one after the other; None once there are no more. asked: how often it was."""

    stream = "s"

    def __init__(self, *answers: int | Exception) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.limits: set[tuple[int, int]] = set()

    async def refold(self, limit: int, *, epoch: int, quiet_s: float, anyway_s: float) -> int | None:
        self.asked += 1
        self.limits.add((limit, epoch))
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


async def _asked(writer: _Writer, times: int) -> None:
    async with asyncio.timeout(30):
        while True:
            if writer.asked >= times:
                return
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _not_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens within these tests does not happen because time went by."""
    monkeypatch.setattr(module, "REFOLD_EVERY_S", 3600.0)


async def _run(writer: Any) -> tuple[Refolder, asyncio.Task[None]]:
    refolder = Refolder(writer, epoch=7)
    return refolder, asyncio.create_task(refolder.run())


async def test_one_after_the_other_is_folded_while_some_wait_and_few_at_once() -> None:
    writer = _Writer(1, 2, 3)
    _, running = await _run(writer)
    await _asked(writer, 4)
    running.cancel()
    assert writer.limits == {(REFOLD_KEYS, 7)}


async def test_who_is_woken_looks_at_once() -> None:
    writer = _Writer()
    refolder, running = await _run(writer)
    await _asked(writer, 1)
    refolder.wake()
    await _asked(writer, 2)
    running.cancel()


async def test_a_database_that_is_away_is_asked_again_and_a_lost_lease_ends_it() -> None:
    writer = _Writer(DatabaseUnavailable("away"), LeaseLost("over"))
    refolder, running = await _run(writer)
    await _asked(writer, 1)
    refolder.wake()
    with pytest.raises(LeaseLost):
        async with asyncio.timeout(30):
            await running
