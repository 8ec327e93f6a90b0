"""A token bucket keeps its rate, whatever the order of those who wait."""

from __future__ import annotations

import asyncio

from heliograph_indexer.rpc.bucket import TokenBucket


async def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(100, 10)
    began = loop.time()
    await bucket.take(10)
    assert loop.time() - began < 0.05
    await asyncio.gather(*(bucket.take(1) for _ in range(10)))
    assert loop.time() - began >= 0.09


async def test_more_than_the_burst_is_paid_off_afterwards() -> None:
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(1000, 10)
    await bucket.take(60)
    began = loop.time()
    await bucket.take(1)
    assert loop.time() - began >= 0.045


async def test_what_is_not_waited_for_is_given_back() -> None:
    bucket = TokenBucket(1, 1)
    await bucket.take(1)
    waiting = asyncio.create_task(bucket.take(1))
    await asyncio.sleep(0)
    assert bucket.wait_s(1) > 1.9
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert bucket.wait_s(1) <= 1.0
