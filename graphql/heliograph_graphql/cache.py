"""A bounded cache: the least recently used entry goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """At most `limit` entries, whose weights sum to `most_weight` at most; one that weighs more is not kept."""

    def __init__(self, limit: int, most_weight: int | None = None) -> None:
        self._limit = limit
        self._most_weight = most_weight
        self._entries: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> V | None:
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: V, weight: int = 1) -> None:
        _, before = self._entries.pop(key, (None, 0))
        self._weight -= before
        if self._most_weight is not None and weight > self._most_weight:
            return
        self._entries[key] = (value, weight)
        self._weight += weight
        while len(self._entries) > self._limit or self._is_too_heavy():
            _, (_, gone) = self._entries.popitem(last=False)
            self._weight -= gone

    def _is_too_heavy(self) -> bool:
        return self._most_weight is not None and self._weight > self._most_weight
