"""Candles followed live: each bucket that a commit touched as a query has it then, and those that were emptied."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
import pytest
from tests.graphql.conftest import Ledger, Servers, time_of
from tests.graphql.test_hub import running
from tests.graphql.test_object_feed import followed
from tests.graphql.test_resuming import FIRST_SLOT, STREAMS, Pace, Traffic
from tests.sql.conftest import GENESIS, Make

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_core.errors import CursorError
from heliograph_core.records import Trade
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.hub import Feed, Hub
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

CANDLES = """subscription ($after: String, $streams: [String!], $market: String!, $resolution: CandleResolution,
    $kind: PriceKind, $history: Boolean) {
  candles(after: $after, streams: $streams, marketAddress: $market, resolution: $resolution, priceKind: $kind, history: $history) {
    cursor stream seq removed
    nodes { stream marketAddress marketSymbol priceKind bucket open high low close volume quote points }
  } }"""
ALL = """query ($market: String!, $resolution: CandleResolution, $kind: PriceKind) {
  candles(first: 1000, marketAddress: $market, resolution: $resolution, priceKind: $kind) {
    nodes { stream marketAddress marketSymbol priceKind bucket open high low close volume quote points }
  } }"""
SLOTS_A_MINUTE = 240
MINUTE = 4800
"""A slot that begins one."""

Held = dict[tuple[str, str], Mapping[str, Any]]


class Chart:
    """A client: keeps the candles that it is told."""

    def __init__(self) -> None:
        self.held: Held = {}
        self.messages: list[dict[str, Any]] = []
        self.cursor = ""
        self._grown = asyncio.Event()

    def began(self, cursor: str) -> None:
        self.cursor = cursor

    def offer(self, payload: str, cursor: str) -> None:
        message = orjson.loads(payload)["data"]["candles"]
        assert message["cursor"] == cursor
        self.cursor = cursor
        self.messages.append(message)
        for node in message["nodes"]:
            assert node["stream"] == message["stream"]
            self.held[node["stream"], node["bucket"]] = node
        for bucket in message["removed"]:
            self.held.pop((message["stream"], bucket), None)
        self._grown.set()

    async def put(self, payload: str, cursor: str | None) -> None:
        assert cursor is not None
        self.offer(payload, cursor)

    def complete(self) -> None:
        raise AssertionError("it goes on")

    def fail(self, error: dict[str, Any]) -> None:
        raise AssertionError(error)

    async def heard(self, stream: str, seq: int) -> dict[str, Any]:
        """The first message that tells of that commit or a later one."""
        async with asyncio.timeout(10):
            while True:
                for message in self.messages:
                    if message["stream"] == stream and int(message["seq"]) >= seq:
                        return message
                self._grown.clear()
                await self._grown.wait()

    async def until(self, wanted: Held) -> None:
        try:
            async with asyncio.timeout(10):
                while self.held != wanted:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            assert self.held == wanted


async def _candles(database: Database, **asked: Any) -> Held:
    answer = await Executor(database, ApiSettings()).execute(
        Request(ALL, None, {"market": "SolMarket", **asked})
    )
    nodes = orjson.loads(answer.body)["data"]["candles"]["nodes"]
    return {(node["stream"], node["bucket"]): node for node in nodes}


async def _follow(hub: Hub, executor: Executor, chart: Chart, **asked: Any) -> Feed:
    feed, after = followed(
        executor, CANDLES, **{"market": "SolMarket", "after": chart.cursor or None, **asked}
    )
    await hub.subscribe(feed, after, chart)
    return feed


def _trades(*prices: int, **other: Any) -> dict[str, Any]:
    return {"perps.trades": [{"price": Decimal(price), **other} for price in prices]}


async def test_each_touched_bucket_is_told_as_a_query_has_it(ledger: Ledger, database: Database) -> None:
    await ledger.put("perps.markets", market="SolMarket", symbol="SOL-PERP")
    await ledger.commit({MINUTE: _trades(10, 30, 20)})
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        minutes, hours = Chart(), Chart()
        await _follow(hub, executor, minutes)
        await _follow(hub, executor, hours, resolution="ONE_HOUR")
        for slots in (
            {MINUTE + 1: _trades(40)},
            {
                MINUTE + 2: _trades(5, market="Other"),
                MINUTE + SLOTS_A_MINUTE - 1: _trades(7),
                MINUTE + SLOTS_A_MINUTE: _trades(8),
            },
        ):
            seq = await ledger.commit(slots)
            for chart, asked in ((minutes, {}), (hours, {"resolution": "ONE_HOUR"})):
                told = await chart.heard("godark", seq)
                now = await _candles(database, **asked)
                assert told["removed"] == []
                assert [now[node["stream"], node["bucket"]] for node in told["nodes"]] == told["nodes"]
        assert [len(message["nodes"]) for message in minutes.messages] == [1, 2]
        assert [len(message["nodes"]) for message in hours.messages] == [1, 1]
        assert minutes.held == await _candles(database)
        first = min(minutes.held.values(), key=lambda node: str(node["bucket"]))
        assert [first[name] for name in ("open", "high", "low", "close", "points", "marketSymbol")] == [
            "10",
            "40",
            "7",
            "7",
            "5",
            "SOL-PERP",
        ]


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("MARK", {"perps.funding_rates": [{"mark_price": Decimal(99)}]}),
        ("ORACLE", {"perps.oracle_prices": [{"price": Decimal(98)}]}),
    ],
)
async def test_prices_of_another_kind_touch_their_own_candles_alone(
    ledger: Ledger, database: Database, kind: str, rows: Any
) -> None:
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        of_kind, of_trades = Chart(), Chart()
        await _follow(hub, executor, of_kind, kind=kind)
        await _follow(hub, executor, of_trades)
        # A rate without a mark price is none.
        await ledger.commit({MINUTE: {"perps.funding_rates": [{}]}})
        seq = await ledger.commit({MINUTE + 1: rows})
        last = await ledger.commit({MINUTE + 2: _trades(10)})
        await of_kind.heard("godark", seq)
        await of_trades.heard("godark", last)
        assert of_kind.held == await _candles(database, kind=kind)
        assert [message["seq"] for message in of_kind.messages] == [str(seq)]
        assert [message["seq"] for message in of_trades.messages] == [str(last)]


async def test_a_correction_tells_what_is_left_and_what_is_gone(ledger: Ledger, database: Database) -> None:
    later = MINUTE + SLOTS_A_MINUTE
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        chart = Chart()
        await _follow(hub, executor, chart)
        await ledger.commit({MINUTE: _trades(10, 11), later: _trades(12)})
        await chart.until(await _candles(database))
        assert len(chart.held) == 2
        seq = await ledger.commit({MINUTE: _trades(10), later: {}}, kind="correct")
        told = await chart.heard("godark", seq)
        assert [node["points"] for node in told["nodes"]] == ["1"]
        assert [*map(_instant, told["removed"])] == [time_of(later)]
        assert chart.held == await _candles(database)
        seq = await ledger.commit({MINUTE: {}}, kind="correct")
        await chart.heard("godark", seq)
        assert chart.held == {}


def _instant(text: str) -> Any:
    return type(time_of(0)).fromisoformat(text)


async def test_what_was_missed_is_told_once_a_bucket(ledger: Ledger, database: Database) -> None:
    executor = Executor(database, ApiSettings())
    async with running(database) as hub, running(database) as replica:
        chart = Chart()
        feed = await _follow(hub, executor, chart)
        hub.leave(feed, chart)
        for slot in range(6):
            await ledger.commit({MINUTE + slot: _trades(10 + slot)})
        await ledger.commit({MINUTE: _trades(90)}, kind="correct")
        seq = await ledger.commit({MINUTE + SLOTS_A_MINUTE: _trades(50)})
        live = Chart()
        await _follow(replica, executor, live, after=encode_stream({"godark": StreamPosition.after(0)}))
        await live.heard("godark", seq)
        await _follow(replica, executor, chart)
        assert [(message["seq"], len(message["nodes"])) for message in chart.messages] == [(str(seq), 2)]
        assert chart.held == await _candles(database)


async def test_what_one_message_cannot_hold_comes_in_parts_and_resumes_between_them(
    ledger: Ledger, database: Database
) -> None:
    executor = Executor(database, ApiSettings(message_rows=2))
    start = encode_stream({"godark": StreamPosition.after(0)})
    async with running(database) as hub:
        live = Chart()
        feed = await _follow(hub, executor, live)
        await ledger.commit({MINUTE + SLOTS_A_MINUTE * number: _trades(10 + number) for number in range(5)})
        await live.until(await _candles(database))
        assert [len(message["nodes"]) for message in live.messages] == [2, 2, 1]
        await ledger.commit({MINUTE + SLOTS_A_MINUTE * number: _trades(7) for number in range(5, 8)})
        await live.until(await _candles(database))
        hub.leave(feed, live)
        for message in live.messages:
            late = Chart()
            await _follow(hub, executor, late, after=message["cursor"])
            behind = live.messages[live.messages.index(message) + 1 :]
            assert _told(late) == _nodes(behind)
        whole = Chart()
        await _follow(hub, executor, whole, after=start)
        assert whole.held == await _candles(database)
        assert max(len(message["nodes"]) for message in whole.messages) == 2


def _nodes(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [node for message in messages for node in message["nodes"]]


def _told(chart: Chart) -> list[Any]:
    return _nodes(chart.messages)


async def test_history_is_told_where_it_is_asked_for(ledger: Ledger, database: Database) -> None:
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        plain, historical = Chart(), Chart()
        await _follow(hub, executor, plain)
        await _follow(hub, executor, historical, history=True)
        old = await ledger.commit({MINUTE: _trades(10)}, origin="backfill")
        healed = await ledger.commit({MINUTE + SLOTS_A_MINUTE: _trades(11)}, origin="heal")
        await plain.heard("godark", healed)
        await historical.heard("godark", healed)
        assert [message["seq"] for message in plain.messages] == [str(healed)]
        assert [message["seq"] for message in historical.messages] == [str(old), str(healed)]
        assert historical.held == await _candles(database)


async def test_a_cursor_older_than_the_log_has_expired(ledger: Ledger, database: Database) -> None:
    for slot in range(3):
        await ledger.commit({MINUTE + slot: _trades(10)})
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM heliograph.commits WHERE seq < 3")
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        with pytest.raises(CursorError) as raised:
            await _follow(hub, executor, Chart(), after=encode_stream({"godark": StreamPosition.after(1)}))
    assert raised.value.code == "CURSOR_EXPIRED"


class Shifting(Make):
    """Few slots share a minute, and one that is written again may move to another."""

    def __init__(self, stream: str, dice: random.Random) -> None:
        self.stream = stream
        self._dice = dice
        self._seconds: dict[int, int] = {}

    def time(self, slot: int) -> int:
        return GENESIS + slot * 40 + self._seconds.setdefault(slot, 0)

    def shift(self, slots: Sequence[int]) -> None:
        self._seconds |= {slot: self._dice.randrange(40) for slot in slots}


class Prices(Traffic):
    def __init__(self, database: Database, stream: str, pace: Pace, dice: random.Random) -> None:
        super().__init__(database, stream, pace, dice)
        self._make: Shifting = Shifting(stream, dice)

    def _draw(self, slots: Sequence[int]) -> list[Trade]:
        self._make.shift(slots)
        return super()._draw(slots)

    def _trade(self, slot: int, number: int, market: str, trade_id: str) -> Trade:
        price = Decimal(self._dice.randrange(1, 1000))
        return self._make.trade(slot, number // 3, number % 3, market=market, trade_id=trade_id, price=price)


@pytest.mark.parametrize("message_rows", [1, 1000], ids=["a bucket a message", "messages whole"])
async def test_whoever_comes_and_goes_ends_with_the_candles_that_a_query_has(
    database: Database, message_rows: int, seed: int
) -> None:
    dice = random.Random(seed)
    for stream in STREAMS:
        await add_stream(database, stream, protocol="godark", programs=["Program"], first_slot=FIRST_SLOT)
    pace = Pace()
    writers = [Prices(database, stream, pace, random.Random(dice.random())) for stream in STREAMS]
    executor = Executor(database, ApiSettings(message_rows=message_rows))
    asked = [
        {"market": market, "resolution": step}
        for market in ("X", "Y")
        for step in ("ONE_MINUTE", "FIVE_MINUTES")
    ]
    charts = [Chart() for _ in asked]
    for chart in charts:
        chart.cursor = encode_stream({})
    over = asyncio.Event()

    async def listen(chart: Chart, of: Mapping[str, Any], hubs: Sequence[Hub]) -> None:
        while not over.is_set():
            hub = dice.choice(hubs)
            feed = await _follow(hub, executor, chart, **of)
            await pace.passed(dice.randint(0, 4))
            hub.leave(feed, chart)
            await pace.passed(dice.randint(0, 4))

    async with asyncio.timeout(60), running(database) as hub, running(database) as replica:
        async with asyncio.TaskGroup() as listening:
            for chart, of in zip(charts, asked, strict=True):
                listening.create_task(listen(chart, of, [hub, replica]))
            await asyncio.gather(*(writer.run(40) for writer in writers))
            await pace.end()
            over.set()
        for chart, of in zip(charts, asked, strict=True):
            await _follow(hub, executor, chart, **of)
            await chart.until(await _candles(database, **of))
            assert chart.held
    assert sum(len(message["removed"]) for chart in charts for message in chart.messages) > 0


async def test_candles_come_as_events_too(ledger: Ledger, servers: Servers) -> None:
    """Over Server-Sent Events, each with its cursor as id."""
    server = await servers.start()
    query = 'subscription { candles(marketAddress: "SolMarket") { seq nodes { close } removed __typename } }'
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = orjson.dumps({"query": query})
    writer.write(
        b"POST /graphql HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n"
        + f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    async with asyncio.timeout(10):
        await reader.readuntil(b"id: ")
        await ledger.commit({MINUTE: _trades(10)})
        await reader.readuntil(b"event: next\ndata: ")
        told = orjson.loads(await reader.readuntil(b"\n"))
    writer.close()
    assert told == {
        "data": {
            "candles": {"seq": "1", "nodes": [{"close": "10"}], "removed": [], "__typename": "CandleUpdate"}
        }
    }
