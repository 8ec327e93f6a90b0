"""Live delivery: each commit is rendered once for each distinct feed and handed to all who follow it.

A subscriber catches up by itself from the commit log and joins when it stands where the hub stands; both are checked
without an await in between, so that nothing is missing and nothing comes twice.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from heliograph_core.cursor import StreamPosition, decode_stream, encode_stream
from heliograph_core.errors import CursorError, DatabaseError, DatabaseUnavailable
from heliograph_graphql.failures import CURSOR_EXPIRED, coded, is_timeout, no_stream, show
from heliograph_graphql.render import is_whole
from heliograph_sql.database import Database
from heliograph_sql.queries import load
from heliograph_sql.tail import Commit, Tail

_RETRY_S = 0.5
_log = structlog.get_logger(__name__)


class Receiver(Protocol):
    """Where a subscription's messages go."""

    def began(self, cursor: str) -> None:
        """Without `after`: where the subscription stands before its first message."""

    def offer(self, payload: str, cursor: str) -> None:
        """Takes a live message at once, or gives the client up as too slow."""

    async def put(self, payload: str, cursor: str | None) -> None:
        """Takes a message when there is room. cursor: None where there is nothing to resume from."""

    def complete(self) -> None:
        """Ends the subscription: all was told."""

    def fail(self, error: dict[str, Any]) -> None:
        """Ends the subscription with an error."""


class Feed(Protocol):
    """What a subscription follows: rows as they come (render.Feed), whole objects (object_feed.ObjectFeed), or what is computed

    of what commits touch (touched_feed.TouchedFeed).
    """

    @property
    def key(self) -> Hashable:
        """Equal feeds are rendered once and shared."""

    @property
    def family(self) -> Hashable:
        """Feeds of one family are read by one statement where each `can_share` the commit."""

    @property
    def begins_with_snapshot(self) -> bool:
        """Whether the first message is what there is now."""

    @property
    def streams(self) -> frozenset[str] | None:
        """Those that are asked for, None for all."""

    def wants_stream(self, stream: str) -> bool: ...

    def wants(self, commit: Commit) -> bool:
        """Whether the commit can make a message here at all."""

    def can_share(self, commit: Commit) -> bool: ...

    async def snapshot(self, connection: Any, positions: Mapping[str, StreamPosition]) -> tuple[str, str]: ...

    def runs(self, missed: Sequence[Commit]) -> Iterable[Sequence[Commit]]:
        """Commits that a replay has to tell, cut into what is told together."""

    async def render(
        self, commits: Sequence[Commit], connection: Any, behind: StreamPosition | None = None
    ) -> Sequence[Any]:
        """The messages in the making of one commit, or of a run; behind: what of the first was delivered already."""

    async def render_family(
        self, feeds: Sequence[Any], commit: Commit, connection: Any
    ) -> Sequence[Sequence[Any]]: ...

    def message(self, commit: Commit, chunk: Any, positions: Mapping[str, StreamPosition]) -> tuple[str, str]:
        """The payload and its cursor. commit: of a run the last. positions: of all streams asked, the chunk's included."""


class EndingFeed(ABC):
    """A subscription that is told apart from the log and ends by itself."""

    @abstractmethod
    async def tell(self, receiver: Receiver) -> None:
        """Tells all that there is to tell. Raises RequestError, DatabaseError."""


