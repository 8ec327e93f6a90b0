"""The memory of a process over time, and whether it is flat."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

WARM_UP_SHARE = 1 / 6
"""What of a run is warm-up: buffers grow to their limits, accounts are seen for the first time."""
WINDOWS = 10
"""Parts into which the rest is cut; the median of each stands for it, so that one moment does not decide."""


class Sample(NamedTuple):
    """seconds: since the first sample. rss: bytes of memory that the process holds. note: how far it was."""

    seconds: float
    rss: int
    note: str = ""


class Flatness(NamedTuple):
    """Medians of resident memory after the warm-up, in bytes; growth: the highest over the first, minus 1."""

    first: float
    highest: float
    last: float

    @property
    def growth(self) -> float:
        return self.highest / self.first - 1

    def __str__(self) -> str:
        first, highest, last = (value / 2**20 for value in self)
        return (
            f"{first:.1f} MiB after warm-up, at most {highest:.1f}, {last:.1f} at the end: {self.growth:+.1%}"
        )


async def watch(
    process: int,
    seconds: float,
    interval: float,
    file: Path,
    note: Callable[[], Awaitable[str]] | None = None,
) -> list[Sample]:
    """Samples the process for so long; each is a line of the file at once: seconds, bytes, note."""
    watched = psutil.Process(process)
    began = time.monotonic()
    samples: list[Sample] = []
    with file.open("a") as lines:
        while (elapsed := time.monotonic() - began) < seconds:
            told = await note() if note is not None else ""
            samples.append(Sample(elapsed, watched.memory_info().rss, told))
            lines.write(f"{elapsed:.0f},{samples[-1].rss},{told}\n")
            lines.flush()
            await asyncio.sleep(interval)
    return samples


def flatness(samples: Sequence[Sample]) -> Flatness:
    """Raises ValueError for fewer samples than windows."""
    warm = [sample.rss for sample in samples if sample.seconds >= samples[-1].seconds * WARM_UP_SHARE]
    if len(warm) < WINDOWS:
        raise ValueError(f"{len(samples)} samples are too few for {WINDOWS} windows after the warm-up")
    bounds = [at * len(warm) // WINDOWS for at in range(WINDOWS + 1)]
    medians = [statistics.median(warm[bounds[at] : bounds[at + 1]]) for at in range(WINDOWS)]
    return Flatness(medians[0], max(medians), medians[-1])
