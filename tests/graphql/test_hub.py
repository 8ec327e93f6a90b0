"""Joining and leaving the hub while commits are delivered: nothing is missing, nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.hub import EndingFeed, Feed, Hub
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.tail import Tail

TRADES = "subscription ($after: String) { trades(after: $after) { seq nodes { tradeId ordinal } } }"
ALL_SEEN = encode_stream({"godark": StreamPosition.after(0)})


class Receiver:
    """Collects what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, list[str]]] = []
        self.cursor = ""
        self.grown = asyncio.Event()

    def began(self, cursor: str) -> None:
        self.cursor = cursor

    def offer(self, payload: str, cursor: str) -> None:
        message = orjson.loads(payload)["data"]["trades"]
        self.told.append((int(message["seq"]), [node["tradeId"] for node in message["nodes"]]))
        self.cursor = cursor
        self.grown.set()

    async def put(self, payload: str, cursor: str | None) -> None:
        assert cursor is not None
        self.offer(payload, cursor)

    def complete(self) -> None:
        raise AssertionError("it goes on")

    def fail(self, error: dict[str, Any]) -> None:
        raise AssertionError(error)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self.grown.clear()
                await self.grown.wait()


@asynccontextmanager
async def running(database: Database) -> AsyncIterator[Hub]:
    tail = Tail(database, poll_interval_s=0.1)
    hub = Hub(database, tail, renders_at_once=4)
    tasks = [asyncio.create_task(tail.run()), asyncio.create_task(hub.run())]
    try:
        await tail.started()
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def feed_of(database: Database, after: str, **settings: Any) -> Feed:
    executor = Executor(database, ApiSettings(**settings))
    found, _ = executor.feed(Request(TRADES, None, {"after": after}))
    assert not isinstance(found, EndingFeed)
    return found


class Slow:
    """A feed like another whose render waits to be let through."""

    key = "slow"
    family = None

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    async def render(self, *arguments: Any) -> Any:
        self.begun.set()
        await self.go.wait()
        return await self._feed.render(*arguments)


@pytest.mark.parametrize("message_rows", [1000, 1], ids=["whole", "in parts"])
async def test_who_resumes_while_its_last_commit_still_goes_out_to_others_hears_nothing_twice(
    ledger: Any, database: Database, message_rows: int
) -> None:
    async with running(database) as hub:
        feed = feed_of(database, ALL_SEEN, message_rows=message_rows)
        slow = Slow(feed)
        first, other, again = Receiver(), Receiver(), Receiver()
        await hub.subscribe(feed, None, first)
        await hub.subscribe(slow, None, other)
        rows = [{"trade_id": str(number)} for number in range(3)]
        await ledger.commit({100: {"perps.trades": rows}})
        await slow.begun.wait()
        await first.until(1)
        heard, cursor = list(first.told), first.cursor
        hub.leave(feed, first)
        joining = asyncio.create_task(hub.subscribe(feed, cursor, again))
        await asyncio.sleep(0)
        slow.go.set()
        async with asyncio.timeout(10):
            await joining
        await ledger.trades(101)
        # It may have been told already while the commit was awaited.
        while not other.told or other.told[-1][0] < 2:
            await other.until(len(other.told) + 1)
        while (again.told or heard)[-1][0] < 2:
            await again.until(len(again.told) + 1)
        ids = [name for _, names in [*heard, *again.told] for name in names]
        assert ids == ["0", "1", "2", "101"]


async def test_who_joins_while_a_commit_goes_out_hears_it(ledger: Any, database: Database) -> None:
    async with running(database) as hub:
        feed = feed_of(database, ALL_SEEN)
        slow = Slow(feed)
        first, other, late = Receiver(), Receiver(), Receiver()
        await hub.subscribe(feed, None, first)
        await hub.subscribe(slow, None, other)
        await ledger.trades(100)
        await slow.begun.wait()
        await first.until(1)
        await hub.subscribe(feed, None, late)
        slow.go.set()
        await ledger.trades(101)
        await late.until(2)
        await other.until(2)
        assert late.told == other.told == [(1, ["100"]), (2, ["101"])]


async def test_who_heard_more_from_another_process_waits_for_this_one(
    ledger: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers behind one address: the second has not read the commit that the first told."""
    async with running(database) as hub:
        held = asyncio.Event()
        deliver = hub._deliver

        async def late(commit: Any) -> None:
            await held.wait()
            await deliver(commit)

        monkeypatch.setattr(hub, "_deliver", late)
        await ledger.trades(100)
        cursor = encode_stream({"godark": StreamPosition.after(1)})
        receiver = Receiver()
        joining = asyncio.create_task(hub.subscribe(feed_of(database, cursor), cursor, receiver))
        await ledger.trades(101)
        held.set()
        async with asyncio.timeout(10):
            await joining
        await receiver.until(1)
        assert receiver.told == [(2, ["101"])]
