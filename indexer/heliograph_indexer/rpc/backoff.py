"""How long to wait before another try. Pure but for the dice, which tests load."""

from __future__ import annotations

import random


class Backoff:
    """Doubling waits between first_s and most_s, each jittered down to a half so that clients do not march in step."""

    def __init__(self, first_s: float, most_s: float, dice: random.Random | None = None) -> None:
        self._first = first_s
        self._most = most_s
        self._dice = dice or random.Random()
        self.failures = 0

    def next(self, retry_after: float | None = None) -> float:
        """Seconds to wait now; never less than the server's own wish."""
        wait = min(self._most, self._first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return max(wait * self._dice.uniform(0.5, 1.0), retry_after or 0.0)

    def reset(self) -> None:
        """After a success: the next wait is short again."""
        self.failures = 0
