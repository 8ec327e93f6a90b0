"""Subscriptions to whole objects: all that match first, then each that changes, whole, and the ids of those that match no more."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_graphql.compiler import LivePlan
from heliograph_graphql.entity import Catalog
from heliograph_graphql.failures import too_complex
from heliograph_graphql.message import REMOVED
from heliograph_graphql.parameters import bind_asked, bind_given
from heliograph_graphql.render import asked_streams, shared_values
from heliograph_graphql.sql_objects import LIMIT, SEQ, STREAM, STREAMS, object_changes, object_snapshot
from heliograph_sql.tail import Commit


class ObjectQuery:
    """What subscriptions of one shape have in common."""

    def __init__(self, plan: LivePlan, catalog: Catalog) -> None:
        assert plan.entity is not None
        self.plan = plan
        self.snapshot = object_snapshot(plan.entity, plan.rows, plan.where, catalog)
        self.changes = object_changes(plan.entity, plan.rows, plan.where, catalog)

    @property
    def characters(self) -> int:
        """Of its statements."""
        return len(self.snapshot.text) + len(self.changes.text)


class ObjectChunk(msgspec.Struct, frozen=True):
    """A message in the making. lists: JSON text of each list that is selected; removed: of the ids."""

    position: StreamPosition
    lists: Mapping[str, str]
    removed: str
    snapshot: bool = False


class ObjectFeed:
    """One distinct subscription; as render.Feed for the hub."""

    begins_with_snapshot = True

    def __init__(self, query: ObjectQuery, variables: Mapping[str, object], most_objects: int) -> None:
        """most_objects: what a snapshot may have. Raises GraphQLError for a filter value that cannot be bound."""
        self.plan = plan = query.plan
        self._query = query
        self._most_objects = most_objects
        self.streams = asked_streams(plan, variables)
        self._bound = bind_asked(query.snapshot.params, variables)
        self.values = shared_values(query.changes.params, query.changes.lists, variables)
        self.key: Hashable = (plan.key, plan.items, query.changes.text, repr(self.values), self.streams)

    @property
    def family(self) -> Hashable:
        return self._query.changes.text

    def wants_stream(self, stream: str) -> bool:
        return self.streams is None or stream in self.streams

    def wants(self, commit: Commit) -> bool:
        """Any commit may have changed objects, history too: it alters what positions are."""
        return self.wants_stream(commit.stream)

    def can_share(self, commit: Commit) -> bool:
        return True

    async def snapshot(self, connection: Any, positions: Mapping[str, StreamPosition]) -> tuple[str, str]:
        """The first message and its cursor. positions: where the subscription stands, before this is read.

        Raises GraphQLError where more objects match than one message may have.
        """
        given = {STREAMS: None if self.streams is None else sorted(self.streams), LIMIT: self._most_objects}
        values = bind_given(self._query.snapshot.params, self._bound, given)
        *lists, count = await connection.fetchrow(self._query.snapshot.text, *values)
        if count > self._most_objects:
            assert self.plan.entity is not None
            raise too_complex(
                f"more than {self._most_objects} {self.plan.entity.root} match: narrow `where`, as by status or wallet"
            )
        chunk = ObjectChunk(
            StreamPosition.after(0), dict(zip(self.plan.rows, lists, strict=True)), "[]", True
        )
        return self._text(chunk, positions)

    async def render(
        self, commit: Commit, connection: Any, behind: StreamPosition | None = None
    ) -> Sequence[ObjectChunk]:
        (chunks,) = await self.render_family([self], commit, connection)
        return chunks

    async def render_family(
        self, feeds: Sequence[ObjectFeed], commit: Commit, connection: Any
    ) -> list[Sequence[ObjectChunk]]:
        """The messages of the commit for each of one family."""
        changes = self._query.changes
        given = {STREAM: commit.stream, SEQ: commit.seq}
        columns = [list(column) for column in zip(*(feed.values for feed in feeds), strict=True)]
        rows = await connection.fetch(
            changes.text, *(given[name] for name in changes.given), list(range(len(feeds))), *columns
        )
        chunks: list[Sequence[ObjectChunk]] = [() for _ in feeds]
        position = StreamPosition.after(commit.seq)
        for number, *lists, removed in rows:
            told = dict(zip(feeds[number].plan.rows, lists, strict=True))
            chunks[number] = (ObjectChunk(position, told, removed),)
        return chunks

    def message(
        self, commit: Commit, chunk: ObjectChunk, positions: Mapping[str, StreamPosition]
    ) -> tuple[str, str]:
        """The `payload` of a `next` message, and its cursor."""
        return self._text(chunk, positions)

    def _text(self, chunk: ObjectChunk, positions: Mapping[str, StreamPosition]) -> tuple[str, str]:
        cursor = encode_stream(positions)
        parts = []
        for item in self.plan.items:
            if item.name == "nodes":
                value = chunk.lists[item.key]
            elif item.name == REMOVED:
                value = chunk.removed
            elif item.name == "snapshot":
                value = "true" if chunk.snapshot else "false"
            elif item.name == "cursor":
                value = orjson.dumps(cursor).decode()
            else:
                assert self.plan.entity is not None
                value = f'"{self.plan.entity.name}Update"'
            parts.append(f'"{item.key}":{value}')
        return f'{{"data":{{"{self.plan.key}":{{{",".join(parts)}}}}}}}', cursor
