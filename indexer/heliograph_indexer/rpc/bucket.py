"""A token bucket: so many calls a second, so many at once after a pause."""

from __future__ import annotations

import asyncio


class TokenBucket:
    """Waiters are served in the order they came. rate: tokens a second; burst: the most it holds."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def wait_s(self, count: int) -> float:
        """Seconds that take(count) would wait now."""
        self._refill()
        return max(0.0, (min(float(count), self._burst) - self._tokens) / self._rate)

    async def take(self, count: int) -> None:
        """Waits until `count` tokens are there. More than the burst are allowed: they are paid off afterwards."""
        wait = self.wait_s(count)
        # Taken before the wait, so that whoever comes next waits behind.
        self._tokens -= count
        if wait > 0:
            try:
                await asyncio.sleep(wait)
            except asyncio.CancelledError:
                self._tokens += count
                raise

    def _refill(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
