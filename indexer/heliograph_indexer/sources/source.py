"""What every source offers: proved spans of whole slots, in ascending order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol as Interface

from heliograph_core.slot import Span


class Source(Interface):
    """Where a stream's slots come from."""

    def spans(self, first: int, last: int | None) -> AsyncIterator[Span]:
        """Adjacent spans from `first` on: up to `last` (inclusive), or without end where `last` is None.

        The first span begins at `first`, each further one right behind its predecessor, and each is proved
        (DESIGN section 3): nothing of the stream in first..last is missing from `slots`. A source waits out
        what may pass (RpcUnavailable); it raises RpcRefused for what cannot.
        """
