"""The runtime's log limit: which of a transaction's lines a node keeps. Lines in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

LOG_LIMIT = 10_000
"""Bytes of log lines a transaction; a line that would reach it is not kept (Agave's log collector)."""
TRUNCATED = "Log truncated"


class Collected(msgspec.Struct, frozen=True, gc=False):
    """lines: what the node shows, with one `Log truncated` where the first line was lost.

    lost: indexes into the lines that were printed, of those that no one will ever see. The hole is in the
    middle: a shorter line may still fit after a longer one did not.
    """

    lines: tuple[str, ...]
    lost: frozenset[int] = frozenset()


def collect(printed: Sequence[str], limit: int | None = LOG_LIMIT) -> Collected:
    """limit: bytes, None keeps everything (a node may be started so)."""
    if limit is None or sum(map(len, printed)) * 4 < limit:
        return Collected(tuple(printed))
    written = 0
    kept: list[str] = []
    lost: set[int] = set()
    for at, line in enumerate(printed):
        after = written + len(line.encode())
        if after >= limit:
            if not lost:
                kept.append(TRUNCATED)
            lost.add(at)
        else:
            written = after
            kept.append(line)
    return Collected(tuple(kept), frozenset(lost))
