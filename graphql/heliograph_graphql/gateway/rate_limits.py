"""Rate limits by key, and by address where there is none. Counted by the library `limits`, here or in Redis."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliograph_core.errors import SettingsError
from heliograph_graphql.gateway.caller import Caller, caller_of
from heliograph_graphql.gateway.refusal import RATE_LIMITED, Refusal
from heliograph_graphql.gateway.settings import GatewaySettings

_FREE = frozenset({"/health", "/ready", "/metrics"})


class RateLimits:
    """Counts requests. Raises SettingsError for a storage that the library does not know."""

    def __init__(self, settings: GatewaySettings) -> None:
        try:
            storage = storage_from_string(settings.rate_storage)
            self._limiter = SlidingWindowCounterRateLimiter(storage)
        except (ConfigurationError, NotImplementedError, AssertionError, ValueError) as error:
            raise SettingsError(
                f"rate_storage is {settings.rate_storage!r} ({error}): set async+memory:// or async+redis://HOST"
            ) from None
        self._settings = settings
        self._bad_keys = RateLimitItemPerMinute(settings.bad_keys_per_minute)

    def most(self, caller: Caller) -> int | None:
        """Requests a minute that the caller may make; None: any number."""
        if caller.key is None:
            return self._settings.address_requests_per_minute
        return caller.key.requests_per_minute or self._settings.key_requests_per_minute

    async def spend(self, caller: Caller) -> tuple[Refusal | None, dict[str, str]]:
        """Counts one request: why it is refused, if it is, and the headers that tell what is left."""
        most = self.most(caller)
        if most is None:
            return None, {}
        item = RateLimitItemPerMinute(most)
        admitted = await self._limiter.hit(item, *caller.identity)
        window = await self._limiter.get_window_stats(item, *caller.identity)
        reset = max(1, math.ceil(window.reset_time - time.time()))
        headers = {
            "ratelimit-limit": str(most),
            "ratelimit-remaining": str(max(0, window.remaining)),
            "ratelimit-reset": str(reset),
        }
        if admitted:
            return None, headers
        whose = "this key" if caller.key is not None else "this address"
        hint = "" if caller.key is not None else ", or ask with an API key"
        text = f"{whose} may make {most} requests a minute: wait {reset} s{hint}"
        return Refusal(text, RATE_LIMITED, 429, {**headers, "retry-after": str(reset)}), headers

    async def check_bad_keys(self, address: str) -> Refusal | None:
        """Whether the address has sent too much that is no key."""
        if await self._limiter.test(self._bad_keys, "bad", address):
            return None
        text = f"more than {self._settings.bad_keys_per_minute} requests a minute of this address had a key that is none: wait"
        return Refusal(text, RATE_LIMITED, 429, {"retry-after": "60"})

    async def note_bad_key(self, address: str) -> None:
        await self._limiter.hit(self._bad_keys, "bad", address)


class RateLimited:
    """ASGI middleware: counts every HTTP request and every WebSocket handshake."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in _FREE:
            await self._app(scope, receive, send)
            return
        refusal, headers = await self._limits.spend(caller_of(scope))
        if refusal is not None:
            await refusal.send(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, tell if headers else send)
