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
_Written = tuple[str, int, int, int]
"""(stream, slot, index of the transaction, commit that wrote the slot)."""
_Outcome = tuple[str, str | None, str | None]
"""(block time, error as JSON, its name)."""
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
        self.failure: BaseException | None = None
        """What ended the looking."""

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
        self._outcomes: dict[_Written, _Outcome] = {}
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
            self._task.add_done_callback(self._tell_failure)
        told: dict[str, Standing] = {}
        try:
            while not told or follower.open:
                await follower.looked.wait()
                follower.looked.clear()
                if follower.failure is not None:
                    raise follower.failure
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

    def _tell_failure(self, task: asyncio.Task[None]) -> None:
        """A slip of ours ends those who follow, instead of leaving them without a word; the next one begins anew."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._task = None
        for follower in self._followers:
            follower.failure = error
            follower.looked.set()

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
        held: dict[_Written, _Outcome] = {}
        # Of one moment: how far the streams are, where the transactions are, and what came of them.
        async with self._readers.acquire() as connection, connection.transaction():
            rows = await connection.fetch(load("landings.sql")["read_reach"])
            reach = {row["name"]: Reach(row["head"], row["through"]) for row in rows}
            for some in _batches(wanted):
                found = await connection.fetch(load("landings.sql")["read_landings"], some)
                held |= await self._read_outcomes(connection, found)
                for signature, stream, slot, tx_index, seq, _, final, complete in found:
                    outcome = held.get((stream, slot, tx_index, seq))
                    if outcome is not None:
                        landing = Landing(stream, slot, tx_index, *outcome, final, complete)
                        landings.setdefault(signature, []).append(landing)
        self._outcomes = held
        self.looks += 1
        for follower in followers:
            follower.take(landings, reach)

    async def _read_outcomes(self, connection: Any, found: Sequence[Any]) -> dict[_Written, _Outcome]:
        """What came of the transactions found. What is known of a slot holds until a commit writes it again."""
        places = {
            (row["stream"], row["slot"], row["tx_index"], row["seq"]): row["block_time"] for row in found
        }
        held = {place: self._outcomes[place] for place in places if place in self._outcomes}
        new = [(*place[:3], time) for place, time in places.items() if place not in held]
        if new:
            seqs = {place[:3]: place[3] for place in places}
            times = [time for *_, time in new]
            columns = [list(column) for column in zip(*new, strict=True)]
            rows = await connection.fetch(
                load("landings.sql")["read_outcomes"], *columns, min(times), max(times)
            )
            for stream, slot, tx_index, *outcome in rows:
                held[stream, slot, tx_index, seqs[stream, slot, tx_index]] = tuple(outcome)
        return held

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
