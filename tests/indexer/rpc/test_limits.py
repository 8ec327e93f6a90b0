"""A host's limits hold for all who call it; loopback has none."""

from __future__ import annotations

import asyncio

from heliograph_indexer.rpc.limits import HostLimits
from heliograph_indexer.settings import RpcSettings

PUBLIC = "https://rpc.example.org"


async def test_public_hosts_are_limited_and_loopback_is_not() -> None:
    assert HostLimits(PUBLIC, RpcSettings()).limited
    assert not HostLimits("http://127.0.0.1:8899", RpcSettings()).limited
    assert not HostLimits(PUBLIC, RpcSettings(requests_per_second=0, method_requests_per_second=0)).limited
    assert HostLimits("http://127.0.0.1:8899", RpcSettings(requests_per_second=5)).limited


async def test_what_a_public_endpoint_allows_in_ten_seconds_is_not_exceeded() -> None:
    """100 calls and 40 a method: after the burst of 40 a method waits 10 s for 40 more, all together 10 s for 100."""
    limits = HostLimits(PUBLIC, RpcSettings())
    await limits.take(["getBlock"] * 40)
    assert 9.9 < limits.wait_s(["getBlock"] * 40) <= 10.0
    assert limits.wait_s(["getSlot"] * 40) <= 4.0


async def test_one_method_does_not_hold_up_another() -> None:
    limits = HostLimits(PUBLIC, RpcSettings(requests_per_second=0, method_requests_per_second=1, burst=2))
    await limits.take(["getBlock", "getBlock"])
    assert limits.wait_s(["getBlock"]) > 0.9
    assert limits.wait_s(["getSlot"]) == 0.0


async def test_a_pause_that_the_host_asks_for_holds_even_on_loopback() -> None:
    loop = asyncio.get_running_loop()
    limits = HostLimits("http://127.0.0.1:1", RpcSettings())
    limits.rest(0.1)
    limits.rest(0.05)
    began = loop.time()
    await limits.take(["getSlot"])
    assert loop.time() - began >= 0.1


async def test_a_pause_that_is_prolonged_is_waited_out() -> None:
    loop = asyncio.get_running_loop()
    limits = HostLimits("http://127.0.0.1:1", RpcSettings())
    limits.rest(0.05)
    began = loop.time()
    waiting = asyncio.create_task(limits.take(["getSlot"]))
    await asyncio.sleep(0)
    limits.rest(0.15)
    await waiting
    assert loop.time() - began >= 0.15
