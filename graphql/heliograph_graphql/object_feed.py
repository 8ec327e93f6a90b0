"""Subscriptions to whole objects: all that match first, then each that changes, whole, and the ids of those that match no more."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_graphql.entity import Catalog
from heliograph_graphql.failures import too_complex
from heliograph_graphql.live_plan import WHOLE, ObjectPlan
from heliograph_graphql.message import REMOVED, MessageItem
from heliograph_graphql.parameters import bind_asked, bind_given
from heliograph_graphql.plan import Node, read
from heliograph_graphql.render import asked_streams, one_each, shared_values
from heliograph_graphql.sql_objects import LIMIT, SEQ, STREAM, STREAMS, object_changes, object_snapshot
from heliograph_sql.tail import Commit


class ObjectQuery:
    """What subscriptions of one shape have in common."""

    def __init__(self, plan: ObjectPlan, catalog: Catalog) -> None:
        self.plan = plan
        followed = list(plan.followed.values())
        self.snapshot = object_snapshot(followed, catalog)
        self.changes = object_changes(followed, catalog)

    @property
    def lists(self) -> Iterable[Mapping[str, Node]]:
        """What it selects of each object, a list each."""
        return (items for followed in self.plan.followed.values() for items in followed.lists.values())

    @property
    def characters(self) -> int:
        """Of its statements."""
        return len(self.snapshot.text) + len(self.changes.text)


class ObjectChunk(msgspec.Struct, frozen=True):
    """A message in the making. commit: None for a snapshot. lists: JSON text of each list of objects that is selected;

    removed: of the ids, by what is followed.
    """

    position: StreamPosition
    commit: Commit | None
    lists: Mapping[tuple[str, ...], str]
    removed: Mapping[str, str]


class ObjectFeed:
    """One distinct subscription; as render.Feed for the hub."""

    begins_with_snapshot = True

    def __init__(self, query: ObjectQuery, variables: Mapping[str, object], most_objects: int) -> None:
        """most_objects: what a snapshot may have. Raises GraphQLError for a filter value that cannot be bound."""
        self.plan = plan = query.plan
        self._query = query
        self._most_objects = most_objects
        self.streams = asked_streams(plan.arguments, variables)
        self._said = {name: _json(read(value, variables)) for name, value in plan.said.items()}
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
        columns = iter(await connection.fetchrow(self._query.snapshot.text, *values))
        lists: dict[tuple[str, ...], str] = {}
        for followed in self.plan.followed.values():
            lists |= {path: next(columns) for path in followed.lists}
            if next(columns) > self._most_objects:
                raise too_complex(self._too_many(followed.entity.root))
        removed = dict.fromkeys(self.plan.followed, "[]")
        return self._text(ObjectChunk(StreamPosition.after(0), None, lists, removed), positions)

    def _too_many(self, root: str) -> str:
        instead = (
            "narrow `where`, as by status or wallet"
            if WHOLE in self.plan.followed
            else f"follow `{root}` by themselves, with a `where`"
        )
        return f"more than {self._most_objects} {root} match: {instead}"

    def runs(self, missed: Sequence[Commit]) -> Iterable[Sequence[Commit]]:
        return one_each(missed)

    async def render(
        self, commits: Sequence[Commit], connection: Any, behind: StreamPosition | None = None
    ) -> Sequence[ObjectChunk]:
        (commit,) = commits
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
        for number, *columns in rows:
            chunks[number] = (feeds[number]._chunk(commit, columns),)
        return chunks

    def _chunk(self, commit: Commit, columns: Sequence[str]) -> ObjectChunk:
        """columns: as ObjectChanges returns them behind the number."""
        texts = iter(columns)
        lists: dict[tuple[str, ...], str] = {}
        removed = {}
        for name, followed in self.plan.followed.items():
            lists |= {path: next(texts) for path in followed.lists}
            removed[name] = next(texts)
        return ObjectChunk(StreamPosition.after(commit.seq), commit, lists, removed)

    def message(
        self, commit: Commit, chunk: ObjectChunk, positions: Mapping[str, StreamPosition]
    ) -> tuple[str, str]:
        """The `payload` of a `next` message, and its cursor."""
        return self._text(chunk, positions)

    def _text(self, chunk: ObjectChunk, positions: Mapping[str, StreamPosition]) -> tuple[str, str]:
        cursor, plan, commit = encode_stream(positions), self.plan, chunk.commit
        values = {
            "cursor": _json(cursor),
            "snapshot": _json(commit is None),
            "stream": _json(commit and commit.stream),
            "seq": _json(commit and str(commit.seq)),
            REMOVED: chunk.removed.get(WHOLE, ""),
            "__typename": _json(plan.typename),
            **self._said,
        }
        parts = []
        for item in plan.items:
            if item.name == "nodes":
                value = chunk.lists[(item.key,)]
            elif item.name in values:
                value = values[item.name]
            else:
                value = self._gathered(item, chunk)
            parts.append(f'"{item.key}":{value}')
        return f'{{"data":{{"{plan.key}":{{{",".join(parts)}}}}}}}', cursor

    def _gathered(self, item: MessageItem, chunk: ObjectChunk) -> str:
        """What is told of one of several that are followed."""
        parts = []
        for key, name in item.members:
            if name == "nodes":
                value = chunk.lists[(item.key, key)]
            elif name == REMOVED:
                value = chunk.removed[item.name]
            else:
                value = _json(self.plan.followed[item.name].typename)
            parts.append(f'"{key}":{value}')
        return f"{{{','.join(parts)}}}"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
