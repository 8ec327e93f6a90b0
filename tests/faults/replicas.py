"""Subscribers whose connection breaks again and again: what each holds after it resumed from its cursors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.endtoend.indexing import PATIENCE_S
from tests.endtoend.nodes import LIVE, ROOTS, selection
from tests.endtoend.subscriber import subscriber
from tests.faults.held import HeldRows

from heliograph_core.cursor import StreamPosition, encode_stream

LIFE_S = (0.05, 0.8)
"""Shortest and longest life of a connection."""


class Replicas:
    """One replica a root field, all of one stream, on one connection at a time. breaks: how many there were."""

    def __init__(self, host: str, stream: str, dice: Random) -> None:
        self._host = host
        self._dice = dice
        beginning = encode_stream({stream: StreamPosition.after(0)})
        self._by_root = {root: HeldRows(beginning) for root in LIVE}
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
                        replica.take(message, message["cursor"])
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
        wrong = {root: replica.wrong for root, replica in self._by_root.items() if replica.wrong}
        assert not wrong, wrong


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
