"""How much each caller has under way, of whatever is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from heliograph_graphql.gateway.caller import Caller, Identity


class Tally:
    """Counts under each of a caller's identities."""

    def __init__(self) -> None:
        self.total = 0
        self._by_identity: Counter[Identity] = Counter()

    def full(self, caller: Caller, most: int) -> Identity | None:
        """The identity of the caller's that has `most` or more under way, None where none has."""
        return next((who for who in caller.identities if self._by_identity[who] >= most), None)

    @contextmanager
    def counted(self, caller: Caller) -> Iterator[None]:
        """One more for the time of the block, under the identities that the caller has at its beginning."""
        identities = caller.identities
        self.total += 1
        self._by_identity.update(identities)
        try:
            yield
        finally:
            self.total -= 1
            for who in identities:
                self._by_identity[who] -= 1
                if not self._by_identity[who]:
                    del self._by_identity[who]
