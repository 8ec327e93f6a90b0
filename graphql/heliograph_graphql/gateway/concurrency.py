"""How many requests of one caller run at a time, so that one who asks for slow things does not hold every connection."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from heliograph_graphql.gateway.caller import caller_of
from heliograph_graphql.gateway.keys import is_for_data
from heliograph_graphql.gateway.live_connections import is_live
from heliograph_graphql.gateway.refusal import RATE_LIMITED, Refusal


class Concurrency:
    """ASGI middleware. most: requests for data that a key, or an address without one, may have under way."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._running: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_live(scope) or not is_for_data(scope):
            await self._app(scope, receive, send)
            return
        who = caller_of(scope).identity
        if self._running[who] >= self._most:
            text = f"{self._most} requests of this {who[0]} are under way: wait for one of them"
            await Refusal(text, RATE_LIMITED, 429, {"retry-after": "1"}).send(scope, receive, send)
            return
        self._running[who] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running[who] -= 1
            if not self._running[who]:
                del self._running[who]
