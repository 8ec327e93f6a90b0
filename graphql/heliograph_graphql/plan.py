"""What an operation compiles to, before SQL: a tree of pages and leaves whose values are still to be bound."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from heliograph_graphql.entity import Entity, Field, Part, Relation


@dataclass(frozen=True)
class Const:
    """A value that stands in the operation's text."""

    value: object


@dataclass(frozen=True)
class Ref:
    """A value inside the variables: the path to it."""

    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Items:
    """A list whose items come from here and there."""

    items: tuple[Source, ...]


Source = Const | Ref | Items


def read(source: Source, variables: Mapping[str, object]) -> object:
    """The value of `source` for these coerced variables."""
    if isinstance(source, Const):
        return source.value
    if isinstance(source, Items):
        return [read(item, variables) for item in source.items]
    value: object = variables
    for step in source.path:
        value = value[step]  # type: ignore[index]
    return value


class Structural(enum.Enum):
    """Values of arguments that decide the SQL, and are no parameters of it."""


class Direction(Structural):
    ASC = "ASC"
    DESC = "DESC"


class Operator(enum.Enum):
    EQ = "eq"
    IN = "in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


@dataclass(frozen=True)
class Compare:
    """field OP value; value None is `eq: null`: the field is missing."""

    field: Field
    operator: Operator
    value: Source | None


@dataclass(frozen=True)
class All:
    """True where every part is, so true without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Any_:
    """True where some part is, so false without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    part: Condition


Condition = Compare | All | Any_ | Not


@dataclass(frozen=True)
class Sort:
    """One column of an order. Missing values are above all others, as PostgreSQL has them."""

    field: Field
    descending: bool


@dataclass(frozen=True)
class Typename:
    name: str


@dataclass(frozen=True)
class Leaf:
    field: Field


@dataclass(frozen=True)
class PartList:
    """A nested list of a Part's rows."""

    part: Part
    items: Mapping[str, Leaf | Typename]


@dataclass(frozen=True)
class One:
    """A single related row."""

    relation: Relation
    entity: Entity
    items: Mapping[str, Node]


@dataclass(frozen=True)
class PartOf:
    """A Part as a field of a page."""

    part: Part
    items: Mapping[str, Leaf | Typename | PartList]


@dataclass(frozen=True)
class Nodes:
    items: Mapping[str, Node]


@dataclass(frozen=True)
class EdgeCursor:
    pass


@dataclass(frozen=True)
class Edges:
    items: Mapping[str, EdgeCursor | Nodes | Typename]


class PageFact(enum.Enum):
    HAS_NEXT = "hasNextPage"
    HAS_PREVIOUS = "hasPreviousPage"
    START = "startCursor"
    END = "endCursor"


@dataclass(frozen=True)
class PageInfo:
    items: Mapping[str, PageFact | Typename]


@dataclass(frozen=True)
class TotalCount:
    pass


class Measure(enum.Enum):
    """What is told of a group's values of one field. Missing values are left out."""

    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    KNOWN = "known"


@dataclass(frozen=True)
class GroupKey:
    """What a group has in common: fields, and under BUCKET the span of time."""

    items: Mapping[str, Field | str | Typename]


BUCKET = "bucket"
COUNT = "count"


@dataclass(frozen=True)
class Measured:
    measure: Measure
    items: Mapping[str, Field | Typename]


@dataclass(frozen=True)
class Groups:
    """The groups of an Aggregates; COUNT is how many rows a group has."""

    items: Mapping[str, GroupKey | Measured | str | Typename]


HAS_MORE = "hasMore"


@dataclass(frozen=True)
class GroupSort:
    """What groups are sorted by before their key: a measure of a field, COUNT, or BUCKET."""

    by: tuple[Measure, Field] | str
    descending: bool


@dataclass(frozen=True)
class Aggregates:
    """What all rows of a page's filter come to: one group of all, or a group for each value of `by` and each bucket.

    first: how many groups. most_rows: more rows than that are refused.
    """

    by: tuple[Field, ...]
    bucket: Source | None
    first: Source
    sort: GroupSort | None
    items: Mapping[str, Groups | str | Typename]
    most_rows: int


PageNode = Nodes | Edges | PageInfo | TotalCount | PartOf | Aggregates | Typename


@dataclass(frozen=True)
class AsOf:
    """The end of a slot, or of all blocks up to a time. most: more changes than that are not folded."""

    slot: Source | None
    time: Source | None
    most: int


@dataclass(frozen=True)
class Page:
    """A connection: of all rows, or of those that `relation` ties to the parent."""

    entity: Entity
    relation: Relation | None
    first: Source
    after: Source | None
    where: Condition
    sorts: tuple[Sort, ...]
    items: Mapping[str, PageNode]
    arguments: Mapping[str, Source] = field(default_factory=dict)
    """By name, of an entity that is computed; those that `relation` gives are absent."""
    as_of: AsOf | None = None

    @property
    def order(self) -> str:
        """Names the order of rows, so that a cursor is refused under another."""
        signs = ",".join(f"{'-' if sort.descending else ''}{sort.field.name}" for sort in self.sorts)
        return f"{self.entity.name}:{signs}"


@dataclass(frozen=True)
class Row:
    """A single row by what identifies it: `where` finds it, the first by `sorts` counts."""

    entity: Entity
    where: Condition
    sorts: tuple[Sort, ...]
    items: Mapping[str, Node]
    identity: Source | None = None
    arguments: Mapping[str, Source] = field(default_factory=dict)


Node = Leaf | Typename | One | Page
Root = Page | Row