class _Group:
    """Everyone who follows one feed."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.members: dict[Receiver, None] = {}
        # The messages of the commit that is being delivered now, for those who join in the middle of it.
        self.current: list[tuple[str, str]] | None = None


class Hub:
    """Delivers commits of one database to the subscribers of one process."""

    def __init__(self, database: Database, tail: Tail, *, renders_at_once: int) -> None:
        self._database = database
        self._tail = tail
        self._groups: dict[Hashable, _Group] = {}
        self._positions: dict[str, int] = {}
        self._started = asyncio.Event()
        # Set, and replaced, whenever a commit has been delivered to everyone.
        self._moved = asyncio.Event()
        # Those who catch up wait for each other, not the live ones for them.
        self._rendering = asyncio.Semaphore(renders_at_once)
        self._replaying = asyncio.Semaphore(renders_at_once)

    @property
    def positions(self) -> dict[str, int]:
        """The commit delivered last, a stream each."""
        return dict(self._positions)

    async def run(self) -> None:
        """Delivers until cancelled."""
        await self._tail.started()
        self._positions = self._tail.heads
        self._started.set()
        async for commit in self._tail.follow(self._positions):
            known = self._positions.get(commit.stream, 0)
            if commit.seq > known + 1:
                self._lose(commit, known)
            await self._deliver(commit)

    # -- subscribers

    async def subscribe(self, feed: Feed | EndingFeed, after: str | None, receiver: Receiver) -> None:
        """Replays what `after` has missed and joins; returns once the subscription is live, or has ended where it ends by itself.

        Raises RequestError, CursorError (expired or forged), DatabaseError.
        """
        if isinstance(feed, EndingFeed):
            await feed.tell(receiver)
            receiver.complete()
            return
        await self._started.wait()
        self._check_streams(feed)
        positions = await self._begin(feed, after)
        if feed.begins_with_snapshot and (after is None or not await self._are_objects_kept(positions)):
            positions = {stream: StreamPosition.after(self._positions[stream]) for stream in positions}
            # What is committed from here on is told again, which is no harm: objects come whole.
            async with self._replaying, self._database.acquire() as connection:
                message = await feed.snapshot(connection, positions)
            await receiver.put(*message)
        elif after is None:
            receiver.began(encode_stream(positions))
        while not self._join(feed, positions, receiver):
            if self._is_ahead(feed, positions):
                await self._moved.wait()
                continue
            for stream in sorted(self._positions):
                if feed.wants_stream(stream):
                    await self._replay(feed, stream, positions, receiver)

    def leave(self, feed: Feed | EndingFeed, receiver: Receiver) -> None:
        """Whoever is in `subscribe` still leaves by cancelling it."""
        if isinstance(feed, EndingFeed):
            return
        group = self._groups.get(feed.key)
        if group is not None:
            group.members.pop(receiver, None)
            if not group.members:
                del self._groups[feed.key]

    def _check_streams(self, feed: Feed) -> None:
        unknown = sorted((feed.streams or frozenset()) - set(self._positions))
        if unknown:
            raise no_stream(unknown[0], self._positions)

    async def _begin(self, feed: Feed, after: str | None) -> dict[str, StreamPosition]:
        wanted = [stream for stream in self._positions if feed.wants_stream(stream)]
        if after is None:
            return {stream: StreamPosition.after(self._positions[stream]) for stream in wanted}
        cursor = decode_stream(after)
        positions = {stream: cursor.get(stream, StreamPosition.after(0)) for stream in wanted}
        async with self._replaying, self._database.acquire() as connection:
            for stream, position in positions.items():
                row = await connection.fetchrow(load("tail.sql")["read_oldest"], stream)
                if row is not None:
                    _check_kept(stream, position, row["head"], row["oldest"])
        return positions

    async def _are_objects_kept(self, positions: Mapping[str, StreamPosition]) -> bool:
        """Whether all changes of objects behind these positions are still known; else a client gets all anew."""
        async with self._replaying, self._database.acquire() as connection:
            for stream, position in positions.items():
                kept = await connection.fetchval(load("objects.sql")["read_kept"], stream)
                if kept is None or position.seq + 1 < kept:
                    return False
        return True

    async def _replay(
        self, feed: Feed, stream: str, positions: dict[str, StreamPosition], receiver: Receiver
    ) -> None:
        position = positions[stream] if stream in positions else StreamPosition.after(0)
        known = position.seq if is_whole(position) else position.seq - 1
        missed = await self._tail.read(stream, known)
        for commits in feed.runs([commit for commit in missed if commit.seq <= self._positions[stream]]):
            wanted = [commit for commit in commits if feed.wants(commit)]
            if wanted:
                async with self._replaying, self._database.acquire() as connection:
                    chunks = await feed.render(wanted, connection, positions.get(stream))
                for chunk in chunks:
                    positions[stream] = chunk.position
                    payload, cursor = feed.message(wanted[-1], chunk, positions)
                    await receiver.put(payload, cursor)
            positions[stream] = StreamPosition.after(commits[-1].seq)

    def _is_ahead(self, feed: Feed, positions: Mapping[str, StreamPosition]) -> bool:
        """Whether the subscriber has something of a commit that is still being delivered here, or not yet.

        It was told by another process, or by this one a moment ago; to join now would tell it again.
        """
        return any(
            feed.wants_stream(stream)
            and positions.get(stream, StreamPosition.after(0)) > StreamPosition.after(seq)
            for stream, seq in self._positions.items()
        )

    def _join(self, feed: Feed, positions: Mapping[str, StreamPosition], receiver: Receiver) -> bool:
        if self._is_ahead(feed, positions):
            return False
        for stream, seq in self._positions.items():
            if feed.wants_stream(stream) and positions.get(
                stream, StreamPosition.after(0)
            ) < StreamPosition.after(seq):
                return False
        group = self._groups.setdefault(feed.key, _Group(feed))
        group.members[receiver] = None
        for payload, cursor in group.current or ():
            receiver.offer(payload, cursor)
        return True

    # -- delivery

    def _lose(self, commit: Commit, known: int) -> None:
        """The log was cut while this process was away from it: nobody can be told what was in between."""
        text = f"commits {known + 1} to {commit.seq - 1} of {commit.stream} are not kept any more"
        _log.error("commits lost", stream=commit.stream, known=known, seq=commit.seq)
        for group in list(self._groups.values()):
            if group.feed.wants_stream(commit.stream):
                self._end(group, coded(f"{text}: query the present state and subscribe anew", CURSOR_EXPIRED))

    async def _deliver(self, commit: Commit) -> None:
        while True:
            waiting = [g for g in self._groups.values() if g.current is None and g.feed.wants(commit)]
            if not waiting:
                break
            await asyncio.gather(*(self._render(groups, commit) for groups in _families(waiting, commit)))
        self._positions[commit.stream] = commit.seq
        for group in self._groups.values():
            group.current = None
        self._moved.set()
        self._moved = asyncio.Event()

    async def _render(self, groups: Sequence[_Group], commit: Commit) -> None:
        """Reads the commit for groups of one family, and hands it to their members."""
        try:
            rendered = await self._chunks([group.feed for group in groups], commit)
        except DatabaseError as error:
            for group in groups:
                group.current = []
                self._end(group, show(error))
            return
        for group, chunks in zip(groups, rendered, strict=True):
            group.current = []
            if chunks:
                self._tell(group, commit, chunks)

    def _tell(self, group: _Group, commit: Commit, chunks: Sequence[Any]) -> None:
        feed = group.feed
        positions = {
            stream: StreamPosition.after(seq)
            for stream, seq in self._positions.items()
            if feed.wants_stream(stream)
        }
        group.current = []
        for chunk in chunks:
            message = feed.message(commit, chunk, {**positions, commit.stream: chunk.position})
            group.current.append(message)
            for receiver in list(group.members):
                receiver.offer(*message)

    async def _chunks(self, feeds: Sequence[Feed], commit: Commit) -> Sequence[Sequence[Any]]:
        while True:
            try:
                async with self._rendering, self._database.acquire() as connection:
                    if len(feeds) > 1:
                        return await feeds[0].render_family(feeds, commit, connection)
                    return [await feeds[0].render([commit], connection)]
            except DatabaseUnavailable as error:
                if is_timeout(error):
                    # It would take as long again, and the others wait for their turn.
                    raise
                # Whoever follows live waits with the database; the commit is not lost, it is only late.
                _log.warning(
                    "commit not readable yet", stream=commit.stream, seq=commit.seq, reason=str(error)
                )
                await asyncio.sleep(_RETRY_S)

    def _end(self, group: _Group, error: dict[str, Any]) -> None:
        for receiver in list(group.members):
            receiver.fail(error)
            self.leave(group.feed, receiver)


def _families(groups: Iterable[_Group], commit: Commit) -> list[list[_Group]]:
    """Groups that one statement reads, and those that need one of their own."""
    families: dict[Hashable, list[_Group]] = {}
    alone: list[list[_Group]] = []
    for group in groups:
        if group.feed.can_share(commit):
            families.setdefault(group.feed.family, []).append(group)
        else:
            alone.append([group])
    return [*families.values(), *alone]


def _check_kept(stream: str, position: StreamPosition, head: int, oldest: int | None) -> None:
    if position.seq > head or position.seq < 0:
        raise CursorError(
            f"the cursor stands at commit {position.seq} of {stream}, which has {head}: it belongs to another database"
        )
    needed = position.seq + 1 if is_whole(position) else position.seq
    if needed <= head and (oldest is None or needed < oldest):
        raise CursorError(
            f"the cursor stands at commit {position.seq} of {stream}, and the log is kept from {oldest or head + 1}: "
            "query the present state and subscribe anew without `after`",
            code=CURSOR_EXPIRED,
        )


def slow(cursor: str | None) -> dict[str, Any]:
    """The error that a client gets which takes its messages too slowly; `cursor` is where to resume."""
    return coded(
        "messages were taken too slowly: connect again and resume from the cursor",
        "SLOW_CONSUMER",
        cursor=cursor,
    )
