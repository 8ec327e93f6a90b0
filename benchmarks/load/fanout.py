"""Thousands of live subscriptions on one API process: is each row told once to each, and how late.

`heliograph serve` is one process, the database another, the writer of trades a third; this one holds the clients: 5,000
subscriptions over 50 connections, 500 distinct filters (20 markets, 480 wallets as taker or maker), ten of each. Each slot's 160
trades match about half of the filters, so that four slots a second make 10,000 messages a second. Every row that a
filter matches is counted for each subscription and compared with what was written.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil
import websockets
from benchmarks.load.fanout_writer import FIRST_SLOT, MARKETS, PROGRAM, STREAM, WALLETS
from benchmarks.load.serving import serving

from heliograph_core.errors import HeliographError
from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import migrate
from heliograph_sql.streams import add_stream

CONNECTIONS = 50
SUBSCRIPTIONS = 5_000
PACE_MS = 250
WARM_UP = 20
COMMITS = 240
PATIENCE_S = 20.0

BY_MARKET = """subscription ($market: String) {
  trades(where: {marketAddress: {eq: $market}}) { cursor nodes { slot txIndex marketAddress taker maker price size quote } } }"""
BY_WALLET = """subscription ($wallet: String) {
  trades(where: {or: [{taker: {eq: $wallet}}, {maker: {eq: $wallet}}]}) {
    cursor nodes { slot txIndex marketAddress taker maker price size quote } } }"""


class _Node(msgspec.Struct):
    slot: str
    txIndex: int


class _Rows(msgspec.Struct):
    nodes: list[_Node]


class _Data(msgspec.Struct):
    trades: _Rows


class _Payload(msgspec.Struct):
    data: _Data


class _Message(msgspec.Struct):
    type: str
    id: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")


_read_message = msgspec.json.Decoder(_Message).decode
_read_payload = msgspec.json.Decoder(_Payload).decode

Row = tuple[int, int]


class Client:
    """One connection with its share of the subscriptions. rows: how often each came to each; arrivals by slot."""

    def __init__(self, port: int, filters: Mapping[str, tuple[str, str]]) -> None:
        self._port = port
        self._filters = filters
        self.rows: dict[str, Counter[Row]] = {name: Counter() for name in filters}
        self.arrivals: list[tuple[int, float]] = []
        self.live = asyncio.Event()

    async def run(self) -> None:
        async with websockets.connect(
            f"ws://127.0.0.1:{self._port}/graphql",
            subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
            proxy=None,
            compression=None,
            max_queue=None,
        ) as connection:
            await connection.send('{"type":"connection_init"}')
            await connection.recv()
            for name, (kind, value) in self._filters.items():
                query = BY_MARKET if kind == "market" else BY_WALLET
                payload = {"query": query, "variables": {kind: value}}
                await connection.send(json.dumps({"id": name, "type": "subscribe", "payload": payload}))
            self.live.set()
            async for frame in connection:
                arrived = time.monotonic()
                message = _read_message(frame)
                if message.type == "ping":
                    await connection.send('{"type":"pong"}')
                    continue
                if message.type != "next" or message.id is None:
                    raise HeliographError(f"the API answered {frame!r}")
                nodes = _read_payload(message.payload).data.trades.nodes
                counted = self.rows[message.id]
                for node in nodes:
                    counted[int(node.slot), node.txIndex] += 1
                self.arrivals.append((int(nodes[0].slot), arrived))


def _filters() -> list[tuple[str, str]]:
    return [*(("market", market) for market in MARKETS), *(("wallet", wallet) for wallet in WALLETS)]


async def measure() -> dict[str, float]:
    """Messages a second, lost and doubled rows, latency from commit to message in milliseconds, memory of the API in MiB."""
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-bench-", ignore_cleanup_errors=True) as folder,
        EmbeddedServer.start(Path(folder) / "data") as server,
    ):
        migrate(server.url)
        async with await Database.open(server.url) as database:
            await add_stream(database, STREAM, protocol="anchor", programs=(PROGRAM,), first_slot=FIRST_SLOT)
        settings = f'database = "{server.url}"\n'
        async with serving(Path(folder), settings, "serve", ready="/health") as (port, process):
            return await _load(server.url, port, psutil.Process(process.pid))


async def _load(url: str, port: int, api: psutil.Process) -> dict[str, float]:
    filters = _filters()
    names = [(f"{number}", filters[number % len(filters)]) for number in range(SUBSCRIPTIONS)]
    clients = [Client(port, dict(names[number::CONNECTIONS])) for number in range(CONNECTIONS)]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    try:
        await asyncio.gather(*(client.live.wait() for client in clients))
        # Every subscription stands once the API has answered each connection's last word.
        await _settled(api)
        before = api.cpu_times()
        written = await _written(url, tasks)
        used = api.cpu_times()
        expected = _expected(written, dict(names))
        await _arrived(clients, sum(len(rows) for rows in expected.values()), tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    got = {name: rows for client in clients for name, rows in client.rows.items()}
    lost = sum(len(rows - got[name].keys()) for name, rows in expected.items())
    extra = sum(len(got[name].keys() - rows) for name, rows in expected.items())
    doubled = sum(count - 1 for rows in got.values() for count in rows.values())
    committed = {each["slot"]: each["at"] for each in written}
    counted = range(FIRST_SLOT + WARM_UP, FIRST_SLOT + len(written))
    late = [
        (at - committed[slot]) * 1000 for client in clients for slot, at in client.arrivals if slot in counted
    ]
    seconds = len(counted) * PACE_MS / 1000
    return {
        "fanout_messages_per_s": round(len(late) / seconds),
        "fanout_p50_ms": round(statistics.median(late), 1),
        "fanout_p99_ms": round(_percentile(late, 99), 1),
        "fanout_lost": lost,
        "fanout_doubled": doubled + extra,
        "fanout_memory_mib": round(api.memory_info().rss / 2**20),
        "fanout_cpu_share": round(
            (used.user + used.system - before.user - before.system) / (len(written) * PACE_MS / 1000), 2
        ),
    }


async def _written(url: str, clients: Sequence[asyncio.Task[None]]) -> list[dict[str, Any]]:
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("fanout_writer.py")),
        *(url, str(WARM_UP + COMMITS), str(PACE_MS)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await writer.communicate()
    _raise(clients)
    if writer.returncode:
        raise HeliographError(f"the writer ended with status {writer.returncode}")
    return [json.loads(line) for line in out.splitlines()]


def _expected(
    written: Sequence[Mapping[str, Any]], filters: Mapping[str, tuple[str, str]]
) -> dict[str, set[Row]]:
    by_value: dict[str, set[Row]] = {}
    for each in written:
        for index, market, taker, maker in each["trades"]:
            for value in {market, taker, maker}:
                by_value.setdefault(value, set()).add((each["slot"], index))
    return {name: by_value.get(value, set()) for name, (_, value) in filters.items()}


async def _arrived(clients: Sequence[Client], rows: int, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Waits until so many rows came, or nothing more for a while."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        _raise(tasks)
        if sum(counted.total() for client in clients for counted in client.rows.values()) >= rows:
            return
        await asyncio.sleep(0.2)


async def _settled(api: psutil.Process) -> None:
    """Returns once the API has done what it was asked: it rests."""
    resting = 0
    while resting < 5:
        before = api.cpu_times()
        await asyncio.sleep(0.2)
        used = api.cpu_times()
        busy = used.user + used.system - before.user - before.system > 0.03
        resting = 0 if busy else resting + 1


def _raise(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()
            raise HeliographError("the API closed a connection")


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]
