"""What a queryable entity is: the one description from which types, filters, orders and SQL are made."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from strawberry.utils.str_converters import to_camel_case


class Kind(enum.Enum):
    """How a value looks in GraphQL and in PostgreSQL."""

    ID = "id"
    TEXT = "text"
    TEXTS = "texts"
    INT = "int"
    BIGINT = "bigint"
    SLOT = "slot"
    DECIMAL = "decimal"
    TIME = "time"
    BOOL = "bool"
    JSON = "json"
    NESTED = "nested"
    """JSON whose numbers are shown as text: nothing says which of them a double holds."""
    BYTES = "bytes"
    DOUBLE = "double"


_OPAQUE = frozenset({Kind.ID, Kind.JSON, Kind.NESTED, Kind.TEXTS, Kind.BYTES, Kind.DOUBLE})
"""Those that are neither compared nor sorted by."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A GraphQL enum over text in the table: values maps the stored text to its description.

    names: stored text -> name in GraphQL, where it is not the text in capitals; such a choice is only asked with.
    """

    name: str
    description: str
    values: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)

    def shown(self, stored: str) -> str:
        """The name in GraphQL."""
        return self.names.get(stored, stored.upper())


@dataclass(frozen=True, eq=False)
class Argument:
    """What an entity that is computed is asked with. The part of queries/graphql.sql that computes it has it as {name}.

    required: there is no answer without it. default: a stored value, or null.
    """

    name: str
    type: Kind | Choice
    description: str
    required: bool = False
    default: object = None

    @property
    def key(self) -> str:
        """The name in GraphQL."""
        return to_camel_case(self.name)


@dataclass(frozen=True)
class Through:
    """A field of another table, reached by `column`: filtering by it filters `column` by the rows that match there."""

    table: str
    key: str
    column: str
    field: str


class Bound(enum.Enum):
    """Which lookup tells the block times that a comparison of this field can match (tables are cut by time)."""

    SLOT = "slot"
    SIGNATURE = "signature"


@dataclass(frozen=True, eq=False)
class Field:
    """One leaf of an entity. name: snake_case, as the column unless `fragment` computes it.

    unit: said in the description. fragment: name of a scalar expression in queries/graphql.sql that reads the row
    as {row}. order: columns that sorting by this field sorts by, where it is not the column alone.
    graphql_name: overrides the camelCase name. figures: told in aggregates although pages are not sorted by it.
    """

    name: str
    type: Kind | Choice
    description: str
    unit: str = ""
    nullable: bool = False
    fragment: str | None = None
    filterable: bool = True
    sortable: bool = True
    order: tuple[str, ...] = ()
    through: Through | None = None
    bound: Bound | None = None
    graphql_name: str = ""
    figures: bool = False

    @property
    def key(self) -> str:
        """The name in GraphQL."""
        return self.graphql_name or to_camel_case(self.name)

    @property
    def text(self) -> str:
        """The description with its unit."""
        return f"{self.description} Unit: {self.unit}." if self.unit else self.description

    @property
    def can_filter(self) -> bool:
        comparable = self.type not in _OPAQUE
        return self.filterable and comparable and (self.fragment is None or self.through is not None)

    @property
    def can_sort(self) -> bool:
        return self.sortable and self.fragment is None and self.type not in _OPAQUE

    @property
    def can_sum_up(self) -> bool:
        """Whether aggregates may tell of it."""
        return self.can_sort or (self.figures and self.fragment is None and self.type not in _OPAQUE)

    @property
    def can_group(self) -> bool:
        """Whether rows are told apart by it: a name, a choice, a yes or no."""
        return self.can_sum_up and (isinstance(self.type, Choice) or self.type in (Kind.TEXT, Kind.BOOL))

    @property
    def is_number(self) -> bool:
        """Whether it has a sum and a mean."""
        return self.can_sum_up and self.type in (Kind.DECIMAL, Kind.BIGINT, Kind.INT)

    @property
    def has_extremes(self) -> bool:
        """Whether it has a least and a greatest value."""
        return self.is_number or (self.can_sum_up and self.type in (Kind.TIME, Kind.SLOT))


@dataclass(frozen=True, eq=False)
class Relation:
    """Rows of `target` that belong to a row. on: (column there, column here) pairs that must be equal.

    either: alternatives, of which one must hold besides: (column there, column here). Each is looked for by itself, so that
    each finds its index. given: (argument of the target, column here): what the parent answers instead of the client.
    fragment: name of a further condition in queries/graphql.sql over {row} (there) and {parent} (here).
    many: a connection, else one object, null where there is none.
    """

    name: str
    target: str
    description: str
    on: tuple[tuple[str, str], ...]
    many: bool = True
    fragment: str | None = None
    either: tuple[tuple[str, str], ...] = ()
    given: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        return to_camel_case(self.name)


@dataclass(frozen=True, eq=False)
class Part:
    """An object that is no row: its columns come from the query `fragment` of queries/graphql.sql.

    parts: nested lists of further parts.
    """

    name: str
    description: str
    fragment: str
    fields: tuple[Field, ...]
    parts: Mapping[str, Part] = field(default_factory=dict)

    @cached_property
    def by_key(self) -> Mapping[str, Field]:
        return {item.key: item for item in self.fields}


@dataclass(frozen=True, eq=False)
class Past:
    """How an entity is read as it was; its root field then takes `asOf`.

    kept: the part of queries/graphql.sql that lists what nothing altered since the end of {slots} of {streams}. changed:
    the part that lists what was altered since, where {where}, at most {limit}. folded: the part that reads what
    heliograph_graphql.past made of that, {folded}. fixed: fields that never change, by which `changed` is narrowed.
    """

    kept: str
    changed: str
    folded: str
    fixed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Objects that a subscription to an entity that is computed follows. name: the member of its message that lists them.

    on: (column there, argument here) pairs that must be equal. fixed: (column there, stored value) that it must have besides.
    """

    name: str
    target: str
    description: str
    on: tuple[tuple[str, str], ...]
    fixed: tuple[tuple[str, str], ...] = ()

    def typename(self, entity: Entity) -> str:
        """The type of that member."""
        return f"{entity.name}{self.name[0].upper()}{self.name[1:]}"


