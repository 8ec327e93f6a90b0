"""What is known of one endpoint: whether it answers, how far it is, what it can never do. Pure: time is an argument."""

from __future__ import annotations

import random

from heliograph_core.errors import RpcError
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.faults import BLOCK_CLEANED_UP, Remedy, remedy


class Health:
    """rest_s, rest_max_s: how long an endpoint that fails is left alone; doubles from the first to the second."""

    def __init__(self, rest_s: float, rest_max_s: float, dice: random.Random | None = None) -> None:
        self._backoff = Backoff(rest_s, rest_max_s, dice)
        self._rest_until = 0.0
        self._never: dict[str, RpcError] = {}
        self._pruned: tuple[int, RpcError] | None = None
        self._failure: str | None = None
        self.unwell: str | None = None
        """Why the last probe found it behind or unhealthy, None where it did not."""
        self.foreign: RpcError | None = None
        """Why it must not be used at all: it is of another cluster."""

    def answered(self) -> None:
        """It gave a useful answer."""
        self._backoff.reset()
        self._rest_until = 0.0
        self._failure = None

    def failed(self, method: str, error: RpcError, now: float, *, slot: int | None = None) -> None:
        """It gave this error. slot: the one whose block was asked for, None for other methods."""
        kind = remedy(error)
        if kind is Remedy.NEVER:
            if error.code != BLOCK_CLEANED_UP:
                self._never[method] = error
            elif slot is not None and (self._pruned is None or self._pruned[0] < slot):
                self._pruned = (slot, error)
        elif kind in (Remedy.MOVE, Remedy.WAIT):
            self._failure = str(error)
            # Calls that were under way together count once.
            if now >= self._rest_until:
                self._rest_until = now + self._backoff.next(error.retry_after)

    def refusal(self, method: str, slot: int | None = None) -> RpcError | None:
        """Why it will never answer this, None where it may."""
        if self._pruned is not None and slot is not None and slot <= self._pruned[0]:
            return self._pruned[1]
        return self.foreign or self._never.get(method)

    def ill(self, now: float) -> bool:
        """Whether others are to be preferred now."""
        return now < self._rest_until or self.unwell is not None or self.foreign is not None

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, for a reader; None where nothing is."""
        if self.foreign is not None:
            return str(self.foreign)
        return self._failure or self.unwell

    @property
    def refusals(self) -> dict[str, RpcError]:
        """Methods that it will never answer, and what it said."""
        return dict(self._never)
