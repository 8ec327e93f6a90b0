"""Where a process is killed: at a place that its work has reached, so that a fast machine sees as many as a slow one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

from tests.endtoend.indexing import PATIENCE_S

from heliograph_localnet.faults import Occasion, Reaction
from heliograph_localnet.localnet import Localnet
from heliograph_sql.database import Database
from heliograph_sql.streams import get_stream

Kind = Literal["call", "commit", "lock", "clock"]
"""call: as the n-th JSON-RPC call comes. commit: as the n-th commit is made. lock: all rows of a commit are written, and it
waits for the stream's row. clock: some milliseconds after the start, whatever has been reached."""

MOST_CALLS = 400
MOST_COMMITS = 30
MOST_MS = 2_000
MOST_JITTER_MS = 15
"""What is reached is told a moment late, and more work is done meanwhile; this spreads it further."""
_POLL_S = 0.002


class Moment(NamedTuple):
    kind: Kind
    number: int
    jitter_ms: float

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


def draw(dice: random.Random, kinds: tuple[Kind, ...] = ("call", "commit", "lock", "clock")) -> Moment:
    """Small counts are as likely as large ones: what happens first happens most often."""
    kind = dice.choice(kinds)
    most = {"call": MOST_CALLS, "commit": MOST_COMMITS, "lock": 3, "clock": MOST_MS}[kind]
    return Moment(kind, round(most ** dice.random()), dice.uniform(0, MOST_JITTER_MS))


class Moments:
    """Waits for moments of one stream, whichever process works on it."""

    def __init__(self, database: Database, localnet: Localnet, stream: str) -> None:
        self._database = database
        self._localnet = localnet
        self._stream = stream

    @asynccontextmanager
    async def reached(self, moment: Moment) -> AsyncIterator[None]:
        """The block begins at the moment. Raises TimeoutError where it does not come."""
        async with asyncio.timeout(PATIENCE_S) as patience:
            if moment.kind == "lock":
                async with self._waiting_for_the_stream(moment.number):
                    patience.reschedule(None)
                    yield
                return
            match moment.kind:
                case "call":
                    await self._calls(moment.number)
                case "commit":
                    await self._commits(moment.number)
                case "clock":
                    await asyncio.sleep(moment.number / 1000)
            await asyncio.sleep(moment.jitter_ms / 1000)
            patience.reschedule(None)
            yield

    async def _calls(self, count: int) -> None:
        reached, left = asyncio.Event(), count

        def rule(occasion: Occasion) -> Reaction | None:
            nonlocal left
            if occasion.moment == "request":
                left -= 1
                if left <= 0:
                    reached.set()
            return None

        forget = self._localnet.node.faults.add(rule)
        try:
            await reached.wait()
        finally:
            forget()

    async def _commits(self, count: int) -> None:
        until = await self._seq() + count
        while True:
            if await self._seq() >= until:
                return
            await asyncio.sleep(_POLL_S)

    async def _seq(self) -> int:
        row = await get_stream(self._database, self._stream)
        assert row is not None
        return row.seq

    @asynccontextmanager
    async def _waiting_for_the_stream(self, commits: int) -> AsyncIterator[None]:
        """Inside, a writer has written all its rows and can go no further."""
        await self._commits(commits)
        async with self._database.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(_LOCK, self._stream)
                while True:
                    if await connection.fetchval(_WAITERS):
                        break
                    await asyncio.sleep(_POLL_S)
                yield
            finally:
                await transaction.rollback()


_LOCK = "SELECT 1 FROM heliograph.streams WHERE name = $1 FOR NO KEY UPDATE"
# Not pg_stat_activity, of which a transaction sees one picture alone.
_WAITERS = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
)
