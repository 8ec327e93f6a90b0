"""What one host allows: a bucket for all calls, one a method, and the pauses that the host itself asks for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from heliograph_indexer.rpc.bucket import TokenBucket
from heliograph_indexer.settings import (
    PUBLIC_METHOD_REQUESTS_PER_SECOND,
    PUBLIC_REQUESTS_PER_SECOND,
    RpcSettings,
    is_loopback,
)


class HostLimits:
    """Shared by every endpoint of one host, because public endpoints count by address and host."""

    def __init__(self, url: str, settings: RpcSettings) -> None:
        """url: any endpoint of the host; on loopback nothing is limited unless the settings say so."""
        local = is_loopback(url)
        self._burst = settings.burst
        rate = _rate(settings.requests_per_second, local, PUBLIC_REQUESTS_PER_SECOND)
        self._method_rate = _rate(
            settings.method_requests_per_second, local, PUBLIC_METHOD_REQUESTS_PER_SECOND
        )
        self._all = TokenBucket(rate, settings.burst) if rate else None
        self._methods: dict[str, TokenBucket] = {}
        self._rest_until = 0.0

    @property
    def limited(self) -> bool:
        """Whether any rate is in force."""
        return self._all is not None or self._method_rate > 0

    def rest(self, seconds: float) -> None:
        """The host asked for a pause: nobody calls it before that is over."""
        self._rest_until = max(self._rest_until, asyncio.get_running_loop().time() + seconds)

    def wait_s(self, methods: Iterable[str]) -> float:
        """Seconds that calls of these methods would wait now."""
        counts = Counter(methods)
        waits = [self._rest_until - asyncio.get_running_loop().time(), 0.0]
        if self._all is not None:
            waits.append(self._all.wait_s(counts.total()))
        if self._method_rate:
            waits += [self._method(method).wait_s(count) for method, count in counts.items()]
        return max(waits)

    async def take(self, methods: Iterable[str]) -> None:
        """Waits until these calls may be made."""
        counts = Counter(methods)
        await self._rested()
        if self._method_rate:
            for method, count in counts.items():
                await self._method(method).take(count)
        if self._all is not None:
            await self._all.take(counts.total())

    async def _rested(self) -> None:
        rest = self._rest_until - asyncio.get_running_loop().time()
        if rest > 0:
            await asyncio.sleep(rest)
            # It may have been prolonged meanwhile.
            await self._rested()

    def _method(self, method: str) -> TokenBucket:
        return self._methods.setdefault(method, TokenBucket(self._method_rate, self._burst))


def _rate(wanted: float | None, local: bool, public: float) -> float:
    if wanted is not None:
        return wanted
    return 0.0 if local else public
