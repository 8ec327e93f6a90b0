"""How many requests of one caller run at a time, so that one who asks for slow things does not hold every connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from heliograph_graphql.gateway.caller import caller_of
from heliograph_graphql.gateway.keys import is_for_data
from heliograph_graphql.gateway.live_connections import is_live
from heliograph_graphql.gateway.refusal import RATE_LIMITED, Refusal
from heliograph_graphql.gateway.tally import Tally


class RequestsAtOnce:
    """Counts requests for data, by whichever protocol they come. most: that a caller may have under way, None for any number."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._running = Tally()

    @contextmanager
    def under_way(self, scope: Scope) -> Iterator[Refusal | None]:
        """One request for the time of the block; or why it must not run, and it is not counted."""
        caller = caller_of(scope)
        full = self._running.full(caller, self._most) if self._most is not None else None
        if full is not None:
            text = f"{self._most} requests of this {full[0]} are under way: wait for one of them"
            yield Refusal(text, RATE_LIMITED, 429, {"retry-after": "1"})
            return
        with self._running.counted(caller):
            yield None


class Concurrency:
    """ASGI middleware. What comes over a live connection is counted where it is run, one operation at a time."""

    def __init__(self, app: ASGIApp, at_once: RequestsAtOnce) -> None:
        self._app = app
        self._at_once = at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_live(scope) or not is_for_data(scope):
            await self._app(scope, receive, send)
            return
        with self._at_once.under_way(scope) as refusal:
            if refusal is not None:
                await refusal.send(scope, receive, send)
            else:
                await self._app(scope, receive, send)
