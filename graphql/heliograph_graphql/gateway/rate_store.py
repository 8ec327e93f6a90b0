"""Where requests are counted: in this process, or in a storage that replicas share.

While the shared one cannot be reached, each replica counts by itself: limits stay in force, and nobody is refused for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

import structlog
from limits import RateLimitItem, WindowStats
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from heliograph_core.errors import SettingsError
from heliograph_core.figure import Figure, Reading
from heliograph_graphql.gateway.caller import Identity

SHARED = Figure(
    "heliograph_api_rate_storage_up",
    "gauge",
    "1 where requests are counted in the storage of `rate_storage`, 0 while it is away.",
)
LOST = Figure(
    "heliograph_api_rate_storage_lost_total",
    "counter",
    "How often that storage was lost and requests counted by this process alone.",
)
MEMORY = "async+memory://"
_PATIENCE_S = 1.0
_REST_S = 2.0
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class RateStore:
    """A FigureSource. url: as the library `limits` names storages. Raises SettingsError for one that it does not know."""

    figures: Sequence[Figure] = (SHARED, LOST)

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._own = _limiter(MEMORY)
        self._shared = None if url == MEMORY else _limiter(url)
        self._clock = clock
        self._is_lost = False
        self._rests_until = 0.0
        self._losses = 0

    def readings(self) -> Iterator[Reading]:
        yield Reading(SHARED, int(not self._is_lost))
        yield Reading(LOST, self._losses)

    async def hit(self, item: RateLimitItem, who: Identity) -> bool:
        """Counts one more, unless that is too many."""
        return await self._ask(lambda limiter: limiter.hit(item, *who))

    async def has_room(self, item: RateLimitItem, who: Identity) -> bool:
        """Whether one more would be counted."""
        return await self._ask(lambda limiter: limiter.test(item, *who))

    async def window(self, item: RateLimitItem, who: Identity) -> WindowStats:
        """How many are left, and until when."""
        return await self._ask(lambda limiter: limiter.get_window_stats(item, *who))

    async def _ask(self, ask: Callable[[SlidingWindowCounterRateLimiter], Awaitable[_T]]) -> _T:
        if self._shared is None or (self._is_lost and self._clock() < self._rests_until):
            return await ask(self._own)
        # Where it is lost, one request a while finds out whether it is back, and the others do not wait for that.
        self._rests_until = self._clock() + _REST_S
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await ask(self._shared)
        except (StorageError, TimeoutError) as error:
            self._lose(str(error) or f"no answer within {_PATIENCE_S:g} s")
            return await ask(self._own)
        if self._is_lost:
            self._is_lost = False
            _log.info("rate_storage_back")
        return answer

    def _lose(self, why: str) -> None:
        self._rests_until = self._clock() + _REST_S
        if not self._is_lost:
            self._is_lost = True
            self._losses += 1
            _log.warning("rate_storage_lost", why=why, until_then="each replica counts by itself")


def _limiter(url: str) -> SlidingWindowCounterRateLimiter:
    # The client of redis.io, where the library would take another by default.
    options: dict[str, Any] = {"implementation": "redispy"} if url.startswith("async+redis") else {}
    try:
        return SlidingWindowCounterRateLimiter(storage_from_string(url, wrap_exceptions=True, **options))
    except (ConfigurationError, NotImplementedError, AssertionError, ValueError) as error:
        raise SettingsError(
            f"rate_storage is {url!r} ({error}): set async+memory:// or async+redis://HOST (pip install 'heliograph[redis]')"
        ) from None
