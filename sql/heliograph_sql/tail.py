"""The tail of the commit log: one reader a process, any number of in-process followers that read by seq.

NOTIFY only wakes; what is delivered is read from `heliograph.commits`, so a lost notification costs at most one poll.
Memory is bounded: a window of recent commits a stream is shared, and a follower that fell behind it reads the table.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import structlog

from heliograph_core.errors import DatabaseError, DatabaseUnavailable
from heliograph_sql.database import Database
from heliograph_sql.queries import load

CHANNEL = "heliograph"
_MOST_READ = 500
_LONGEST_BACKOFF_S = 5.0
_log = structlog.get_logger(__name__)


class Commit(msgspec.Struct, frozen=True, gc=False):
    """One row of the commit log. rows: how many it wrote.

    first_time, last_time: of its rows, and of those that a correction took back; None where there are none.
    """

    stream: str
    seq: int
    kind: str
    origin: str
    first_slot: int
    last_slot: int
    first_time: datetime | None
    last_time: datetime | None
    rows: int


class Tail:
    """Follows the commit log of every stream. `run()` until cancelled; it survives the loss of the database."""

    def __init__(self, database: Database, *, poll_interval_s: float = 1.0, window: int = 1000) -> None:
        """window: recent commits a stream kept in memory. It holds one connection of the pool while it listens."""
        self._database = database
        self._poll_interval_s = poll_interval_s
        self._window = window
        self._recent: dict[str, deque[Commit]] = {}
        self._heads: dict[str, int] = {}
        # How often a stream of this name was removed or began again: its numbers are others then.
        self._lives: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._grown = asyncio.Condition()
        self._started = asyncio.Event()
        self._first_look = True

    @property
    def heads(self) -> dict[str, int]:
        """The latest commit read, a stream each."""
        return dict(self._heads)

    async def started(self) -> None:
        """Returns once the log has been read for the first time: only what is committed later is certain to be followed."""
        await self._started.wait()

    async def grown(self, known: dict[str, int]) -> None:
        """Returns once the log stands otherwise than at `known`, which `heads` gave."""
        async with self._grown:
            await self._grown.wait_for(lambda: self._heads != known)

    async def run(self) -> None:
        """Reads until cancelled. A lost connection is made anew with growing pauses, and nothing is skipped."""
        backoff = 0.1
        while True:
            try:
                async with self._database.acquire() as connection:
                    backoff = 0.1
                    await self._listen_and_follow(connection)
            except DatabaseError as error:
                _log.warning("commit log unreachable", reason=str(error), retry_in_s=backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF_S)

    def follow(self, after: dict[str, int] | None = None) -> AsyncIterator[Commit]:
        """Every commit in order of seq a stream, first those behind `after`, then live, without end.

        after: the seq already known, a stream each; a stream that is not in it is followed from the tail's head
        at the call, or from its first commit where it appears later. A stream that is removed and made anew is
        followed from its beginning.
        """
        return self._follow_from({**self._heads, **(after or {})}, dict(self._lives))

    async def _follow_from(self, positions: dict[str, int], lives: dict[str, int]) -> AsyncIterator[Commit]:
        while True:
            for stream in sorted(self._heads):
                life = self._lives.get(stream, 0)
                if lives.setdefault(stream, life) != life:
                    lives[stream], positions[stream] = life, 0
                for commit in await self._read_patiently(stream, positions.setdefault(stream, 0)):
                    positions[stream] = commit.seq
                    yield commit
            async with self._grown:
                await self._grown.wait_for(lambda: self._is_ahead_of(positions, lives))

    async def _read_patiently(self, stream: str, after: int) -> Collection[Commit]:
        while True:
            try:
                return await self.read(stream, after)
            except DatabaseUnavailable as error:
                _log.warning("commit log unreachable", reason=str(error), retry_in_s=self._poll_interval_s)
                await asyncio.sleep(self._poll_interval_s)

    def _is_ahead_of(self, positions: dict[str, int], lives: dict[str, int]) -> bool:
        return any(
            head > positions.get(stream, 0) or self._lives.get(stream, 0) != lives.get(stream, 0)
            for stream, head in self._heads.items()
        )

    async def read(self, stream: str, after: int, limit: int = _MOST_READ) -> Collection[Commit]:
        """The commits behind `after` up to the tail's head, at most `limit`, from memory where it reaches back."""
        head = self._heads.get(stream, 0)
        if after >= head:
            return ()
        recent = self._recent.get(stream)
        if recent and recent[0].seq <= after + 1:
            skip = after + 1 - recent[0].seq
            return [recent[index] for index in range(skip, min(len(recent), skip + limit))]
        async with self._database.acquire() as connection:
            rows = await connection.fetch(load("tail.sql")["read_commits"], stream, after, limit)
        return [commit for commit in (Commit(stream, *row) for row in rows) if commit.seq <= head]

    async def _listen_and_follow(self, connection: Any) -> None:
        lost = asyncio.Event()

        def terminated(_: object) -> None:
            lost.set()
            self._wake.set()

        connection.add_termination_listener(terminated)
        try:
            await connection.add_listener(CHANNEL, self._notified)
            await self._follow(connection, lost)
        finally:
            # A lost connection went back to the pool already, and took its listeners with it.
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.remove_termination_listener(terminated)
                await connection.remove_listener(CHANNEL, self._notified)

    def _notified(self, _connection: object, _pid: int, _channel: str, _payload: str) -> None:
        self._wake.set()

    async def _follow(self, connection: Any, lost: asyncio.Event) -> None:
        while not lost.is_set():
            self._wake.clear()
            await self._look(connection)
            self._started.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_interval_s):
                    await self._wake.wait()

    async def _look(self, connection: Any) -> None:
        rows = await connection.fetch(load("tail.sql")["read_heads"])
        known = {row["name"]: row["seq"] for row in rows}
        for stream in set(self._heads) - set(known):
            self._forget(stream)
        for stream, seq in known.items():
            await self._read_up(connection, stream, seq)
        self._first_look = False

    async def _read_up(self, connection: Any, stream: str, seq: int) -> None:
        recent = self._recent.setdefault(stream, deque(maxlen=self._window))
        head = self._heads.get(stream)
        if head is None and self._first_look:
            # What was committed before this process began is history: followers ask for it by seq.
            await self._advance(stream, seq)
            return
        if head is not None and seq < head:
            _log.warning("stream was made anew", stream=stream, seq=seq, known=head)
            self._forget(stream)
            recent = self._recent.setdefault(stream, deque(maxlen=self._window))
            head = None
        position = head or 0
        while position < seq:
            rows = await connection.fetch(load("tail.sql")["read_commits"], stream, position, _MOST_READ)
            if not rows:
                # The log is kept for a while only: what a poll missed for longer is gone.
                position = seq
            for row in rows:
                commit = Commit(stream, *row)
                if recent and commit.seq != recent[-1].seq + 1:
                    recent.clear()
                recent.append(commit)
                position = commit.seq
            await self._advance(stream, position)
        if stream not in self._heads:
            await self._advance(stream, position)

    def _forget(self, stream: str) -> None:
        del self._heads[stream]
        self._recent.pop(stream, None)
        self._lives[stream] = self._lives.get(stream, 0) + 1

    async def _advance(self, stream: str, seq: int) -> None:
        self._heads[stream] = seq
        async with self._grown:
            self._grown.notify_all()
