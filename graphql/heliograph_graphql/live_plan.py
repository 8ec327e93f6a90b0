"""What a subscription compiles to, before SQL: which rows or objects it follows, and what of them each message says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heliograph_graphql.entity import Entity
from heliograph_graphql.message import MessageItem
from heliograph_graphql.plan import Condition, Node, Source

Lists = Mapping[tuple[str, ...], Mapping[str, Node]]
"""What is selected of each node, by the response keys that lead to the list inside of the message."""


@dataclass(frozen=True)
class RowPlan:
    """Rows as they come. entity: None for bare commits. arguments: as the operation has them, with references."""

    key: str
    entity: Entity | None
    items: tuple[MessageItem, ...]
    lists: Lists
    where: Condition
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class Followed:
    """Objects of one entity that a subscription follows. typename: of the object that lists them in a message."""

    typename: str
    entity: Entity
    lists: Lists
    where: Condition


@dataclass(frozen=True)
class ObjectPlan:
    """Whole objects. followed: by the member of the message that lists them, which for WHOLE is the message itself.

    said: members that repeat what was asked.
    """

    key: str
    typename: str
    items: tuple[MessageItem, ...]
    followed: Mapping[str, Followed]
    said: Mapping[str, Source]
    arguments: Mapping[str, object]


WHOLE = ""


@dataclass(frozen=True)
class TouchedPlan:
    """Rows of a computed entity, told anew when a commit touched them. asked: by name, what says which rows."""

    key: str
    entity: Entity
    items: tuple[MessageItem, ...]
    lists: Lists
    asked: Mapping[str, Source]
    arguments: Mapping[str, object]
