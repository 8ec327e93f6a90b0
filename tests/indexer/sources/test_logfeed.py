"""Notifications are a hint: whatever happens to them, the spans are the chain's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heliograph_indexer.settings import shown_url
from heliograph_indexer.sources.logfeed import LogFeed
from heliograph_localnet.faults import Reaction

FIRST = 1000


@asynccontextmanager
async def running(feed: LogFeed) -> AsyncIterator[LogFeed]:
    task = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(5):
            await feed.ready.wait()
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def count_calls(world: Any) -> Counter[str]:
    calls: Counter[str] = Counter()

    def rule(occasion: Any) -> None:
        if occasion.moment == "request":
            calls[occasion.method] += 1

    world.node.faults.add(rule)
    return calls


async def live(world: Any, source: Any, slots: int, pause_s: float = 0.005) -> list[Any]:
    """Reads while blocks are made."""
    through = world.chain.open_slot + slots - 3
    reading = asyncio.create_task(world.read(source, FIRST, through))
    while not reading.done():
        world.traffic(1)
        await asyncio.sleep(pause_s)
    return list(await reading)


async def test_a_notification_wakes_the_source_long_before_the_poll(world: Any) -> None:
    source = world.source(feed=True, poll_interval_s=30.0)
    async with running(source._feed):
        world.check(await live(world, source, 40), FIRST)


async def test_notified_lines_save_the_fetch(world: Any, programs: dict[str, str]) -> None:
    source = world.source(feed=True, log_cache=True)
    calls = count_calls(world)
    async with running(source._feed):
        for _ in range(10):
            world.block((programs["alpha"],), (programs["beta"],))
        world.block()
        spans = await world.read(source, FIRST, world.confirmed)
    world.check(spans, FIRST)
    assert calls["getTransaction"] == 0
    assert all(
        t.logs and t.instructions is None for span in spans for s in span.slots for t in s.transactions
    )


async def test_without_the_log_cache_every_transaction_is_fetched(
    world: Any, programs: dict[str, str]
) -> None:
    source = world.source(feed=True, log_cache=False)
    calls = count_calls(world)
    async with running(source._feed):
        world.block((programs["alpha"],), (programs["beta"],))
        world.block()
        spans = await world.read(source, FIRST, world.confirmed)
    assert calls["getTransaction"] == 2
    assert all(t.instructions for span in spans for s in span.slots for t in s.transactions)


async def test_lines_that_do_not_suffice_are_fetched(world: Any, programs: dict[str, str]) -> None:
    """A program that is called by another may have been handed an event; its lines cannot tell."""
    source = world.source(feed=True, log_cache=True)
    calls = count_calls(world)
    async with running(source._feed):
        world.block((programs["alpha"], programs["other"]), (programs["alpha"],))
        world.block((programs["alpha"],), failed=True)
        world.block()
        world.check(await world.read(source, FIRST, world.confirmed), FIRST)
    assert calls["getTransaction"] == 2


async def test_err_comes_from_the_record_and_not_from_the_notification(
    world: Any, programs: dict[str, str]
) -> None:
    """One runtime notifies failed transactions with err null."""

    def no_err(result: Any) -> Any:
        result["value"]["err"] = None
        return result

    world.node.faults.on("notification", Reaction(rewrite=no_err), methods={"logsNotification"})
    source = world.source(feed=True)
    async with running(source._feed):
        world.block((programs["alpha"],), failed=True)
        world.block()
        spans = await world.read(source, FIRST, world.confirmed)
    assert [t.failed for span in spans for slot in span.slots for t in slot.transactions] == [True]


@pytest.mark.parametrize(
    "reaction",
    [Reaction(copies=0), Reaction(copies=2), Reaction(hold=3), Reaction(delay_s=0.2), Reaction(garbage=b"{")],
    ids=["lost", "doubled", "reordered", "delayed", "garbage"],
)
async def test_spoiled_notifications_cost_no_row(world: Any, reaction: Reaction) -> None:
    world.node.faults.add(
        lambda occasion: (
            reaction if occasion.moment == "notification" and world.random.random() < 0.3 else None
        )
    )
    source = world.source(feed=True)
    async with running(source._feed):
        world.check(await live(world, source, 60), FIRST)


async def test_a_dropped_socket_costs_no_row(world: Any) -> None:
    source = world.source(feed=True)
    through = FIRST + 120
    async with running(source._feed) as feed:
        reading = asyncio.create_task(world.read(source, FIRST, through))
        while not reading.done():
            world.traffic(1)
            if world.chain.open_slot % 20 == 0:
                world.node.disconnect()
            await asyncio.sleep(0.01)
        world.check(await reading, FIRST)
        assert feed.connects > 1


async def test_a_silent_socket_is_opened_anew(world: Any) -> None:
    source = world.source(feed=True, socket_silence_s=0.1)
    async with running(source._feed) as feed:
        world.node.faults.on("notification", Reaction(copies=0))
        async with asyncio.timeout(10):
            while feed.connects < 3:
                world.block()
                await asyncio.sleep(0.01)


async def test_logs_that_still_come_do_not_hide_that_slots_have_stopped(world: Any) -> None:
    """A node that no longer follows the chain may go on about old transactions."""
    source = world.source(feed=True, socket_silence_s=0.2)
    async with running(source._feed) as feed:
        world.block()
        await asyncio.sleep(0.05)
        world.node.faults.on("notification", Reaction(copies=0), methods={"slotNotification"})
        async with asyncio.timeout(10):
            while feed.connects < 2:
                world.traffic(1, skips=0)
                await asyncio.sleep(0.01)


async def test_a_runtime_without_slot_notifications_is_judged_by_what_it_sends(
    world: Any, programs: dict[str, str]
) -> None:
    world.node.faults.on("notification", Reaction(copies=0), methods={"slotNotification"})
    source = world.source(feed=True, socket_silence_s=0.3)
    async with running(source._feed) as feed:
        for _ in range(60):
            world.block((programs["alpha"],))
            await asyncio.sleep(0.01)
        assert feed.connects == 1


async def test_another_socket_is_used_after_repeated_failures_and_the_trouble_is_told(world: Any) -> None:
    second = await world.second()
    mend = world.node.faults.on("connect", Reaction(status=503))
    source = world.source(feed=True, socket_failures=2)
    feed = source._feed
    assert feed.trouble is None
    async with running(feed):
        assert feed.endpoint == second.ws_url and feed.trouble is None
        second.faults.on("connect", Reaction(status=503))
        second.disconnect()
        for _ in range(1000):
            if feed.trouble is not None:
                break
            await asyncio.sleep(0.005)
        assert feed.trouble is not None and feed.trouble.startswith(f"WebSocket {second.ws_url}: ")
        mend()
        async with asyncio.timeout(10):
            await feed.ready.wait()
        assert feed.endpoint == world.node.ws_url and feed.trouble is None


async def test_a_refused_socket_costs_no_row(world: Any) -> None:
    world.node.faults.on("connect", Reaction(status=503))
    source = world.source(feed=True)
    task = asyncio.create_task(source._feed.run())
    world.check(await live(world, source, 20), FIRST)
    assert source._feed.connects == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_refused_socket_is_said_until_it_opens(world: Any) -> None:
    allow = world.node.faults.on("connect", Reaction(status=503))
    feed = LogFeed(world.settings(), [])
    task = asyncio.create_task(feed.run())
    for _ in range(1000):
        if feed.trouble is not None:
            break
        await asyncio.sleep(0.005)
    assert feed.trouble is not None and "503" in feed.trouble and world.node.ws_url in feed.trouble
    allow()
    async with asyncio.timeout(5):
        await feed.ready.wait()
    assert feed.trouble is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_the_cache_is_bounded(world: Any) -> None:
    feed = LogFeed(world.settings(log_cache_transactions=3), [])
    for number in range(10):
        feed._keep(f"signature{number}", 5, ("line",))
    assert [feed.lines(f"signature{number}", 5) is not None for number in range(10)] == [False] * 7 + [
        True
    ] * 3
    assert feed.lines("signature9", 6) is None
    feed.forget(5)
    assert feed.lines("signature9", 5) is None


async def test_a_wait_ends_at_its_timeout(world: Any) -> None:
    feed = LogFeed(world.settings(), [])
    async with asyncio.timeout(1):
        await feed.wait(0.01)


async def test_lines_of_a_block_that_was_replaced_are_forgotten(world: Any, programs: dict[str, str]) -> None:
    feed = LogFeed(world.settings(log_cache=True), [programs["alpha"]])
    async with running(feed):
        for _ in range(4):
            world.block((programs["alpha"],))
        confirmed = world.chain.block(world.confirmed)
        (signature,) = (each.signature for each in confirmed.transactions)
        async with asyncio.timeout(5):
            while True:
                if feed.lines(signature, confirmed.slot):
                    break
                await asyncio.sleep(0.01)
        # The new blocks stay unconfirmed, so that nothing is said of them yet.
        world.chain.confirmed_lag = 50
        again: list[list[Any]] = [[] for _ in range(world.chain.open_slot - confirmed.slot)]
        world.chain.replace(confirmed.slot, again)
        async with asyncio.timeout(5):
            while True:
                if feed.lines(signature, confirmed.slot) is None:
                    break
                await asyncio.sleep(0.01)


async def test_lines_from_before_the_socket_broke_are_forgotten(world: Any, programs: dict[str, str]) -> None:
    feed = LogFeed(world.settings(log_cache=True), [programs["alpha"]])
    async with running(feed):
        for _ in range(4):
            world.block((programs["alpha"],))
        async with asyncio.timeout(5):
            while True:
                if feed._lines:
                    break
                await asyncio.sleep(0.01)
        world.node.disconnect()
        async with asyncio.timeout(5):
            while True:
                if feed.connects > 1 and feed.ready.is_set():
                    break
                await asyncio.sleep(0.01)
        assert not feed._lines


async def test_lines_stand_for_the_records_of_the_node_that_notified_them_alone(
    world: Any, programs: dict[str, str]
) -> None:
    second = await world.second()
    async with running(LogFeed(world.settings(), [programs["alpha"]])) as feed:
        assert feed.speaks_for(shown_url(world.node.rpc_url))
        assert not feed.speaks_for(shown_url(second.rpc_url))
