"""Subscribers whose connection breaks again and again: what each holds after it resumed from its cursors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.endtoend.indexing import PATIENCE_S
from tests.endtoend.nodes import LIVE, ROOTS, rows_of, selection
from tests.endtoend.subscriber import subscriber

from heliograph_core.cursor import StreamPosition, encode_stream

LIFE_S = (0.05, 0.8)
"""Shortest and longest life of a connection."""


class Replica:
    """What a client holds that does as it is told: discard, then take the rows. `cursor` is where it goes on."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        self._held: dict[tuple[int, ...], Mapping[str, Any]] = {}
        self.discards = 0
        self.doubled = 0

    def take(self, message: Mapping[str, Any]) -> None:
        """One message whole, so that the cursor and the rows always belong together."""
        if (discard := message["discard"]) is not None:
            first, last = int(discard["fromSlot"]), int(discard["throughSlot"])
            self._held = {at: node for at, node in self._held.items() if not first <= at[0] <= last}
            self.discards += 1
        for node in message["nodes"]:
            at = (int(node["slot"]), node["txIndex"], node["ordinal"], node["part"])
            self.doubled += at in self._held
            self._held[at] = node
        self.cursor = message["cursor"]

    def rows(self, like: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """In chain order. like: any rows of the table."""
        return rows_of([self._held[at] for at in sorted(self._held)], like) if like else []


class Replicas:
    """One replica a root field, all of one stream, on one connection at a time. breaks: how many there were."""

    def __init__(self, host: str, stream: str, dice: Random) -> None:
        self._host = host
        self._dice = dice
        beginning = encode_stream({stream: StreamPosition.after(0)})
        self._by_root = {root: Replica(beginning) for root in LIVE}
        self.breaks = 0

    @property
    def discards(self) -> int:
        return sum(replica.discards for replica in self._by_root.values())

    async def run(self) -> None:
        """Until cancelled: connects, resumes, listens for a while, breaks off in the middle of whatever comes."""
        while True:
            async with subscriber(self._host) as listener:
                for root, replica in self._by_root.items():
                    members = f"cursor discard {{ fromSlot throughSlot }} {selection(root)}"
                    await listener.subscribe(root, members, after=replica.cursor)
                await asyncio.sleep(self._dice.uniform(*LIFE_S))
                for root, replica in self._by_root.items():
                    for message in listener.messages[root]:
                        replica.take(message)
            self.breaks += 1

    async def equal(self, truth: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Returns once every replica holds exactly these rows. Raises TimeoutError, saying which does not."""
        unequal: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    unequal = [
                        f"{root}: {len(replica.rows(truth[ROOTS[root]]))} rows, {len(truth[ROOTS[root]])} expected"
                        for root, replica in self._by_root.items()
                        if replica.rows(truth[ROOTS[root]]) != truth[ROOTS[root]]
                    ]
                    if not unequal:
                        break
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"after {self.breaks} breaks: {unequal}") from None
        doubled = {root: replica.doubled for root, replica in self._by_root.items() if replica.doubled}
        assert not doubled, f"sent twice without a discard: {doubled}"


@asynccontextmanager
async def replicating(host: str, stream: str, seed: int) -> AsyncIterator[Replicas]:
    """Replicas for the time of the block."""
    replicas = Replicas(host, stream, Random(seed))
    running = asyncio.create_task(replicas.run())
    try:
        yield replicas
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
