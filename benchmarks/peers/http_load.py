"""Sends the same kind of request over a few connections for some seconds, and tells how fast answers came.

A process of its own, so that it shares no interpreter with what it measures: http_load.py HOST:PORT PATH FILE SECONDS
CONNECTIONS, where FILE holds a JSON array of bodies. Prints one JSON object: requests, seconds, and latencies in ms.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import cast

from uvloop import run

_LENGTH = b"content-length:"


class Client(asyncio.Protocol):
    """One connection that keeps one request under way. `broken` holds the first answer that is no good."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._buffer = bytearray()
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.latencies: list[float] = []
        self.broken: bytes | None = None
        self.stopping = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of it.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)
            if not self.stopping:
                self.broken = self.broken or b"the connection was closed"

    def _send(self) -> None:
        assert self._transport is not None
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        at = head.find(_LENGTH)
        if at < 0:
            self._fail()
            return
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        self.latencies.append(time.perf_counter() - self._sent)
        if not head.startswith(b"http/1.1 200") or b'"errors"' in self._buffer:
            self._fail()
            return
        self._buffer.clear()
        if self.stopping:
            self._finish()
        else:
            self._send()

    def _fail(self) -> None:
        self.broken = bytes(self._buffer[:2000])
        self._finish()

    def _finish(self) -> None:
        self.stopping = True
        if self._transport is not None:
            self._transport.close()
        if not self.done.done():
            self.done.set_result(None)


def requests(host: str, path: str, bodies: list[object]) -> Iterator[bytes]:
    """Each body as a whole HTTP request, round and round."""
    made = []
    for body in bodies:
        text = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            f"accept: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        )
        made.append(head.encode() + text)
    return cycle(made)


async def measure(
    host: str, path: str, bodies: list[object], seconds: float, connections: int
) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    source = requests(host, path, bodies)
    name, _, port = host.partition(":")
    clients: list[Client] = []
    start = time.perf_counter()
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(source), name, int(port))
        clients.append(client)
    await asyncio.wait([client.done for client in clients], timeout=seconds)
    for client in clients:
        client.stopping = True
    await asyncio.wait([client.done for client in clients], timeout=60)
    taken = time.perf_counter() - start
    for client in clients:
        if client.broken is not None:
            raise SystemExit(f"{host}{path} answered {client.broken!r}")
    latencies = sorted(value for client in clients for value in client.latencies)
    return {
        "requests": len(latencies),
        "seconds": taken,
        **{
            f"p{percent}_ms": latencies[math.ceil(len(latencies) * percent / 100) - 1] * 1000
            for percent in (50, 99)
        },
    }


if __name__ == "__main__":
    host, path, file, seconds, connections = sys.argv[1:]
    found = run(measure(host, path, json.loads(Path(file).read_bytes()), float(seconds), int(connections)))
    print(json.dumps(found))
