"""What a driver's error means: a failure that may pass, one that will not, or the end of what was cancelled."""

from __future__ import annotations

import asyncio
from types import TracebackType

import asyncpg
import pytest

from heliograph_core.errors import DatabaseUnavailable
from heliograph_sql.failure import driver_errors


class OnDeadConnection:
    """A transaction whose connection is gone when it ends, whatever it ends with."""

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise asyncpg.InterfaceError(
            "cannot call Transaction.__aexit__(): the underlying connection is closed"
        )


async def work(waits: float) -> None:
    with driver_errors("work"):
        async with OnDeadConnection():
            await asyncio.sleep(waits)


async def test_who_is_cancelled_on_a_dead_connection_ends() -> None:
    task = asyncio.create_task(work(60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_not_cancelled_may_try_again() -> None:
    with pytest.raises(DatabaseUnavailable, match="connection is closed"):
        await work(0)


async def test_a_failure_after_a_timeout_is_a_failure() -> None:
    async def later() -> None:
        try:
            async with asyncio.timeout(0):
                # Never waited out: the timeout ends it.
                await asyncio.sleep(60)
        except TimeoutError:
            await work(0)

    with pytest.raises(DatabaseUnavailable):
        await later()


async def test_a_timeout_around_a_dead_connection_is_one() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await work(60)
