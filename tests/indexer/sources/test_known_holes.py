"""Holes that other indexers fell into while fetching, each by name: here they cost nothing.

Not here: a block's summary taken as proof of its transactions, which needs a source that sends both (this one reads
signatures of programs and no blocks' contents); what is near to it, a notified slot taken as proof, is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from solders.rpc.responses import LogsNotification

from heliograph_core.slot import Slot
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_localnet.faults import Reaction

FIRST = 1000


async def through(stream: Any, spans: list[Any], slot: int) -> None:
    async with asyncio.timeout(20):
        while not spans or spans[-1].last < slot:
            spans.append(await anext(stream))


def count_requests(world: Any, into: Counter[str]) -> None:
    def rule(occasion: Any) -> None:
        if occasion.moment == "request":
            into[occasion.method] += 1

    world.node.faults.add(rule)


@pytest.mark.parametrize("world", [71, 72, 73], indirect=True)
async def test_the_tip_moves_between_any_two_requests(world: Any) -> None:
    """A tip sampled once for the pages and once for the coverage leaves a hole between the two."""

    def chain_goes_on(occasion: Any) -> None:
        if occasion.moment == "request" and world.confirmed < FIRST + 200:
            world.traffic(1)

    world.traffic(5)
    world.node.faults.add(chain_goes_on)
    world.check(await world.read(world.source(page_signatures=10), FIRST, FIRST + 150), FIRST)
    assert not world.incidents


async def test_the_cursor_stays_where_a_fetch_failed(world: Any, programs: dict[str, str]) -> None:
    """One transaction in the middle cannot be had: nothing behind it is handed out before it."""
    for _ in range(20):
        world.block((programs["alpha"],))
    world.block()
    held = world.chain.block(FIRST + 10).transactions[0].signature
    release = world.node.faults.add(
        lambda occasion: (
            Reaction(error=(-32019, "storage is away", None))
            if occasion.method == "getTransaction" and occasion.value[0] == held
            else None
        )
    )
    source = world.source(span_transactions=1)
    stream = source.spans(FIRST, None)
    spans: list[Any] = []
    await through(stream, spans, FIRST + 9)
    blocked = asyncio.create_task(anext(stream))
    for _ in range(1000):
        if source.trouble is not None:
            break
        await asyncio.sleep(0.005)
    assert source.trouble is not None and "-32019" in source.trouble and not blocked.done()
    release()
    async with asyncio.timeout(10):
        spans.append(await blocked)
    assert spans[-1].first == FIRST + 10
    await through(stream, spans, world.confirmed)
    await stream.aclose()
    world.check(spans, FIRST)


async def test_the_tail_behind_the_last_page_is_read(world: Any, programs: dict[str, str]) -> None:
    """Transactions that come after the last page of history and before the first notification belong to nobody else."""
    world.traffic(50)
    late = 0

    def more_after_each_page(occasion: Any) -> None:
        nonlocal late
        if occasion.method == "getSignaturesForAddress" and late < 40:
            late += 1
            world.block((programs["alpha"],), (programs["beta"],))

    world.node.faults.add(more_after_each_page)
    # No socket, so that no notification can make up for what paging loses.
    world.check(await world.read(world.source(page_signatures=20), FIRST, FIRST + 60), FIRST)


async def test_what_happens_before_the_subscription_stands_is_read(world: Any) -> None:
    """The socket opens while history is read; no slot between the two is anybody's blind spot."""
    source = world.source(feed=True, poll_interval_s=30.0)
    world.traffic(30)
    world.node.faults.on("connect", Reaction(delay_s=0.2))
    running = asyncio.create_task(source._feed.run())
    stream = source.spans(FIRST, None)
    spans: list[Any] = []
    await through(stream, spans, world.confirmed)
    world.traffic(10)
    # Nobody notifies these; the acknowledgement of the subscription itself wakes the source.
    await through(stream, spans, world.confirmed)
    await stream.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    world.check(spans, FIRST)


