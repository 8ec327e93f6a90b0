"""Subscription messages: the rows of one commit, read once for each distinct (selection, where), as finished text."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from heliograph_core.cursor import END, StreamPosition, encode_stream
from heliograph_graphql.conditions import source
from heliograph_graphql.entity import Catalog
from heliograph_graphql.live_plan import RowPlan
from heliograph_graphql.parameters import Param, bind_asked, bind_given
from heliograph_graphql.plan import Node, read
from heliograph_graphql.sql import SharedStatement, Statement, live_statement, shared_statement
from heliograph_sql.queries import load
from heliograph_sql.tail import Commit

_AMEND = ("amend", "accounts")
_LIVE = ("live", "heal")


@dataclass(frozen=True)
class Chunk:
    """A message in the making: where it ends, and the text of each list of rows that the subscription selects."""

    position: StreamPosition
    lists: Mapping[tuple[str, ...], str]
    first: bool


class LiveQuery:
    """What subscriptions of one shape have in common: the plan, and the statements that read its rows."""

    def __init__(self, plan: RowPlan, catalog: Catalog) -> None:
        self.plan = plan
        self.alone: Statement | None = None
        self.together: SharedStatement | None = None
        if plan.entity is not None:
            self.alone = live_statement(plan.entity, plan.lists, plan.where, catalog)
            self.together = shared_statement(plan.entity, plan.lists, plan.where, catalog)

    @property
    def lists(self) -> Iterable[Mapping[str, Node]]:
        """What it selects of each row, a list each."""
        return self.plan.lists.values()

    @property
    def characters(self) -> int:
        """Of its statements."""
        return sum(len(each.text) for each in (self.alone, self.together) if each)


class Feed:
    """One distinct subscription: what is selected of which rows. Equal feeds are rendered once and shared."""

    begins_with_snapshot = False

    def __init__(self, query: LiveQuery, variables: Mapping[str, object], message_rows: int) -> None:
        """Raises GraphQLError for a filter value that cannot be bound."""
        plan = query.plan
        self.plan = plan
        self._message_rows = message_rows
        self.streams = asked_streams(plan.arguments, variables)
        self.history = asked_history(plan.arguments, variables)
        self._statement = query.alone
        self._bound = bind_asked(self._statement.params if self._statement else (), variables)
        self.together = query.together
        self.values = (
            shared_values(self.together.params, self.together.lists, variables) if self.together else []
        )
        self.key = (
            plan.key,
            plan.entity.name if plan.entity else None,
            plan.items,
            self._statement.text if self._statement else None,
            repr(self._bound),
            self.streams,
            self.history,
        )

    @property
    def family(self) -> Hashable:
        """Feeds of one family differ in bound values alone: `render_family` reads them with one statement."""
        return None if self.together is None else self.together.text

    def wants_stream(self, stream: str) -> bool:
        return self.streams is None or stream in self.streams

    def wants(self, commit: Commit) -> bool:
        """Whether the commit can make a message here at all."""
        if not self.wants_stream(commit.stream) or not is_told(commit, history=self.history):
            return False
        return self.plan.entity is None or may_have_rows(commit)

    def runs(self, missed: Sequence[Commit]) -> Iterable[Sequence[Commit]]:
        return one_each(missed)

    async def snapshot(self, connection: Any, positions: Mapping[str, StreamPosition]) -> tuple[str, str]:
        raise NotImplementedError("rows are told as they come, and have no snapshot")

    async def render(
        self, commits: Sequence[Commit], connection: Any, behind: StreamPosition | None = None
    ) -> list[Chunk]:
        """The commit's messages; none where nothing matches, but a correction always has one.

        behind: what of this very commit was delivered already.
        """
        (commit,) = commits
        done = StreamPosition.after(commit.seq)
        if self._statement is None or self.plan.entity is None:
            return [Chunk(done, {}, True)]
        at = (
            behind
            if behind is not None and behind.seq == commit.seq
            else StreamPosition(commit.seq, -1, 0, 0, 0)
        )
        chunks: list[Chunk] = []
        times = await times_of(commit, connection)
        while times is not None:
            row = await connection.fetchrow(self._statement.text, *self._given(commit, at, times))
            count, lists = row["rows"], dict(zip(self.plan.lists, row, strict=False))
            if not count:
                break
            first = at.slot < 0
            at = StreamPosition(commit.seq, row["slot"], row["tx_index"], row["ordinal"], row["part"])
            more = count >= self._message_rows
            chunks.append(Chunk(at if more else done, lists, first))
            if not more:
                break
        if not chunks and commit.kind == "correct" and at.slot < 0:
            return [Chunk(done, dict.fromkeys(self.plan.lists, "[]"), True)]
        return chunks

    async def render_family(
        self, feeds: Sequence[Feed], commit: Commit, connection: Any
    ) -> list[list[Chunk]]:
        """What `render` gives for each of one family, all of which `can_share`."""
        statement = self.together
        assert statement is not None
        chunks: list[list[Chunk]] = [[] for _ in feeds]
        times = await times_of(commit, connection)
        if times is None:
            return chunks
        given = _given(commit, StreamPosition(commit.seq, -1, 0, 0, 0), times)
        columns = [list(column) for column in zip(*(feed.values for feed in feeds), strict=True)]
        rows = await connection.fetch(
            statement.text, *(given[name] for name in statement.given), list(range(len(feeds))), *columns
        )
        done = StreamPosition.after(commit.seq)
        for number, *lists in rows:
            chunks[number] = [Chunk(done, dict(zip(feeds[number].plan.lists, lists, strict=False)), True)]
        return chunks

    def message(
        self, commit: Commit, chunk: Chunk, positions: Mapping[str, StreamPosition]
    ) -> tuple[str, str]:
        """The `payload` of a `next` message, and its cursor. positions: of all streams asked, this chunk's included."""
        cursor = encode_stream(positions)
        values = {
            "cursor": cursor,
            "kind": commit.kind.upper(),
            "origin": commit.origin.upper(),
            "stream": commit.stream,
            "seq": str(commit.seq),
            "firstSlot": str(commit.first_slot),
            "lastSlot": str(commit.last_slot),
        }
        discards = commit.kind == "correct" and chunk.first
        parts = []
        for item in self.plan.items:
            if item.name == "nodes":
                value = chunk.lists[(item.key,)]
            elif item.name == "discard":
                value = _discard(item.members, commit) if discards else "null"
            elif item.name == "__typename":
                value = f'"{self.plan.entity.name if self.plan.entity else "Commit"}Message"'
            else:
                value = orjson.dumps(values[item.name]).decode()
            parts.append(f'"{item.key}":{value}')
        return f'{{"data":{{"{self.plan.key}":{{{",".join(parts)}}}}}}}', cursor

    def _given(self, commit: Commit, at: StreamPosition, times: tuple[datetime, datetime]) -> list[Any]:
        assert self._statement is not None
        given = {**_given(commit, at, times), "limit": self._message_rows}
        return bind_given(self._statement.params, self._bound, given)

    def can_share(self, commit: Commit) -> bool:
        """Whether the commit makes one message at most here, and speaks of its own rows alone."""
        return self.together is not None and commit.kind != "correct" and commit.rows < self._message_rows


