"""A small HTTP endpoint whose every answer a test writes itself: for faults that no cluster gives on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

Answer = bytes | tuple[int, dict[str, str], bytes]
Script = Callable[[Any], Answer]
"""Request body as JSON to a 200 body, or (status, headers, body). Empty headers and status 0: drop the connection."""


class FakeEndpoint:
    """requests: each body received, as JSON. sizes: its length in bytes."""

    def __init__(self) -> None:
        self.script: Script = answer_all
        self.requests: list[Any] = []
        self.sizes: list[int] = []
        self.url = ""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                body = await reader.readexactly(length)
                self.requests.append(orjson.loads(body))
                self.sizes.append(length)
                answer = self.script(self.requests[-1])
                status, headers, content = answer if isinstance(answer, tuple) else (200, {}, answer)
                if status == 0:
                    return
                lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
                if "content-length" not in headers:
                    lines.append(f"content-length: {len(content)}")
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
                await writer.drain()
                if headers.get("content-length"):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._open.discard(writer)
            writer.close()


def answer_all(request: Any) -> bytes:
    """Each call's result is its method's name."""
    if isinstance(request, list):
        return orjson.dumps([{"jsonrpc": "2.0", "id": one["id"], "result": one["method"]} for one in request])
    return orjson.dumps({"jsonrpc": "2.0", "id": request["id"], "result": request["method"]})


@pytest.fixture
async def endpoint() -> AsyncIterator[FakeEndpoint]:
    fake = FakeEndpoint()
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()


@pytest.fixture
async def endpoints() -> AsyncIterator[tuple[FakeEndpoint, FakeEndpoint]]:
    """Two of one cluster."""
    first, second = FakeEndpoint(), FakeEndpoint()
    await first.start()
    await second.start()
    try:
        yield first, second
    finally:
        await first.stop()
        await second.stop()
