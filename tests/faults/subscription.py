"""A subscriber as a client should be: whatever ends its subscription, it goes on from the last cursor it was sent."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Self

from tests.endtoend.indexing import PATIENCE_S
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from heliograph_core.cursor import StreamPosition, encode_stream

_QUERY = "subscription {{ positionChanges(after: {after}) {{ cursor nodes {{ slot signature }} }} }}"
_RETRY_S = 0.1


class Subscription:
    """All position changes of a stream from its beginning. resumed: how often it began again."""

    def __init__(self, url: str, stream: str) -> None:
        self._url = url.replace("http://", "ws://", 1)
        self._cursor = encode_stream({stream: StreamPosition.after(0)})
        self._rows: list[tuple[int, str]] = []
        self._grown = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self.resumed = -1

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None
        self._running.cancel()
        await asyncio.wait({self._running})

    async def rows(self, count: int) -> list[tuple[int, str]]:
        """(slot, signature) of each row that came, once there are so many. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self._rows) < count:
                assert self._running is not None and not self._running.done(), self._running
                self._grown.clear()
                await self._grown.wait()
        return self._rows

    async def _run(self) -> None:
        while True:
            self.resumed += 1
            try:
                await self._follow()
            except (OSError, ConnectionClosed):
                pass  # It begins again where it was.
            await asyncio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        """Until the connection or the subscription ends."""
        async with connect(self._url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            query = _QUERY.format(after=json.dumps(self._cursor))
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "next" and message["payload"].get("data") is not None:
                    told = message["payload"]["data"]["positionChanges"]
                    self._rows += [(int(node["slot"]), node["signature"]) for node in told["nodes"]]
                    self._cursor = told["cursor"]
                    self._grown.set()
                elif message["type"] in ("error", "complete", "next"):
                    return
