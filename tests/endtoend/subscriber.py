"""A client of the API's subscriptions: several on one graphql-transport-ws connection, everything kept in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

_PROTOCOL = Subprotocol("graphql-transport-ws")
_TIMEOUT_S = 30


class Subscriber:
    """messages: by the root field of the subscription, what the field held in each message that came."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._arrived = asyncio.Condition()
        self.messages: dict[str, list[dict[str, Any]]] = {}

    async def subscribe(
        self, field: str, selection: str, *, after: str | None = None, history: bool = False, **asked: str
    ) -> None:
        """One subscription a field. after: the cursor behind which it begins, else whenever the server gets to it.

        history: what was filled in on request, too. asked: further arguments of type String.
        """
        self.messages[field] = []
        given = [f"{name}: {json.dumps(value)}" for name, value in asked.items()]
        given += [] if after is None else [f"after: {json.dumps(after)}"]
        given += ["history: true"] if history else []
        arguments = f"({', '.join(given)})" if given else ""
        query = f"subscription {{ {field}{arguments} {{ {selection} }} }}"
        await self._send({"type": "subscribe", "id": field, "payload": {"query": query}})

    def nodes(self, field: str) -> list[dict[str, Any]]:
        """The rows of all messages of one subscription, in the order of arrival."""
        return [node for message in self.messages[field] for node in message["nodes"]]

    async def first(self, field: str) -> dict[str, Any]:
        """The first message of a subscription. Raises TimeoutError."""
        async with asyncio.timeout(_TIMEOUT_S), self._arrived:
            await self._arrived.wait_for(lambda: bool(self.messages[field]))
        return self.messages[field][0]

    async def receive(self, counts: Mapping[str, int]) -> None:
        """Returns once each subscription brought at least so many rows. Raises TimeoutError."""
        async with asyncio.timeout(_TIMEOUT_S), self._arrived:
            await self._arrived.wait_for(
                lambda: all(len(self.nodes(field)) >= count for field, count in counts.items())
            )

    async def run(self) -> None:
        """Until cancelled or the connection ends. Raises AssertionError for anything but data."""
        async for text in self._socket:
            message = json.loads(text)
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            async with self._arrived:
                self.messages[message["id"]].append(message["payload"]["data"][message["id"]])
                self._arrived.notify_all()

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._socket.send(json.dumps(message))


@asynccontextmanager
async def subscriber(host: str) -> AsyncIterator[Subscriber]:
    """A connection for the time of the block."""
    async with connect(f"ws://{host}/graphql", subprotocols=[_PROTOCOL]) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        acknowledged = json.loads(await socket.recv())
        assert acknowledged["type"] == "connection_ack", acknowledged
        client = Subscriber(socket)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(client.run())
            yield client
            running.cancel()
