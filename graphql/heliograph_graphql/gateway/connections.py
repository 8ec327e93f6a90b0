"""Connections of the HTTP server: how many, how long they may say nothing, how long they may take nothing.

uvicorn waits for a first request without end, and for a client that reads nothing too. Its protocol is asked for by class,
so the bounds stand in a subclass of whichever it would use.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from heliograph_core.figure import Figure, Reading
from heliograph_graphql.gateway.one_write import GatheringTransport
from heliograph_graphql.gateway.settings import GatewaySettings

OPEN = Figure(
    "heliograph_api_connections", "gauge", "HTTP connections open, without those that became WebSockets."
)
CUT = Figure(
    "heliograph_api_connections_cut_total",
    "counter",
    "Connections that were closed for being too many, silent or slow, or for a request's head that is too large.",
    ("reason",),
)
_MOST_HEAD_BYTES = 64 * 1024
"""Of one request, as it comes: a head that is longer than this and not at its end ends its connection."""
WHOLE = "heliograph.whole"
"""Set in the scope of a request whose body has come to its end: whoever reads it waits for nobody."""
_log = structlog.get_logger(__name__)


class Connections:
    """Counts the connections of one server; a FigureSource. `protocol` is what uvicorn is to make for each."""

    figures: Sequence[Figure] = (OPEN, CUT)

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.open: set[asyncio.Transport] = set()
        # In order of arrival: the first has been silent longest.
        self.silent: dict[asyncio.Transport, None] = {}
        self.cut = {"too_many": 0, "silent": 0, "slow": 0, "large_head": 0}
        self._newcomers: deque[_Bounded] = deque()
        bound = self

        class Protocol(_Bounded):
            bounds = bound

        self.protocol: type[asyncio.Protocol] = Protocol

    def readings(self) -> Iterator[Reading]:
        yield Reading(OPEN, len(self.open))
        for reason, count in self.cut.items():
            yield Reading(CUT, count, (reason,))

    def arrived(self, transport: asyncio.Transport) -> None:
        if len(self.open) >= self.settings.connections:
            self.end(transport, "too_many")
            return
        self.open.add(transport)
        self.silent[transport] = None
        if len(self.silent) > self.settings.silent_connections:
            self.end(next(iter(self.silent)), "silent")

    def spoke(self, transport: asyncio.Transport) -> None:
        self.silent.pop(transport, None)

    def introduce(self, newcomer: _Bounded) -> None:
        """Lets it say its first words when its turn comes: one newcomer in a turn of the event loop.

        A WebSocket's handshake costs as much as a small query, and dozens arrive at once: those who are known wait for one of
        them, not for all.
        """
        self._newcomers.append(newcomer)
        if len(self._newcomers) == 1:
            asyncio.get_running_loop().call_soon(self._hear_next)

    def _hear_next(self) -> None:
        newcomer = self._newcomers[0]
        try:
            newcomer.hear()
        finally:
            self._newcomers.popleft()
            if self._newcomers:
                asyncio.get_running_loop().call_soon(self._hear_next)

    def left(self, transport: asyncio.Transport) -> None:
        self.open.discard(transport)
        self.silent.pop(transport, None)

    def end(self, transport: asyncio.Transport, reason: str) -> None:
        """Cuts a connection; what it has not taken is lost."""
        self.cut[reason] += 1
        self.left(transport)
        transport.abort()


class _Bounded(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    bounds: Connections

    def connection_made(self, transport: Any) -> None:
        self._head: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        # Bytes of a request's head that has not come to its end.
        self._head_bytes = 0
        self._in_head = True
        self._ended = False
        # What a newcomer said whose turn has not come; None once it is known.
        self._first: bytes | None = b""
        super().connection_made(GatheringTransport(transport))
        self.bounds.arrived(self.transport)
        loop = asyncio.get_running_loop()
        self._head = loop.call_later(self.bounds.settings.head_timeout_s, self._is_silent)

    def data_received(self, data: bytes) -> None:
        if self._first is None:
            self._hear(data)
            return
        if not self._first:
            self.bounds.introduce(self)
        self._first += data

    def hear(self) -> None:
        """Its turn has come."""
        first, self._first = self._first, None
        if first and not self.transport.is_closing():
            self._hear(first)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes, self._ended = True, 0, True
        super().on_message_complete()
        if self.cycle is not None:
            self.cycle.scope[WHOLE] = True

    def _hear(self, data: bytes) -> None:
        self._ended = False
        super().data_received(data)
        # What came with the end of a request before is not told apart from it.
        if self._in_head and not self._ended:
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_HEAD_BYTES and self.transport.get_protocol() is self:
                self.bounds.end(self.transport, "large_head")
                return
        if self._head is not None and (self.cycle is not None or self.transport.get_protocol() is not self):
            self._head.cancel()
            self._head = None
            self.bounds.spoke(self.transport)
        if self.transport.get_protocol() is not self:
            self.bounds.left(self.transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stuck is None:
            loop = asyncio.get_running_loop()
            self._stuck = loop.call_later(self.bounds.settings.write_timeout_s, self._is_slow)

    def resume_writing(self) -> None:
        self._forget_stuck()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # A transport that closes waits for what is still to be taken, without end.
        loop = asyncio.get_running_loop()
        self._stuck = self._stuck or loop.call_later(self.bounds.settings.write_timeout_s, self._is_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head is not None:
            self._head.cancel()
        self._forget_stuck()
        self.bounds.left(self.transport)
        super().connection_lost(exc)

    def _forget_stuck(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _is_silent(self) -> None:
        self._head = None
        self.bounds.end(self.transport, "silent")

    def _is_slow(self) -> None:
        self._stuck = None
        _log.warning("slow_http_client", write_timeout_s=self.bounds.settings.write_timeout_s)
        self.bounds.end(self.transport, "slow")
