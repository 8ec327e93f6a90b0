"""API keys on requests: whose they are, and who is refused for want of one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.datastructures import QueryParams
from starlette.types import Scope

from heliograph_core.errors import DatabaseError
from heliograph_graphql.cache import BoundedCache
from heliograph_graphql.failures import UNAVAILABLE
from heliograph_graphql.gateway.caller import caller_of
from heliograph_graphql.gateway.rate_limits import RateLimits
from heliograph_graphql.gateway.refusal import UNAUTHENTICATED, Refusal
from heliograph_graphql.gateway.request_head import header
from heliograph_sql.database import Database
from heliograph_sql.keys import Key, parse_key, read_key

OPERATION_PARAMETERS = frozenset({"query", "extensions", "documentId"})
"""Query parameters, one of which makes GET /graphql a request for an operation."""
_PUBLIC = frozenset(
    {
        "/",
        "/api",
        "/api/openapi.json",
        "/auth/key",
        "/auth/nonce",
        "/health",
        "/metrics",
        "/ready",
        "/schema.graphql",
    }
)
_EXPLORER = "/explorer/"
_KNOWN = 10_000
_NO_KEY = Refusal(
    "this address needs an API key: send it as `Authorization: Bearer …` or `X-API-Key`",
    UNAUTHENTICATED,
    401,
    {"www-authenticate": "Bearer"},
)
_BAD_KEY = Refusal(
    "this API key is none: it is misspelt, expired or revoked",
    UNAUTHENTICATED,
    401,
    {"www-authenticate": "Bearer"},
)
_AWAY = Refusal("the database cannot be reached now: try again", UNAVAILABLE, 503, {"retry-after": "1"})


class KeyRing:
    """Finds keys. A key that was found is believed for `cache_s`; what is no key is looked up each time, and counted."""

    def __init__(
        self, database: Database, cache_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._cache_s = cache_s
        self._clock = clock
        self._known: BoundedCache[tuple[float, Key]] = BoundedCache(_KNOWN)

    def known(self, text: str) -> Key | None:
        """The key of this text where it is believed without asking."""
        parsed = parse_key(text)
        held = self._known.get(parsed) if parsed is not None else None
        return held[1] if held is not None and self._clock() < held[0] else None

    async def find(self, text: str) -> Key | None:
        """The living key of this text. Raises DatabaseError."""
        key = self.known(text)
        if key is not None:
            return key
        parsed = parse_key(text)
        if parsed is None:
            return None
        async with self._database.acquire() as connection:
            key = await read_key(connection, *parsed)
        if key is not None:
            self._known.put(parsed, (self._clock() + self._cache_s, key))
        return key


class Admission:
    """Sets the caller's key, or says why who asks is refused. required: whether data is for those with a key alone."""

    def __init__(self, ring: KeyRing, limits: RateLimits, *, required: bool) -> None:
        self.required = required
        self._ring = ring
        self._limits = limits
        self._guessing = asyncio.Lock()

    async def admit(self, scope: Scope) -> Refusal | None:
        """A request or handshake, by its headers."""
        text = sent_key(header(scope, "authorization"), header(scope, "x-api-key"))
        if text is not None:
            return await self._identify(scope, text)
        # A browser cannot put headers on a WebSocket: its key comes with connection_init.
        if self.required and scope["type"] == "http" and is_for_data(scope):
            return _NO_KEY
        return None

    async def admit_socket(self, scope: Scope, text: str | None) -> Refusal | None:
        """A WebSocket that has said connection_init, with a key or without."""
        if text is not None:
            return await self._identify(scope, text)
        return _NO_KEY if self.required and caller_of(scope).key is None else None

    async def spend(self, scope: Scope) -> Refusal | None:
        """Counts one operation of a WebSocket."""
        refusal, _ = await self._limits.spend(caller_of(scope))
        return refusal

    async def _identify(self, scope: Scope, text: str) -> Refusal | None:
        caller = caller_of(scope)
        try:
            key = self._ring.known(text) or await self._look_up(caller.address, text)
        except DatabaseError:
            return _AWAY
        if key is None:
            return await self._limits.note_bad_key(caller.address) or _BAD_KEY
        caller.key = key
        return None

    async def _look_up(self, address: str, text: str) -> Key | None:
        """Raises DatabaseError.

        Who has a key is let in however much others of the address guess; those who guess wait for each other meanwhile, so
        that all of them hold one connection of the database.
        """
        if not await self._limits.is_guessing(address):
            return await self._ring.find(text)
        async with self._guessing:
            return await self._ring.find(text)


def sent_key(authorization: str | None, api_key: str | None) -> str | None:
    """The key of a request with these headers, None where it has none."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return api_key or None


def is_for_data(scope: Scope) -> bool:
    """Whether a request is for data: everything is but the pages and descriptions that are for everybody.

    What is public is named, and not what is data: the router takes a path for /graphql that is written otherwise too,
    with a line end behind it.
    """
    path: str = scope["path"]
    if scope["method"] == "OPTIONS":
        return False
    if path == "/graphql":
        # As http.py tells a request for an operation from one for the page.
        return scope["method"] != "GET" or bool(
            OPERATION_PARAMETERS & set(QueryParams(scope["query_string"]))
        )
    return path not in _PUBLIC and not path.startswith(_EXPLORER)
