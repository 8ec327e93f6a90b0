"""Sends what one response consists of with one system call: uvicorn writes its head and its body apart.

Over the loopback a write costs as much as all else that a small answer takes, and wakes the client twice.
"""

from __future__ import annotations

import asyncio
from typing import Any


class GatheringTransport:
    """A transport whose writes of one turn of the event loop leave together, in order; closing sends them first."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._waiting:
            data, self._waiting = b"".join(self._waiting), []
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        # What changes the order of bytes or who reads them sees none of ours left behind.
        self._flush()
        return getattr(self._transport, name)
