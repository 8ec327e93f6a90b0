"""How many live connections are served at a time, and how many of them to one caller: WebSockets, and event streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Scope

from heliograph_graphql.failures import TOO_MANY
from heliograph_graphql.gateway.caller import Caller, caller_of
from heliograph_graphql.gateway.refusal import Refusal
from heliograph_graphql.gateway.request_head import header
from heliograph_graphql.gateway.tally import Tally


class LiveConnections:
    """Counted by who connects: a key that comes later, with connection_init, changes nothing."""

    def __init__(self, most: int, each: int | None) -> None:
        self._most = most
        self._each = each
        self._open = Tally()

    @contextmanager
    def under_way(self, scope: Scope) -> Iterator[Refusal | None]:
        """One connection for the time of the block; or why it must not be, and it is not counted."""
        caller = caller_of(scope)
        refusal = self._refuse(caller)
        if refusal is not None:
            yield refusal
            return
        with self._open.counted(caller):
            yield None

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
        and "text/event-stream" in (header(scope, "accept") or "").lower()
    )
