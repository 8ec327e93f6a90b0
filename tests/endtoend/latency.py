"""How long after its confirmation each slot was committed, by the clock of this process."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from heliograph_localnet.chain import Chain, ChainEvent, Confirmed

_POLL_S = 0.005


class Latency:
    """seconds: one sample a slot that held a block. committed: the highest slot that live indexing committed."""

    def __init__(self, chain: Chain, committed: Callable[[], int | None]) -> None:
        self._confirmed: dict[int, float] = {}
        self._committed = committed
        self.seconds: list[float] = []
        chain.listen(self._note)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            through = self._committed() or -1
            now = time.monotonic()
            for slot in [slot for slot in self._confirmed if slot <= through]:
                self.seconds.append(now - self._confirmed.pop(slot))
            await asyncio.sleep(_POLL_S)

    @property
    def oldest_waiting(self) -> float:
        """Seconds that the oldest confirmed slot has been waiting for its commit; 0 where none waits."""
        return time.monotonic() - min(self._confirmed.values()) if self._confirmed else 0.0

    def _note(self, event: ChainEvent) -> None:
        if isinstance(event, Confirmed):
            self._confirmed[event.block.slot] = time.monotonic()


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
