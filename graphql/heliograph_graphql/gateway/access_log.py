"""The access log: one structured line a request, once its answer is sent."""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliograph_graphql.gateway.caller import caller_of

_QUIET = frozenset({"/health", "/ready", "/metrics"})
_log = structlog.get_logger(__name__)


class AccessLog:
    """ASGI middleware. Query strings and bodies are not logged: they may hold what is nobody's business."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status, size = 0, 0

        async def note(message: Message) -> None:
            nonlocal status, size
            match message["type"]:
                case "http.response.start":
                    status = message["status"]
                case "websocket.accept":
                    status = 101
                case "http.response.body":
                    size += len(message.get("body", b""))
                case "websocket.send":
                    size += len(message.get("text") or message.get("bytes") or "")
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            caller = caller_of(scope)
            _log.info(
                "request",
                method=scope.get("method", "WEBSOCKET"),
                path=scope["path"][:200],
                status=status,
                ms=round((time.monotonic() - began) * 1000, 1),
                bytes=size,
                address=caller.address,
                key=caller.key.id if caller.key is not None else None,
            )