def _given(commit: Commit, at: StreamPosition, times: tuple[datetime, datetime]) -> dict[str, Any]:
    return {
        "stream": commit.stream,
        "seq": commit.seq,
        "whole": commit.kind == "correct",
        "first_slot": commit.first_slot,
        "last_slot": commit.last_slot,
        "first_time": times[0],
        "last_time": times[1],
        "slot": at.slot,
        "tx_index": at.tx_index,
        "ordinal": at.ordinal,
        "part": at.part,
    }


def is_told(commit: Commit, *, history: bool) -> bool:
    """Whether the commit is one of those that a subscription to rows hears of. history: also of those that fill in the past."""
    # What is corrected of a backfill was not sent without history either.
    corrects = commit.kind == "correct" and commit.origin != "backfill"
    return history or commit.origin in _LIVE or corrects


def may_have_rows(commit: Commit) -> bool:
    """Whether the commit can have written rows of events, or taken some back."""
    return commit.kind == "correct" or (
        commit.rows > 0 and commit.first_time is not None and commit.kind not in _AMEND
    )


def one_each(commits: Iterable[Commit]) -> Iterable[Sequence[Commit]]:
    """Runs of what is told commit by commit."""
    return ([commit] for commit in commits)


async def times_of(commit: Commit, connection: Any) -> tuple[datetime, datetime] | None:
    """Block times of the first and the last slot that the commit's message speaks of; None where it has no rows."""
    first, last = commit.first_time, commit.last_time
    if commit.kind == "correct":
        # It speaks of its whole range, and knows the times of what it rewrote.
        first, last = await connection.fetchrow(
            load("graphql.sql")["times_of_slots"], commit.stream, commit.first_slot, commit.last_slot
        )
    return None if first is None or last is None else (first, last)


def is_whole(position: StreamPosition) -> bool:
    """Whether the position stands behind a whole commit."""
    return position.slot == END


def _discard(members: tuple[tuple[str, str], ...], commit: Commit) -> str:
    values = {
        "fromSlot": str(commit.first_slot),
        "throughSlot": str(commit.last_slot),
        "__typename": "Discard",
    }
    return "{" + ",".join(f'"{key}":"{values[name]}"' for key, name in members) + "}"


def _value(argument: object, variables: Mapping[str, object]) -> object:
    return read(source(argument), variables)


def asked_streams(arguments: Mapping[str, object], variables: Mapping[str, object]) -> frozenset[str] | None:
    """The streams that a subscription names, None for all."""
    streams = arguments.get("streams")
    return None if streams is None else frozenset(_texts(streams, variables))


def asked_history(arguments: Mapping[str, object], variables: Mapping[str, object]) -> bool:
    """Whether a subscription also hears of what fills in the past."""
    return bool(_value(arguments.get("history"), variables))


def shared_values(
    params: Iterable[Param], lists: Iterable[bool], variables: Mapping[str, object]
) -> list[Any]:
    """One subscription's values for a shared statement. Raises GraphQLError for one that cannot be bound."""
    bound = ((param.bind(variables), is_list) for param, is_list in zip(params, lists, strict=True))
    return [_json_of_texts(value) if is_list else value for value, is_list in bound]


def _json_of_texts(values: object) -> str | None:
    """A list as SharedStatement takes it: JSON of what PostgreSQL reads each value from."""
    if not isinstance(values, list):
        return None
    return orjson.dumps([None if value is None else _text(value) for value in values]).decode()


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _texts(argument: object, variables: Mapping[str, object]) -> list[str]:
    value = _value(argument, variables)
    return [str(item) for item in value] if isinstance(value, list) else []
