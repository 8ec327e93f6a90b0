"""Subscriptions to what is computed, as candles: each row that a commit touched, whole as it is now, and which are no more."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
import orjson

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_graphql.entity import Catalog
from heliograph_graphql.live_plan import TouchedPlan
from heliograph_graphql.message import REMOVED
from heliograph_graphql.parameters import EPOCH
from heliograph_graphql.plan import Node
from heliograph_graphql.render import (
    asked_history,
    asked_streams,
    is_told,
    may_have_rows,
    one_each,
    shared_values,
    times_of,
)
from heliograph_graphql.sql_touched import touched_statement
from heliograph_sql.tail import Commit

_UNIT = timedelta(minutes=1)
"""Keys are whole ones: no bucket is shorter."""


class TouchedQuery:
    """What subscriptions of one shape have in common."""

    def __init__(self, plan: TouchedPlan, catalog: Catalog) -> None:
        self.plan = plan
        self.statement = touched_statement(plan.entity, plan.lists, plan.asked, catalog)

    @property
    def lists(self) -> Iterable[Mapping[str, Node]]:
        """What it selects of each row, a list each."""
        return self.plan.lists.values()

    @property
    def characters(self) -> int:
        """Of its statement."""
        return len(self.statement.text)


class TouchedChunk(msgspec.Struct, frozen=True):
    """A message in the making. seq: of the last commit that it tells. lists: JSON text of each list of rows; removed: of keys."""

    position: StreamPosition
    seq: int
    lists: Mapping[tuple[str, ...], str]
    removed: str


class TouchedFeed:
    """One distinct subscription; as render.Feed for the hub."""

    begins_with_snapshot = False

    def __init__(self, query: TouchedQuery, variables: Mapping[str, object], message_rows: int) -> None:
        """Raises GraphQLError for a value that cannot be bound."""
        self.plan = plan = query.plan
        self._statement = query.statement
        self._message_rows = message_rows
        self.streams = asked_streams(plan.arguments, variables)
        self.history = asked_history(plan.arguments, variables)
        self.values = shared_values(query.statement.params, query.statement.lists, variables)
        text, values = query.statement.text, repr(self.values)
        self.key: Hashable = (plan.key, plan.items, text, values, self.streams, self.history)

    @property
    def family(self) -> Hashable:
        return self._statement.text

    def wants_stream(self, stream: str) -> bool:
        return self.streams is None or stream in self.streams

    def wants(self, commit: Commit) -> bool:
        """Whether the commit can have touched something."""
        return (
            self.wants_stream(commit.stream)
            and is_told(commit, history=self.history)
            and may_have_rows(commit)
        )

    def can_share(self, commit: Commit) -> bool:
        """Whether the commit makes one message at most: a row touches one bucket."""
        return commit.kind != "correct" and commit.rows < self._message_rows

    def runs(self, missed: Sequence[Commit]) -> Iterable[Sequence[Commit]]:
        """What was live is told together: a bucket that many of them touched is told once. Others lie far apart in time."""

        def joins(commit: Commit) -> bool:
            return commit.origin == "live" or not self.wants(commit)

        for together, group in groupby(missed, joins):
            commits = [*group]
            yield from [commits] if together else one_each(commits)

    async def snapshot(self, connection: Any, positions: Mapping[str, StreamPosition]) -> tuple[str, str]:
        raise NotImplementedError("what commits touch is told as it comes, and has no snapshot")

    async def render(
        self, commits: Sequence[Commit], connection: Any, behind: StreamPosition | None = None
    ) -> list[TouchedChunk]:
        """The messages of the commits together, or in halves where one message cannot hold all."""
        first, *others = commits
        is_begun = behind is not None and behind.seq == first.seq
        if not others:
            return await self._parts(first, connection, _key(behind) if is_begun and behind else None)
        if is_begun:
            return [
                *await self.render([first], connection, behind),
                *await self.render(others, connection),
            ]
        (found,) = await self._read([self], commits, connection, None)
        if found is None:
            return []
        if found[1]:
            half = len(commits) // 2
            return [
                *await self.render(commits[:half], connection),
                *await self.render(commits[half:], connection),
            ]
        return [self._chunk(commits[-1], StreamPosition.after(commits[-1].seq), found[2:])]

    async def _parts(self, commit: Commit, connection: Any, behind: datetime | None) -> list[TouchedChunk]:
        """The messages of one commit, as many as it takes. behind: the key that was told last."""
        chunks = []
        more = True
        while more:
            (found,) = await self._read([self], [commit], connection, behind)
            if found is None:
                break
            behind, more, *columns = found
            position = StreamPosition.after(commit.seq)
            if more:
                # Nothing of it yet, for whoever reads slots here; the last number is this feed's own.
                position = StreamPosition(commit.seq, -1, 0, 0, (behind - EPOCH) // _UNIT)
            chunks.append(self._chunk(commit, position, columns))
        return chunks

    async def render_family(
        self, feeds: Sequence[TouchedFeed], commit: Commit, connection: Any
    ) -> list[list[TouchedChunk]]:
        """The messages of the commit for each of one family, all of which `can_share`."""
        found = await self._read(feeds, [commit], connection, None)
        done = StreamPosition.after(commit.seq)
        return [
            [] if one is None else [feed._chunk(commit, done, one[2:])]
            for feed, one in zip(feeds, found, strict=True)
        ]

    async def _read(
        self,
        feeds: Sequence[TouchedFeed],
        commits: Sequence[Commit],
        connection: Any,
        behind: datetime | None,
    ) -> list[Sequence[Any] | None]:
        """For each the last key, whether there are more, and the columns of a message; None where nothing was touched."""
        statement = self._statement
        given = {**await _given(commits, connection), "behind": behind, "limit": self._message_rows}
        columns = [list(column) for column in zip(*(feed.values for feed in feeds), strict=True)]
        rows = await connection.fetch(
            statement.text, *(given[name] for name in statement.given), list(range(len(feeds))), *columns
        )
        found: list[Sequence[Any] | None] = [None] * len(feeds)
        for number, *one in rows:
            found[number] = one
        return found

    def _chunk(self, commit: Commit, position: StreamPosition, columns: Sequence[str]) -> TouchedChunk:
        *lists, removed = columns
        return TouchedChunk(position, commit.seq, dict(zip(self.plan.lists, lists, strict=True)), removed)

    def message(
        self, commit: Commit, chunk: TouchedChunk, positions: Mapping[str, StreamPosition]
    ) -> tuple[str, str]:
        """The `payload` of a `next` message, and its cursor."""
        cursor, plan = encode_stream(positions), self.plan
        values = {
            "cursor": cursor,
            "stream": commit.stream,
            "seq": str(chunk.seq),
            "__typename": f"{plan.entity.name}Update",
        }
        parts = []
        for item in plan.items:
            if item.name == "nodes":
                value = chunk.lists[(item.key,)]
            elif item.name == REMOVED:
                value = chunk.removed
            else:
                value = orjson.dumps(values[item.name]).decode()
            parts.append(f'"{item.key}":{value}')
        return f'{{"data":{{"{plan.key}":{{{",".join(parts)}}}}}}}', cursor


def _key(position: StreamPosition) -> datetime | None:
    """The key that was told last of a commit that is told in part."""
    return EPOCH + position.part * _UNIT if position.part else None


async def _given(commits: Sequence[Commit], connection: Any) -> dict[str, Any]:
    times, corrected = [], []
    for commit in commits:
        span = [each for each in (commit.first_time, commit.last_time) if each is not None]
        if commit.kind == "correct":
            span += await times_of(commit, connection) or ()
            if span:
                corrected.append((min(span), max(span)))
        times += span
    return {
        "stream": commits[0].stream,
        "seqs": [commit.seq for commit in commits],
        "first_slots": [commit.first_slot for commit in commits],
        "last_slots": [commit.last_slot for commit in commits],
        "first_time": min(times, default=None),
        "last_time": max(times, default=None),
        "corrected_from": [first for first, _ in corrected],
        "corrected_through": [last for _, last in corrected],
    }