async def test_a_notified_slot_proves_nothing(world: Any, programs: dict[str, str]) -> None:
    """Notifications of slots far ahead make the source look, and claim nothing."""

    def far_ahead(result: Any) -> Any:
        result["context"]["slot"] += 500
        return result

    world.node.faults.on("notification", Reaction(rewrite=far_ahead), methods={"logsNotification"})
    source = world.source(feed=True)
    running = asyncio.create_task(source._feed.run())
    async with asyncio.timeout(5):
        await source._feed.ready.wait()
    for _ in range(10):
        world.block((programs["alpha"],))
    world.block()
    spans = await world.read(source, FIRST, world.confirmed)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert spans[-1].last <= world.confirmed and source.head_slot <= world.confirmed
    world.check(spans, FIRST)


async def test_a_new_subscription_needs_no_cursor(world: Any) -> None:
    """Nothing is notified for what happened while the socket was away; being back is reason enough to look."""
    source = world.source(feed=True, poll_interval_s=30.0)
    feed = source._feed
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(5):
        await feed.ready.wait()
    world.traffic(20, skips=0)
    stream = source.spans(FIRST, None)
    spans: list[Any] = []
    await through(stream, spans, world.confirmed)
    for _ in range(3):
        mend = world.node.faults.on("connect", Reaction(status=503))
        world.node.disconnect()
        for _ in range(1000):
            if not feed.ready.is_set():
                break
            await asyncio.sleep(0.005)
        world.traffic(10, skips=0)
        mend()
        await through(stream, spans, world.confirmed)
    await stream.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    world.check(spans, FIRST)


@pytest.mark.parametrize("kept", [1, 7, 8, 9, 40, -1])
def test_a_short_event_is_kept_with_a_reason(oracle_chain: Any, kept: int) -> None:
    """An event cut anywhere, even inside its discriminator, is in undecoded with its bytes."""
    cut = oracle_chain.event(5)[:kept]
    transaction = oracle_chain.transaction("cut", cut, oracle_chain.event(6))
    decoded = decode_slot(Slot(7, 1_700_000_000, (transaction,)), Layouts.of(PROTOCOLS["godark"]))
    (only,) = decoded.transactions
    assert [(row.data, row.key.ordinal) for row in only.undecoded] == [(cut, 0)]
    assert only.undecoded[0].reason
    assert [event.key.ordinal for event in only.events] == [1]


async def test_old_notifications_over_and_over_cost_no_requests(world: Any, programs: dict[str, str]) -> None:
    """A replay of thousands of notifications of slots that were read is no reason to ask for anything."""
    source = world.source(feed=True, poll_interval_s=30.0)
    feed = source._feed
    receive = feed._receive
    heard: list[Any] = []

    def keep(notification: Any) -> None:
        if isinstance(notification, LogsNotification):
            heard.append(notification)
        receive(notification)

    feed._receive = keep
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(5):
        await feed.ready.wait()
    stream = source.spans(FIRST, None)
    spans: list[Any] = []
    world.block((programs["alpha"],))
    world.block()
    await through(stream, spans, world.confirmed)
    asked: Counter[str] = Counter()
    count_requests(world, asked)
    reading = asyncio.create_task(through(stream, spans, world.confirmed + 1))
    for _ in range(2000):
        receive(heard[0])
        await asyncio.sleep(0.0005)
    assert not reading.done()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await stream.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert sum(asked.values()) <= 10, asked


async def test_a_slot_that_cannot_be_had_is_asked_for_ever_more_seldom(
    world: Any, programs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour with a transaction that stays null: the requests for its slot are few, and nothing is claimed."""
    waited = 0.0
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        nonlocal waited
        waited += seconds
        await real_sleep(0)

    for _ in range(3):
        world.block((programs["alpha"],))
    world.block()
    asked: Counter[str] = Counter()
    count_requests(world, asked)
    world.node.faults.on("request", Reaction(rewrite=lambda _: None), methods={"getTransaction"})
    source = world.source(retry_s=0.25, retry_max_s=10.0, null_rounds=8)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    reading = asyncio.create_task(anext(source.spans(FIRST, None)))
    while waited < 3600:
        await real_sleep(0.01)
    monkeypatch.undo()
    assert not reading.done()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert asked["getTransaction"] < 400 and sum(asked.values()) < 1200, asked
    assert [kind for kind, _, _ in world.incidents] == ["record_changed"], "told once, not at each try"
