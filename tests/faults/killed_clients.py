"""Clients that are killed again and again, each of another protocol, and resume from their last cursor at any replica.

Killed: the connection is cut without a word, after some milliseconds (in the middle of whatever is under way, the handshake
too) or right behind one of the first messages (in the middle of a replay, where there is one).
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import httpx2
from tests.endtoend.nodes import LIVE, selection
from tests.faults.held import Held, HeldObjects, HeldRows, seq_of
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from heliograph_core.cursor import StreamPosition, encode_stream

MOST_LIFE_S = 0.25
"""Of a client that is killed by the clock."""
MOST_MESSAGES = 12
"""That a client takes which is killed by their number."""
MOST_ABSENCE_S = 0.5
_LONGEST_S = 0.5
"""For which a client waits for the message behind which it is to be killed."""
_RETRY_S = 0.02


class _Killed(Exception):
    pass


class KilledClient(ABC):
    """kills: of it; in_replay: those at which it had not been told yet what was there when it connected; cut: how often the
    server ended it, or did not answer; switches: how often it connected to another replica than the time before."""

    def __init__(self, stream: str, dice: Random) -> None:
        self.beginning = encode_stream({stream: StreamPosition.after(0)})
        self.held: dict[str, Held] = {}
        self.messages = self.kills = self.in_replay = self.cut = self.switches = 0
        self._dice = dice
        self._left: int | None = None
        self._host = ""

    async def run(
        self, most: int, hosts: Callable[[], Sequence[str]], head: Callable[[], Awaitable[int]]
    ) -> None:
        """Is killed so many times, then listens until cancelled. head: the newest commit."""
        while True:
            host = self._dice.choice(hosts())
            self.switches += self._host not in ("", host)
            self._host = host
            await self._live(host, await head(), mortal=self.kills < most)
            if self._dice.random() < 0.3:
                await asyncio.sleep(self._dice.uniform(0, MOST_ABSENCE_S))

    async def _live(self, host: str, head: int, *, mortal: bool) -> None:
        by_clock = self._dice.random() < 0.3
        self._left = None if by_clock or not mortal else self._dice.randint(0, MOST_MESSAGES)
        life_s = self._dice.uniform(0, MOST_LIFE_S) if by_clock else _LONGEST_S
        try:
            async with asyncio.timeout(life_s if mortal else None):
                await self.listen(host)
        except (TimeoutError, _Killed):
            self.kills += 1
            self.in_replay += any(seq_of(held.cursor) < head for held in self.held.values())
            return
        except (OSError, ConnectionClosed, InvalidHandshake, httpx2.TransportError):
            pass
        self.cut += 1
        await asyncio.sleep(_RETRY_S)

    @abstractmethod
    async def listen(self, host: str) -> None:
        """Subscribes behind what is held, and takes what comes until the connection ends."""

    def asked(self) -> None:
        """Everything is subscribed to."""
        if self._left == 0:
            raise _Killed

    def take(self, name: str, message: Mapping[str, Any], cursor: str) -> None:
        self.held[name].take(message, cursor)
        self.messages += 1
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise _Killed


class GraphQLSocketClient(KilledClient):
    """graphql-transport-ws: what happens, and all positions."""

    def __init__(self, stream: str, dice: Random) -> None:
        super().__init__(stream, dice)
        self.held = {root: HeldRows(self.beginning) for root in LIVE} | {"positions": HeldObjects()}

    async def listen(self, host: str) -> None:
        async with _socket(f"ws://{host}/graphql", Subprotocol("graphql-transport-ws")) as socket:
            await _say(socket, {"type": "connection_init"})
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            for root, held in self.held.items():
                query = _subscription(root, held)
                await _say(socket, {"type": "subscribe", "id": root, "payload": {"query": query}})
            self.asked()
            async for text in socket:
                message = json.loads(text)
                assert message["type"] == "next" and "errors" not in message["payload"], message
                told = message["payload"]["data"][message["id"]]
                self.take(message["id"], told, told["cursor"])


class EventSourceClient(KilledClient):
    """Server-Sent Events, resumed by Last-Event-ID as browsers do it: a connection each for trades, changes and balances."""

    def __init__(self, stream: str, dice: Random, http: httpx2.AsyncClient) -> None:
        super().__init__(stream, dice)
        self._http = http
        self.held = {
            "trades": HeldRows(self.beginning),
            "positionChanges": HeldRows(self.beginning),
            "balances": HeldObjects(),
        }

    async def listen(self, host: str) -> None:
        tasks = [asyncio.create_task(self._follow(host, root)) for root in self.held]
        try:
            self.asked()
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, host: str, root: str) -> None:
        held = self.held[root]
        headers = {"accept": "text/event-stream"}
        if held.cursor is not None:
            headers["last-event-id"] = held.cursor
        # What it does not resume from is what EventSource asks for again each time.
        query = _subscription(root, held, after=False)
        request = self._http.stream("GET", f"http://{host}/graphql", params={"query": query}, headers=headers)
        async with request as response:
            assert response.status_code == 200, response
            async for event in _events(response):
                assert event.get("event") == "next", event
                message = json.loads(event["data"])
                assert "errors" not in message, message
                self.take(root, message["data"][root], event["id"])


class PlainSocketClient(KilledClient):
    """/ws: prices of a market, and a wallet's open positions and balances."""

    def __init__(self, stream: str, dice: Random, market: str, wallet: str) -> None:
        super().__init__(stream, dice)
        self.wallet = wallet
        self._ids = {"price": market, "wallet": wallet}
        self._prices, self._positions, self._balances = (
            HeldRows(self.beginning),
            HeldObjects(),
            HeldObjects(),
        )
        self.held = {
            "oraclePrices": self._prices,
            "positions": self._positions,
            "balances": self._balances,
        }
        self._cursors = {"price": self.beginning, "wallet": ""}

    async def listen(self, host: str) -> None:
        async with _socket(f"ws://{host}/ws") as socket:
            for topic, id_ in self._ids.items():
                after = self._cursors[topic] or None
                await _say(socket, {"subscribe": topic, "id": id_, "after": after})
            self.asked()
            async for text in socket:
                message = json.loads(text)
                assert "error" not in message, message
                if "type" in message:
                    self._cursors[message["type"]] = message["cursor"]
                    (root,) = message.keys() & self.held.keys()
                    self.take(root, message[root], message["cursor"])


@asynccontextmanager
async def _socket(url: str, *protocols: Subprotocol) -> AsyncIterator[ClientConnection]:
    """A connection that ends without a close frame, whatever ends it."""
    socket = await connect(url, subprotocols=protocols or None, proxy=None, max_size=None, ping_interval=None)
    try:
        yield socket
    finally:
        socket.transport.abort()


async def _say(socket: ClientConnection, message: Mapping[str, object]) -> None:
    await socket.send(json.dumps(message))


def _subscription(root: str, held: Held, *, after: bool = True) -> str:
    members = "snapshot removed" if isinstance(held, HeldObjects) else "discard { fromSlot throughSlot }"
    argument = f"(after: {json.dumps(held.cursor)})" if after and held.cursor is not None else ""
    fields = selection(root).replace("nodes {", "nodes { id", 1)
    return f"subscription {{ {root}{argument} {{ cursor {members} {fields} }} }}"


async def _events(response: httpx2.Response) -> AsyncIterator[dict[str, str]]:
    """Events of a stream by their fields; those without data are none (they may set the id alone)."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            event[name] = value.removeprefix(" ")
            continue
        if event.get("data"):
            yield event
        event = {}
