"""What each request or WebSocket has besides its answer: an id, a line of the access log, and figures.

One middleware does all three, because each that stands before an answer costs as much as a small part of making it.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Collection
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliograph_graphql.api_figures import OTHER, ApiFigures
from heliograph_graphql.gateway.caller import caller_of
from heliograph_graphql.gateway.request_head import header

REQUEST_ID = "x-request-id"
_GIVEN = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_ENDLESS = b"text/event-stream"
_QUIET = frozenset({"/health", "/ready", "/metrics"})
_SCOPE = "heliograph.exchange"
_log = structlog.get_logger(__name__)
# Ids tell requests apart, and keep nothing secret.
_numbers = random.Random()

RawHeader = tuple[bytes, bytes]


class Exchange:
    """One request and its answer. headers: what the answer's head gets besides its own; whoever adds to it does so before."""

    __slots__ = ("_send", "began", "headers", "request_id", "settled_at", "size", "status", "varies")

    def __init__(self, scope: Scope, send: Send) -> None:
        given = header(scope, REQUEST_ID)
        # An id that could not be a word of a log line is replaced.
        self.request_id = given if given and _GIVEN.fullmatch(given) else f"{_numbers.getrandbits(64):016x}"
        self.headers: list[RawHeader] = [(REQUEST_ID.encode(), self.request_id.encode())]
        self.varies: list[bytes] = []
        """Names of request headers that the answer depends on, besides those that it says itself."""
        # Stands where the application raises before it answers, or accepts no WebSocket: the server then answers so.
        self.status = 500 if scope["type"] == "http" else 403
        self.size = 0
        self.began = time.monotonic()
        self.settled_at: float | None = None
        """When an answer began that ends only when the client leaves, which says nothing of how fast anything was."""
        self._send = send

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            self.size += len(message.get("body", b""))
        elif kind == "http.response.start":
            self.status = message["status"]
            self._begin(message)
        elif kind == "websocket.send":
            self.size += len(message.get("text") or message.get("bytes") or "")
        elif kind == "websocket.accept":
            self.status = 101
            self._begin(message)
        await self._send(message)

    def _begin(self, message: Message) -> None:
        headers = message["headers"] = [*message.get("headers", ()), *self.headers]
        if self.varies and message["type"] == "http.response.start":
            headers.append((b"vary", b", ".join(self.varies)))
        if any(name == b"content-type" and value.startswith(_ENDLESS) for name, value in headers):
            self.settled_at = time.monotonic()


def exchange_of(scope: Scope) -> Exchange:
    """That of a request or WebSocket which came through `Exchanges`."""
    found: Any = scope[_SCOPE]
    assert isinstance(found, Exchange)
    return found


class Exchanges:
    """ASGI middleware, the outermost. routes: paths to tell apart in figures; all others are one.

    access_log: one line a request, once its answer is sent, without query strings and bodies: they may hold what is nobody's business.
    """

    def __init__(
        self, app: ASGIApp, figures: ApiFigures, routes: Collection[str], *, access_log: bool
    ) -> None:
        self._app = app
        self._figures = figures
        self._routes = frozenset(routes)
        self._access_log = access_log
        self._log: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = scope[_SCOPE] = Exchange(scope, send)
        bound = structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            self._tell(scope, exchange)
            structlog.contextvars.reset_contextvars(**bound)

    def _tell(self, scope: Scope, exchange: Exchange) -> None:
        ended, path = time.monotonic(), scope["path"]
        if scope["type"] == "http":
            route = path if path in self._routes else OTHER
            seconds = (exchange.settled_at or ended) - exchange.began
            self._figures.answered(route, scope["method"], exchange.status, seconds)
        if not self._access_log or path in _QUIET:
            return
        if self._log is None:
            # Once, and not before logging is set up.
            self._log = _log.bind()
        if not self._log.is_enabled_for(logging.INFO):
            return
        caller = caller_of(scope)
        self._log.info(
            "request",
            method=scope.get("method", "WEBSOCKET"),
            path=_printable(path[:200]),
            status=exchange.status,
            ms=round((ended - exchange.began) * 1000, 1),
            bytes=exchange.size,
            address=caller.address,
            key=caller.key.id if caller.key is not None else None,
        )


def _printable(text: str) -> str:
    """Control characters are nobody's terminal's business."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
