"""How many requests of one caller run at a time, so that one who asks for slow things does not hold every connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Scope

from heliograph_graphql.gateway.caller import caller_of
from heliograph_graphql.gateway.refusal import RATE_LIMITED, Refusal
from heliograph_graphql.gateway.tally import Tally


class RequestsAtOnce:
    """Counts requests for data, by whichever protocol they come: those of a live connection where they are run, one operation at a time.

    most: that a caller may have under way, None for any number, which are not counted.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._running = Tally()

    @contextmanager
    def under_way(self, scope: Scope) -> Iterator[Refusal | None]:
        """One request for the time of the block; or why it must not run, and it is not counted."""
        if self._most is None:
            yield None
            return
        caller = caller_of(scope)
        full = self._running.full(caller, self._most)
        if full is not None:
            text = f"{self._most} requests of this {full[0]} are under way: wait for one of them"
            yield Refusal(text, RATE_LIMITED, 429, {"retry-after": "1"})
            return
        with self._running.counted(caller):
            yield None
