"""When something takes place."""

from __future__ import annotations


class Now:
    """slot and unix seconds at which an operation takes place."""

    __slots__ = ("slot", "time")

    def __init__(self, slot: int, time: int) -> None:
        self.slot = slot
        self.time = time
