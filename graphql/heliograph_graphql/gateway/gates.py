"""What a request must pass before anything is done for it: its key, its rate, and how much its caller has under way."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliograph_graphql.gateway.caller import caller_of
from heliograph_graphql.gateway.concurrency import RequestsAtOnce
from heliograph_graphql.gateway.exchange import exchange_of
from heliograph_graphql.gateway.keys import Admission, is_for_data
from heliograph_graphql.gateway.live_connections import LiveConnections, is_live
from heliograph_graphql.gateway.rate_limits import RateLimits
from heliograph_graphql.gateway.refusal import Refusal

_UNCOUNTED = frozenset({"/health", "/ready", "/metrics"})
_KEY_HEADERS = ("Authorization", "X-API-Key")


class Gates:
    """ASGI middleware. Where keys are required, what they open is kept by no cache that others share."""

    def __init__(
        self,
        app: ASGIApp,
        admission: Admission,
        limits: RateLimits,
        live: LiveConnections,
        at_once: RequestsAtOnce,
    ) -> None:
        self._app = app
        self._admission = admission
        self._limits = limits
        self._live = live
        self._at_once = at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = await self._admission.admit(scope)
        if refusal is None and self._limits.bounds(caller_of(scope)):
            refusal = await self._spend(scope)
        if refusal is not None:
            await refusal.send(scope, receive, send)
            return
        lives = is_live(scope)
        for_data = scope["type"] == "http" and is_for_data(scope)
        if self._admission.required and for_data:
            send = _private(send)
        if not lives and not for_data:
            await self._app(scope, receive, send)
            return
        counted = self._live if lives else self._at_once
        with counted.under_way(scope) as refusal:
            if refusal is not None:
                await refusal.send(scope, receive, send)
            else:
                await self._app(scope, receive, send)

    async def _spend(self, scope: Scope) -> Refusal | None:
        """Counts every HTTP request and every WebSocket handshake."""
        if scope["path"] in _UNCOUNTED:
            return None
        refusal, told = await self._limits.spend(caller_of(scope))
        if refusal is None:
            # A refusal has them itself.
            exchange_of(scope).headers.extend((name.encode(), value.encode()) for name, value in told.items())
        return refusal


def _private(send: Send) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            kept = headers.get("cache-control", "no-cache")
            if "no-store" not in kept:
                headers["cache-control"] = f"private, {kept}"
            for name in _KEY_HEADERS:
                headers.add_vary_header(name)
        await send(message)

    return tell
