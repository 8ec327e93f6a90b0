"""How many JSON-RPC calls were made, by host, method and outcome. A value that whoever exports figures reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

OK = "ok"
"""The code of a call that was answered with a result."""
UNREACHABLE = "unreachable"
"""The code of a call without a usable answer: refused, reset, timed out or garbled."""
OTHER = "other"
"""The code of an answer whose own code is not one that a node or gateway is known to give."""


class RpcCount(NamedTuple):
    """host: host:port as it may be printed. code: `ok`, `unreachable`, `other`, a JSON-RPC code or an HTTP status."""

    host: str
    method: str
    code: str
    calls: int


class RpcCounters:
    """Grows only. Each try of a call counts, and each call of a batch."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str, str]] = Counter()

    def add(self, host: str, method: str, code: str, calls: int = 1) -> None:
        self._calls[host, method, code] += calls

    def read(self) -> tuple[RpcCount, ...]:
        """All counts as of now, in the order of host, method and code."""
        return tuple(RpcCount(*labels, calls) for labels, calls in sorted(self._calls.items()))

    def total(
        self, *, host: str | None = None, method: str | None = None, codes: Iterable[str] | None = None
    ) -> int:
        """Calls that match everything given."""
        wanted = None if codes is None else frozenset(codes)
        return sum(
            count.calls
            for count in self.read()
            if host in (None, count.host)
            and method in (None, count.method)
            and (wanted is None or count.code in wanted)
        )