@dataclass(frozen=True, eq=False)
class Touched:
    """How a subscription to an entity that is computed finds which of its rows commits touched, and what these are now.

    keys: the part of queries/graphql.sql that lists, for each of {asked}, its number and the first value of the entity's key of each
    row that was touched. rows: the part that computes those from {first} through {last}. asked: the arguments that say which.
    """

    keys: str
    rows: str
    asked: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Entity:
    """A table as GraphQL shows it, or what a part of queries/graphql.sql computes.

    name: the object type. root: the connection's root field; empty: it has no connections. one: the root field for a single
    row, if any. table: `schema.table`, or the name of the part where `arguments` say what is computed.
    paged: the part computes a page, of {limit} rows behind {behind} (the first value of the key), so that there is one order.
    key: columns that identify a row and end every order; `newest_first` says their direction by default.
    identity: the columns that the global id is made of, where they are not the key.
    lookups: GraphQL names of the fields that `one` finds a row by, besides its id.
    stream: the column that names the stream. of_stream: the one that all rows are of, where there is but one. part: the column that
    tells rows of one event apart. rows: the SELECT that the rows come from, where it is not the table as it stands.
    choose: the entity to read instead, by the values of `arguments`, where these say which rows there are. live: also a subscription (event-like tables only).
    followed: also a subscription of whole objects (tables whose changes heliograph.object_changes notes).
    touched: also a subscription that tells the rows that commits touched, as they are now.
    gathers: what the subscription of the name of `one` follows, all of it entities that are `followed`.
    """

    name: str
    root: str
    table: str
    description: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    relations: tuple[Relation, ...] = ()
    newest_first: bool = False
    one: str | None = None
    stream: str = "stream"
    live: bool = False
    followed: bool = False
    gathers: tuple[Gathered, ...] = ()
    touched: Touched | None = None
    identity: tuple[str, ...] = ()
    lookups: tuple[str, ...] = ()
    arguments: tuple[Argument, ...] = ()
    paged: bool = False
    of_stream: str | None = None
    part: str = "part"
    rows: str = ""
    choose: Callable[[Mapping[str, object]], Entity] | None = None
    past: Past | None = None

    def __post_init__(self) -> None:
        if not self.identity:
            object.__setattr__(self, "identity", self.key)

    @cached_property
    def by_key(self) -> Mapping[str, Field]:
        """Fields by GraphQL name."""
        return {item.key: item for item in self.fields}

    @cached_property
    def by_column(self) -> Mapping[str, Field]:
        """Fields that are columns, by column."""
        return {item.name: item for item in self.fields if item.fragment is None}

    @cached_property
    def span(self) -> Field | None:
        """The time that its rows are put into buckets by: that which they are ordered by."""
        lead = self.by_column[self.key[0]]
        return lead if lead.type is Kind.TIME else None

    @cached_property
    def argument_by_key(self) -> Mapping[str, Argument]:
        return {item.key: item for item in self.arguments}

    @property
    def touched_by(self) -> tuple[Argument, ...]:
        """What the subscription to touched rows is asked with."""
        return tuple(
            item for item in self.arguments if self.touched is not None and item.name in self.touched.asked
        )

    @cached_property
    def relation_by_key(self) -> Mapping[str, Relation]:
        return {item.key: item for item in self.relations}


class Catalog:
    """All entities, by object type and by root field."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        self.entities = tuple(entities)
        self.by_name = {entity.name: entity for entity in self.entities}
        self.by_root = {entity.root: entity for entity in self.entities if entity.root}
        self.by_one = {entity.one: entity for entity in self.entities if entity.one}
        self.by_gathering = {entity.one: entity for entity in self.entities if entity.one and entity.gathers}
        """Those that have a subscription to what they gather, by its name."""
        self.nodes = {
            entity.name: entity for entity in self.entities if "id" in entity.by_key and entity.choose is None
        }
        """Those whose rows have a global id, by object type."""

    @property
    def live(self) -> tuple[Entity, ...]:
        """The entities that have a subscription to their rows, in order of their root fields."""
        return tuple(entity for entity in self.entities if entity.live)

    @property
    def followed(self) -> tuple[Entity, ...]:
        """The entities that have a subscription to whole objects."""
        return tuple(entity for entity in self.entities if entity.followed)

    @property
    def touched(self) -> tuple[Entity, ...]:
        """The entities that have a subscription to rows that commits touched."""
        return tuple(entity for entity in self.entities if entity.touched)
