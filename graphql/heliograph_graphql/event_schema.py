"""The part of the schema that IDLs make: types, pages and subscriptions of events, put beside what is always there.

Built of graphql-core's own types: a stream has dozens of events and a server may have dozens of streams, for which Strawberry takes
many seconds, and nothing of it is ever resolved here, because events are only read by compiled statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    print_type,
)
from graphql.type import GraphQLNamedType

from heliograph_graphql.completeness import COMPLETE_THROUGH, COVERAGE
from heliograph_graphql.entity import Entity, Field, Kind
from heliograph_graphql.event_aggregates import EventAggregates
from heliograph_graphql.event_entities import Events, TypedEvent
from heliograph_graphql.inputs import FILTER_NAMES
from heliograph_graphql.message import ENVELOPE
from heliograph_graphql.types import DEFAULT_FIRST

_SCALARS: Mapping[Kind, str] = {
    Kind.ID: "ID",
    Kind.TEXT: "String",
    Kind.BYTES: "String",
    Kind.INT: "Int",
    Kind.BIGINT: "BigInt",
    Kind.SLOT: "Slot",
    Kind.DECIMAL: "Decimal",
    Kind.TIME: "DateTime",
    Kind.BOOL: "Boolean",
    Kind.JSON: "JSON",
    Kind.NESTED: "JSON",
    # NaN and the infinities are text, which no Float may be; a scalar of our own would stop clients that know all scalars.
    Kind.DOUBLE: "JSON",
}


class EventSchema:
    """core: the schema with events; sdl: what of it is not in the one without, as SDL that extends that one."""

    def __init__(self, static: GraphQLSchema, events: Events) -> None:
        self._known: dict[str, GraphQLNamedType] = dict(static.type_map)
        self._made: list[GraphQLNamedType] = []
        self._order = self._add(
            GraphQLInputObjectType(
                "EventOrder",
                {
                    field.key: GraphQLInputField(self._type("Direction"), description=field.text)
                    for field in events.event.fields
                    if field.can_sort
                },
                description="One field to sort by.",
                is_one_of=True,
            )
        )
        self._aggregates = EventAggregates(self._type, self._add, self._kind)
        self._queries: dict[str, GraphQLField] = {}
        self._subscriptions: dict[str, GraphQLField] = {}
        for entity in events.entities:
            self._entity(entity)
        self._queries["eventTypes"] = self._listing(events)
        query, subscription = (
            _with(static.query_type, self._queries),
            _with(static.subscription_type, self._subscriptions),
        )
        kept = [each for each in static.type_map.values() if each.name not in ("Query", "Subscription")]
        self.core = GraphQLSchema(
            query,
            None,
            subscription,
            types=[*kept, *self._made],
            directives=static.directives,
            description=static.description,
            extensions=static.extensions,
            # Thousands of types would be looked at with the first request; a test does it.
            assume_valid=True,
        )

    @property
    def sdl(self) -> str:
        roots = (
            GraphQLObjectType("Query", self._queries),
            GraphQLObjectType("Subscription", self._subscriptions),
        )
        made = sorted(self._made, key=lambda each: each.name)
        return "\n\n".join([*(f"extend {print_type(each)}" for each in roots), *map(print_type, made)])

    # -- types

    def _type(self, name: str) -> Any:
        return self._known[name]

    def _some(self, name: str) -> Any:
        return GraphQLNonNull(self._type(name))

    def _list(self, kind: Any) -> Any:
        return GraphQLNonNull(GraphQLList(GraphQLNonNull(kind)))

    def _add(self, made: Any) -> Any:
        self._known[made.name] = made
        self._made.append(made)
        return made

    def _kind(self, field: Field) -> Any:
        if not isinstance(field.type, Kind):
            return self._type(field.type.name)
        if field.type is Kind.TEXTS:
            return GraphQLList(self._some("String"))
        return self._type(_SCALARS[field.type])

    def _leaf(self, field: Field) -> GraphQLField:
        kind = self._kind(field)
        return GraphQLField(kind if field.nullable else GraphQLNonNull(kind), description=field.text)

    def _entity(self, entity: Entity) -> None:
        row, name = self._row(entity), entity.name
        edge = self._add(
            GraphQLObjectType(
                f"{name}Edge",
                {
                    "cursor": GraphQLField(self._some("String"), description="Opaque: pass it as `after`."),
                    "node": GraphQLField(GraphQLNonNull(row), description="The row."),
                },
                description="A row and its cursor.",
            )
        )
        page = self._add(
            GraphQLObjectType(
                f"{name}Connection",
                {
                    "nodes": GraphQLField(self._list(row), description="The rows."),
                    "edges": GraphQLField(self._list(edge), description="The rows with their cursors."),
                    "pageInfo": GraphQLField(self._some("PageInfo"), description="Where the page stands."),
                    "totalCount": GraphQLField(
                        self._some("Int"), description="How many rows match, counted when asked."
                    ),
                    "completeThrough": GraphQLField(
                        self._type(COMPLETE_THROUGH.name), description=COMPLETE_THROUGH.description
                    ),
                    "coverage": GraphQLField(self._some(COVERAGE.name), description=COVERAGE.description),
                    "aggregates": self._aggregates.field(entity),
                },
                description=f"A page of {entity.root}.",
            )
        )
        message = self._add(
            GraphQLObjectType(
                f"{name}Message",
                {
                    **{field.key: self._leaf(field) for field in ENVELOPE},
                    "discard": GraphQLField(
                        self._type("Discard"),
                        description="For a correction: drop everything held of these slots first.",
                    ),
                    "nodes": GraphQLField(
                        self._list(row), description="Rows of the commit that match, in chain order."
                    ),
                },
                description=f"What one commit brought to {entity.root}.",
            )
        )
        where = GraphQLArgument(self._filter(entity), description="Which rows.")
        chosen = {
            argument.key: GraphQLArgument(
                self._some("String") if argument.required else self._type("String"),
                description=argument.description,
            )
            for argument in entity.arguments
        }
        self._queries[entity.root] = GraphQLField(
            GraphQLNonNull(page),
            {
                **chosen,
                "first": GraphQLArgument(
                    self._type("Int"), default_value=DEFAULT_FIRST, description="How many rows, at most 1000."
                ),
                "after": GraphQLArgument(self._type("String"), description="Rows after this cursor."),
                "where": where,
                "orderBy": GraphQLArgument(
                    GraphQLList(GraphQLNonNull(self._order)),
                    description="In which order; ties are broken by the rows' key.",
                ),
            },
            resolve=_compiled,
            description=entity.description,
        )
        self._subscriptions[entity.root] = GraphQLField(
            GraphQLNonNull(message),
            {
                **chosen,
                "after": GraphQLArgument(
                    self._type("String"),
                    description="Resume behind the message with this cursor: what was missed is replayed, then live.",
                ),
                "history": GraphQLArgument(
                    self._type("Boolean"),
                    default_value=False,
                    description="Also send rows of backfill and replay.",
                ),
                "where": where,
            },
            description=entity.description,
        )

    def _row(self, entity: Entity) -> GraphQLObjectType:
        related = {
            relation.key: GraphQLField(self._type(relation.target), description=relation.description)
            for relation in entity.relations
        }
        interfaces: list[GraphQLInterfaceType] = [self._type("Node")] if "id" in entity.by_key else []
        made: GraphQLObjectType = self._add(
            GraphQLObjectType(
                entity.name,
                {**{field.key: self._leaf(field) for field in entity.fields}, **related},
                interfaces=interfaces,
                description=entity.description,
            )
        )
        return made

    def _filter(self, entity: Entity) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            found = {
                field.key: GraphQLInputField(
                    self._type(FILTER_NAMES[cast(Kind, field.type)]), description=field.text
                )
                for field in entity.fields
                if field.can_filter
            }
            some = GraphQLList(GraphQLNonNull(made))
            return found | {
                "and": GraphQLInputField(some, description="All of these hold."),
                "or": GraphQLInputField(some, description="One of these holds."),
                "not": GraphQLInputField(made, description="This does not hold."),
            }

        text = f"Which {entity.root} to return; all given fields must match."
        made: GraphQLInputObjectType = self._add(
            GraphQLInputObjectType(f"{entity.name}Filter", fields, description=text)
        )
        return made

    # -- what there is

    def _listing(self, events: Events) -> GraphQLField:
        column = self._described(
            "EventField",
            "A field of an event, and what it is called where.",
            {
                "name": ("String", "Its name here."),
                "field": ("String", "Its name in the IDL; the second of a name is name#2."),
                "column": ("String", "Its column."),
                "type": ("String", "Type of the column; a field that changed its type has one for each."),
            },
        )
        event = self._described(
            "EventType",
            "An event of an IDL, and what it is called where.",
            {
                "stream": ("String", "The stream."),
                "program": ("String", "Address of the program that emits it."),
                "event": ("String", "Its name in the IDL: the `name` that `events` takes."),
                "table": ("String", "Its table, in the stream's schema."),
                "type": ("String", "Its type here."),
                "root": ("String", "The field of Query and of Subscription that has its rows."),
            },
        )
        event.fields["fields"] = GraphQLField(
            self._list(column), description="Its fields, in the order in which their columns were made."
        )
        told = [_told(each) for each in events.typed]

        def resolve(_: Any, __: Any, stream: str | None = None) -> list[dict[str, object]]:
            return [each for each in told if stream is None or each["stream"] == stream]

        about = "The events of every stream's IDLs, and the names of their types, fields, tables and columns."
        asked = GraphQLArgument(self._type("String"), description="Only this stream's.")
        return GraphQLField(self._list(event), {"stream": asked}, resolve=resolve, description=about)

    def _described(self, name: str, text: str, fields: Mapping[str, tuple[str, str]]) -> GraphQLObjectType:
        made: GraphQLObjectType = self._add(
            GraphQLObjectType(
                name,
                {
                    key: GraphQLField(self._some(kind), description=about)
                    for key, (kind, about) in fields.items()
                },
                description=text,
            )
        )
        return made


def _with(root: GraphQLObjectType | None, fields: Mapping[str, GraphQLField]) -> GraphQLObjectType:
    assert root is not None
    return GraphQLObjectType(
        root.name, {**root.fields, **fields}, description=root.description, extensions=root.extensions
    )


def _compiled(_: object, info: Any, **__: object) -> object:
    """Compiled and answered before."""
    return info.context.raw[info.path.key]


def _told(each: TypedEvent) -> dict[str, object]:
    source, entity = each.source, each.entity
    return {
        "stream": source.stream,
        "program": source.program,
        "event": source.event,
        "table": source.table,
        "type": entity.name,
        "root": entity.root,
        "fields": [
            {"name": field.key, "field": column.field, "column": column.column, "type": column.type}
            for (_, field), column in zip(each.fields, source.columns, strict=True)
        ],
    }
