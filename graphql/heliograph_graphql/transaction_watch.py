"""Following transactions until they are final: one look for everybody who follows, again as the log grows.

No server remembers anything of a client: whoever connects again, to any replica, is told where its transactions stand now.
Finality has no commit of its own, so while somebody follows it is looked each poll_interval_s as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

import structlog

from heliograph_core.errors import DatabaseError
from heliograph_graphql.failures import TOO_MANY, no_stream, refuse
from heliograph_graphql.transaction_state import Landing, Reach, Standing, has_expired, standing
from heliograph_sql.queries import load
from heliograph_sql.tail import Tail

_MOST_AT_ONCE = 1000
"""Signatures that one statement looks for."""
_PAUSE_S = 0.05
"""Between two looks, however fast commits come."""
_log = structlog.get_logger(__name__)


class _Follower:
    """One subscription. latest: where each of its signatures stands, as of the last look."""

    def __init__(self, signatures: Sequence[str], streams: frozenset[str] | None) -> None:
        self.signatures = signatures
        self.streams = streams
        self.latest: dict[str, Standing] = {}
        self.began: dict[str, Reach] = {}
        self.known: Iterable[str] = ()
        """Every stream there is."""
        self.looked = asyncio.Event()

    @property
    def open(self) -> list[str]:
        """What may change still."""
        return [each for each in self.signatures if each not in self.latest or not self.latest[each].final]

    def take(self, landings: Mapping[str, Sequence[Landing]], reach: Mapping[str, Reach]) -> None:
        asked = {name: at for name, at in reach.items() if self.streams is None or name in self.streams}
        self.known = reach.keys()
        if not self.began:
            self.began = asked
        expired = has_expired(self.began, asked)
        for signature in self.open:
            found = (each for each in landings.get(signature, ()) if each.stream in asked)
            self.latest[signature] = standing(found, expired=expired)
        self.looked.set()


class TransactionWatch:
    """Looks for the transactions that clients of one process follow."""

    def __init__(self, readers: Any, tail: Tail | None, *, poll_interval_s: float, most: int) -> None:
        """readers: whose `acquire` gives a connection. most: signatures that are followed at the same time."""
        self._readers = readers
        self._tail = tail
        self._poll_interval_s = poll_interval_s
        self._most = most
        self._followers: set[_Follower] = set()
        self._task: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()
        self.looks = 0
        """How often the database was asked."""

    async def follow(
        self, signatures: Sequence[str], streams: frozenset[str] | None
    ) -> AsyncGenerator[Mapping[str, Standing]]:
        """All signatures first, then those whose standing changed; ends once all are final. A slow reader misses what is
        overtaken meanwhile, and never the last.

        Raises RequestError where a stream is not there, or too many signatures are followed already.
        """
        held = sum(len(each.signatures) for each in self._followers)
        if held + len(signatures) > self._most:
            raise refuse(
                f"this server follows {held} transactions, {self._most} are allowed: try again later, or another replica",
                TOO_MANY,
                503,
            )
        follower = _Follower(signatures, streams)
        self._followers.add(follower)
        self._joined.set()
        if self._task is None:
            self._task = asyncio.create_task(self._look_on())
        told: dict[str, Standing] = {}
        try:
            while not told or follower.open:
                await follower.looked.wait()
                follower.looked.clear()
                if not told:
                    _check_streams(streams, follower.known)
                news = {name: now for name, now in follower.latest.items() if told.get(name) != now}
                if news:
                    told.update(news)
                    yield news
        finally:
            self._followers.discard(follower)
            if not self._followers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _look_on(self) -> None:
        while True:
            known = self._tail.heads if self._tail is not None else {}
            self._joined.clear()
            try:
                await self._look()
            except DatabaseError as error:
                _log.warning("transactions not readable yet", reason=str(error))
            await asyncio.sleep(_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_interval_s):
                    await self._stirred(known)

    async def _look(self) -> None:
        followers = list(self._followers)
        wanted = sorted({signature for each in followers for signature in each.open})
        landings: dict[str, list[Landing]] = {}
        async with self._readers.acquire() as connection:
            # Read first: a transaction is not called expired at a point that the rows were read before.
            rows = await connection.fetch(load("landings.sql")["read_reach"])
            reach = {row["name"]: Reach(row["head"], row["through"]) for row in rows}
            for some in _batches(wanted):
                for signature, *rest in await connection.fetch(load("landings.sql")["read_landings"], some):
                    landings.setdefault(signature, []).append(Landing(*rest))
        self.looks += 1
        for follower in followers:
            follower.take(landings, reach)

    async def _stirred(self, known: dict[str, int]) -> None:
        """Returns once the log has grown, or somebody waits for a first look."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._joined.wait())]
        if self._tail is not None:
            waits.append(asyncio.ensure_future(self._tail.grown(known)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def _batches(signatures: Sequence[str]) -> Iterable[Sequence[str]]:
    for first in range(0, len(signatures), _MOST_AT_ONCE):
        yield signatures[first : first + _MOST_AT_ONCE]


def _check_streams(streams: frozenset[str] | None, known: Iterable[str]) -> None:
    unknown = sorted((streams or frozenset()) - set(known))
    if unknown:
        raise no_stream(unknown[0], known)
