"""Figures about a running process: what each is called and means, and readings of it. No format and no global registry.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only grows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol


@dataclass(frozen=True)
class Figure:
    """One metric. labels: names; the values of each must be few, and never hold a secret."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()


class Distribution(NamedTuple):
    """What a Histogram saw. buckets: (upper bound, observations up to it), the last bound infinite."""

    buckets: tuple[tuple[float, int], ...]
    sum: float


class Reading(NamedTuple):
    """One value of a figure. labels: in the order of the figure's."""

    figure: Figure
    value: float | Distribution
    labels: tuple[str, ...] = ()


class FigureSource(Protocol):
    """What has figures. figures: all that it may ever read; readings: those known now, cheap."""

    @property
    def figures(self) -> Sequence[Figure]: ...

    def readings(self) -> Iterable[Reading]: ...


LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: from a statement that finds everything in memory to a timeout."""


class Histogram:
    """Counts observations by upper bound."""

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS) -> None:
        """bounds: ascending."""
        self._bounds = (*bounds, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def read(self) -> Distribution:
        total = 0
        buckets = []
        for bound, count in zip(self._bounds, self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return Distribution(tuple(buckets), self._sum)
