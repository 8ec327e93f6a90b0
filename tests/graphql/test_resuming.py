"""Subscribers that break off and resume at random, while indexers write ahead, correct and heal."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from tests.sql.conftest import Make

from heliograph_core.cursor import encode_stream
from heliograph_core.records import Trade
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.hub import Hub
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.batch import Origin
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream
from heliograph_sql.tail import Tail
from heliograph_sql.writer import Writer

FIRST_SLOT = 100
MARKETS = ("X", "Y")
STREAMS = ("left", "right")
SUBSCRIBERS_A_FILTER = 3
STEPS = 40
LONGEST_VISIT = 12
"""Messages that a subscriber takes at most before it breaks off."""
LONGEST_ABSENCE = 3
"""Commits that it misses at most before it is back."""
THE_LAST = "the last"
DEADLINE_S = 20.0
FILTERS = {None: "", "X": ', where: {marketAddress: {eq: "X"}}'}

Place = tuple[str, int, int, int]
"""(stream, slot, tx_index, ordinal)."""


class Pace:
    """How many commits there are; whoever stays away waits by it."""

    def __init__(self) -> None:
        self._commits = 0
        self._over = False
        self._moved = asyncio.Condition()

    async def step(self) -> None:
        async with self._moved:
            self._commits += 1
            self._moved.notify_all()

    async def end(self) -> None:
        async with self._moved:
            self._over = True
            self._moved.notify_all()

    async def passed(self, commits: int) -> None:
        """Returns once there are so many more, or nothing more is written."""
        until = self._commits + commits
        async with self._moved:
            await self._moved.wait_for(lambda: self._over or self._commits >= until)


class Traffic:
    """Writes one stream as indexers do. No trade id comes twice, so that an old row is never taken for a new one."""

    def __init__(self, database: Database, stream: str, pace: Pace, dice: random.Random) -> None:
        self._make = Make()
        self._make.stream = stream
        self._pace = pace
        self._dice = dice
        self._writer = Writer(database, stream, "indexer")
        self._next = FIRST_SLOT
        self._trades = 0

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            step = self._dice.choices([self._extend, self._correct, self._skip_and_heal], [10, 7, 3])[0]
            await step()

    async def end(self) -> None:
        """One trade that every subscriber asked for, alone in its commit."""
        trade = self._trade(self._next, 0, "X", THE_LAST)
        await self._writer.commit(self._make.batch(self._next, records=[trade]), epoch=None)

    async def _extend(self) -> None:
        first = self._next
        self._next += self._dice.randint(1, 4)
        await self._commit(range(first, self._next), "live")

    async def _correct(self) -> None:
        """Any of the last slots, not always neighbours."""
        recent = range(max(FIRST_SLOT, self._next - 12), self._next)
        if recent:
            count = self._dice.randint(1, min(4, len(recent)))
            await self._rewrite(sorted(self._dice.sample(recent, count)))

    async def _skip_and_heal(self) -> None:
        """Leaves two slots out and writes them later; a correction reaches over them in between, or not."""
        gap = range(self._next, self._next + 2)
        behind = range(gap.stop, gap.stop + 3)
        await self._commit(behind, "live")
        if gap.start > FIRST_SLOT and self._dice.random() < 0.5:
            await self._rewrite([gap.start - 1, behind.start + 1])
        await self._commit(gap, "heal")
        self._next = behind.stop

    async def _commit(self, slots: range, origin: Origin) -> None:
        batch = self._make.batch(slots[0], slots[-1], self._draw(slots), origin=origin)
        await self._writer.commit(batch, epoch=None)
        await self._pace.step()

    async def _rewrite(self, slots: Sequence[int]) -> None:
        batch = self._make.batch(slots[0], slots[-1], self._draw(slots))
        await self._writer.rewrite_slots(slots, batch, epoch=None)
        await self._pace.step()

    def _draw(self, slots: Sequence[int]) -> list[Trade]:
        trades = []
        for slot in slots:
            for number in range(self._dice.choice([0, 0, 1, 2, 5, 9])):
                self._trades += 1
                trades.append(self._trade(slot, number, self._dice.choice(MARKETS), str(self._trades)))
        return trades

    def _trade(self, slot: int, number: int, market: str, trade_id: str) -> Trade:
        return self._make.trade(slot, number // 3, number % 3, market=market, trade_id=trade_id)


class Inbox:
    """Messages of one visit. One that is slow has a replay wait until each message was taken."""

    def __init__(self, slow: bool) -> None:
        self._slow = slow
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.live = 0
        self.replayed = 0

    def began(self, cursor: str) -> None:
        """Resumers here begin with `after`."""

    def offer(self, payload: str, cursor: str) -> None:
        self.live += 1
        self._waiting.put_nowait((payload, cursor))

    async def put(self, payload: str, cursor: str | None) -> None:
        assert cursor is not None
        self.replayed += 1
        self._waiting.put_nowait((payload, cursor))
        if self._slow:
            await self._waiting.join()

    def complete(self) -> None:
        raise AssertionError("it goes on")

    def fail(self, error: dict[str, Any]) -> None:
        raise AssertionError(error)

    async def take(self) -> tuple[str, str]:
        message = await self._waiting.get()
        self._waiting.task_done()
        return message


class Subscriber:
    """Keeps rows as a client would: takes out what a message discards, puts in what it brings."""

    def __init__(
        self, hub: Hub, executor: Executor, market: str | None, pace: Pace, dice: random.Random
    ) -> None:
        """market: whose trades alone it asks for, None for all."""
        self.market = market
        self.rows: dict[Place, str] = {}
        self.doubled: list[Place] = []
        self.visits = self.live = self.replayed = 0
        self._cursor = encode_stream({})
        self._hub = hub
        self._executor = executor
        self._pace = pace
        self._dice = dice

    async def listen(self) -> None:
        """Visit after visit, until the last trade of each stream has come."""
        while not self._has_all:
            await self._visit(self._dice.randint(0, LONGEST_VISIT))
            await self._pace.passed(self._dice.randint(0, LONGEST_ABSENCE))

    @property
    def _has_all(self) -> bool:
        return list(self.rows.values()).count(THE_LAST) == len(STREAMS)

    async def _visit(self, messages: int) -> None:
        text = (
            f"subscription ($after: String) {{ trades(after: $after{FILTERS[self.market]}) {{"
            " stream discard { fromSlot throughSlot } nodes { slot txIndex ordinal tradeId } } }"
        )
        feed, after = self._executor.feed(Request(text, None, {"after": self._cursor}))
        inbox = Inbox(slow=self._dice.random() < 0.3)
        async with asyncio.TaskGroup() as group:
            joining = group.create_task(self._hub.subscribe(feed, after, inbox))
            while messages > 0 and not self._has_all:
                payload, self._cursor = await inbox.take()
                self._apply(orjson.loads(payload)["data"]["trades"])
                messages -= 1
            self._hub.leave(feed, inbox)
            joining.cancel()
        self.visits += 1
        self.live += inbox.live
        self.replayed += inbox.replayed

    def _apply(self, message: dict[str, Any]) -> None:
        stream, discard = message["stream"], message["discard"]
        if discard:
            gone = range(int(discard["fromSlot"]), int(discard["throughSlot"]) + 1)
            for place in [place for place in self.rows if place[0] == stream and place[1] in gone]:
                del self.rows[place]
        for node in message["nodes"]:
            place = (stream, int(node["slot"]), node["txIndex"], node["ordinal"])
            if place in self.rows:
                self.doubled.append(place)
            self.rows[place] = node["tradeId"]


@asynccontextmanager
async def running(database: Database, window: int) -> AsyncIterator[Hub]:
    tail = Tail(database, poll_interval_s=0.2, window=window)
    hub = Hub(database, tail, renders_at_once=4)
    tasks = [asyncio.create_task(tail.run()), asyncio.create_task(hub.run())]
    try:
        await tail.started()
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("message_rows", "window"),
    [(1, 3), (7, 1000), (1000, 3)],
    ids=["a row a message", "messages in parts", "messages whole"],
)
async def test_whoever_breaks_off_and_resumes_ends_with_exactly_the_rows_of_the_table(
    database: Database, message_rows: int, window: int, seed: int
) -> None:
    dice = random.Random(seed)
    for stream in STREAMS:
        await add_stream(database, stream, protocol="godark", programs=["Program"], first_slot=FIRST_SLOT)
    pace = Pace()
    writers = [Traffic(database, stream, pace, random.Random(dice.random())) for stream in STREAMS]
    executor = Executor(database, ApiSettings(message_rows=message_rows))
    async with asyncio.timeout(DEADLINE_S), running(database, window) as hub:
        subscribers = [
            Subscriber(hub, executor, market, pace, random.Random(dice.random()))
            for market in [*FILTERS] * SUBSCRIBERS_A_FILTER
        ]
        async with asyncio.TaskGroup() as listening:
            for subscriber in subscribers:
                listening.create_task(subscriber.listen())
            await asyncio.gather(*(writer.run(STEPS) for writer in writers))
            await asyncio.gather(*(writer.end() for writer in writers))
            await pace.end()

    async with database.acquire() as connection:
        table = await connection.fetch(
            "SELECT stream, slot, tx_index, ordinal, market, trade_id FROM perps.trades"
        )
    for subscriber in subscribers:
        assert subscriber.doubled == []
        assert subscriber.rows == {
            (row["stream"], row["slot"], row["tx_index"], row["ordinal"]): row["trade_id"]
            for row in table
            if subscriber.market in (None, row["market"])
        }
    visits, live, replayed = (
        sum(getattr(subscriber, name) for subscriber in subscribers)
        for name in ("visits", "live", "replayed")
    )
    print(f"{visits} visits, {live} messages live, {replayed} replayed, {len(table)} rows")
    assert live > 0 and replayed > 0, "this says nothing unless messages come both ways"
