"""How many live connections are served at a time, and how many of them to one caller: WebSockets, and event streams."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from heliograph_graphql.failures import TOO_MANY
from heliograph_graphql.gateway.caller import Caller, caller_of
from heliograph_graphql.gateway.refusal import Refusal
from heliograph_graphql.gateway.tally import Tally


class LiveConnections:
    """ASGI middleware. Counted by who connects: a key that comes later, with connection_init, changes nothing."""

    def __init__(self, app: ASGIApp, most: int, each: int | None) -> None:
        self._app = app
        self._most = most
        self._each = each
        self._open = Tally()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_live(scope):
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)
        refusal = self._refuse(caller)
        if refusal is not None:
            await refusal.send(scope, receive, send)
            return
        with self._open.counted(caller):
            await self._app(scope, receive, send)

    def _refuse(self, caller: Caller) -> Refusal | None:
        if self._open.total >= self._most:
            text = "this server has as many live connections as it serves: try another, or later"
            return Refusal(text, TOO_MANY, 503, {"retry-after": "5"})
        full = self._open.full(caller, self._each) if self._each is not None else None
        if full is not None:
            text = f"this {full[0]} has {self._each} live connections, the most allowed: put more subscriptions on each"
            return Refusal(text, TOO_MANY, 429, {"retry-after": "5"})
        return None


def is_live(scope: Scope) -> bool:
    """Whether the connection stays open for messages to come."""
    if scope["type"] == "websocket":
        return True
    # Elsewhere the words mean nothing, and must not lift the bound on requests at once.
    return (
        scope["type"] == "http"
        and scope["path"] == "/graphql"
        and "text/event-stream" in Headers(scope=scope).get("accept", "").lower()
    )
