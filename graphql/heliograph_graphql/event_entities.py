"""Events of every stream as entities: one for each event of an IDL, typed, and `Event` for all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from graphql import GraphQLError

from heliograph_graphql.document import EVENTS
from heliograph_graphql.entities.chain import CHAIN_ORDER, ID, PLACE, SIGNATURE, transaction
from heliograph_graphql.entity import Argument, Entity, Field, Kind
from heliograph_graphql.event_names import TypeNames, field_names
from heliograph_graphql.event_rows import DATA, EVENT_ID, NAME, PART, STREAM, rows_of_table, rows_with_data
from heliograph_graphql.failures import BAD_INPUT
from heliograph_sql.event_sources import EventSource, EventSources
from heliograph_sql.event_tables import base_type
from heliograph_sql.plan import PgType

_NAMES_TOLD = 20

KINDS: Mapping[PgType, Kind] = {
    PgType.SMALLINT: Kind.INT,
    PgType.INTEGER: Kind.INT,
    PgType.BIGINT: Kind.BIGINT,
    PgType.NUMERIC: Kind.DECIMAL,
    PgType.DOUBLE: Kind.DOUBLE,
    PgType.TEXT: Kind.TEXT,
    PgType.TEXT_ARRAY: Kind.TEXTS,
    PgType.BOOLEAN: Kind.BOOL,
    PgType.BYTEA: Kind.BYTES,
    PgType.JSONB: Kind.NESTED,
    PgType.TIMESTAMPTZ: Kind.TIME,
}

_STREAM = Field(
    STREAM, Kind.TEXT, "The stream that it was indexed by.", sortable=False, graphql_name="stream"
)
_COMMON = (
    *PLACE,
    SIGNATURE,
    Field("program", Kind.TEXT, "Address of the program that emitted it.", sortable=False, figures=True),
    Field(
        "caller",
        Kind.TEXT,
        "Program that invoked the one that emitted it; null where the transaction did.",
        nullable=True,
        sortable=False,
        figures=True,
    ),
)
_TRANSACTION = transaction(STREAM)

EVENT = Entity(
    name="Event",
    root=EVENTS,
    table="",
    description="What programs said themselves: the events of a stream, of one name or of all, newest first.",
    key=CHAIN_ORDER,
    newest_first=True,
    live=True,
    stream=STREAM,
    part=PART,
    arguments=(
        Argument("stream", Kind.TEXT, "The stream.", required=True),
        Argument("name", Kind.TEXT, "Name of the event, as its IDL has it; all by default."),
    ),
    fields=(
        Field(
            EVENT_ID,
            Kind.ID,
            "Opaque global id: that of the same row by its own type, which `node` finds.",
            graphql_name="id",
        ),
        _STREAM,
        Field(NAME, Kind.TEXT, "Its name in the IDL.", sortable=False, graphql_name="name", figures=True),
        *_COMMON,
        Field(
            DATA,
            Kind.JSON,
            "Its fields by their names in the IDL. Integers from u32 on and every number inside of nested values are text, bytes base64.",
            graphql_name="data",
        ),
    ),
    relations=(_TRANSACTION,),
)
"""Of no table: which rows it has, is chosen by its arguments."""


@dataclass(frozen=True)
class TypedEvent:
    """An event and its entity. fields: (field of the IDL, the entity's field), in the order of their making."""

    source: EventSource
    entity: Entity
    fields: tuple[tuple[str, Field], ...]


class Events:
    """The events of all streams. typed: one entity each; event: the one for all, whose rows are chosen by its arguments."""

    def __init__(self, found: EventSources, types: Iterable[str], roots: Iterable[str]) -> None:
        """types, roots: names that are taken."""
        names = TypeNames(types, roots)
        self.typed = tuple(_typed(source, names) for source in found.sources)
        self.event = replace(EVENT, choose=self.choose)
        self._by_stream: dict[str, list[TypedEvent]] = {}
        for each in self.typed:
            self._by_stream.setdefault(each.source.stream, []).append(each)
        self._chosen: dict[tuple[str, str | None], Entity] = {}

    @property
    def entities(self) -> tuple[Entity, ...]:
        return (self.event, *(each.entity for each in self.typed))

    def choose(self, asked: Mapping[str, object]) -> Entity:
        """`Event` with the rows that are asked for. Raises GraphQLError for a stream or a name that there is not."""
        stream = str(asked["stream"])
        name = None if asked["name"] is None else str(asked["name"])
        known = self._chosen.get((stream, name))
        if known is None:
            known = self._chosen[stream, name] = self._written(stream, name)
        return known

    def _written(self, stream: str, name: str | None) -> Entity:
        here = self._by_stream.get(stream)
        if here is None:
            raise GraphQLError(
                f"there is no stream {stream[:60]!r} with events: there are {_listed(self._by_stream)}",
                extensions={"code": BAD_INPUT},
            )
        found = [each for each in here if name is None or each.source.event == name]
        if not found:
            raise GraphQLError(
                f"stream {stream} has no event {str(name)[:60]!r}: it has {_listed(each.source.event for each in here)}",
                extensions={"code": BAD_INPUT},
            )
        arms = [
            rows_with_data(stream, each.source.table, each.source.event, each.fields, each.entity)
            for each in found
        ]
        return replace(EVENT, rows=" UNION ALL ".join(arms), of_stream=stream, arguments=())


def _typed(source: EventSource, names: TypeNames) -> TypedEvent:
    name, root = names.give(source.stream, source.table)
    common = (ID, _STREAM, *_COMMON)
    taken = [*(field.key for field in common), _TRANSACTION.key]
    keys = field_names([(column.field, column.column) for column in source.columns], taken)
    fields = tuple(
        Field(
            column.column,
            KINDS[base_type(column.type)],
            column.docs or f"Field {column.field.partition('#')[0]} of the event.",
            nullable=True,
            sortable=False,
            graphql_name=key,
            figures=True,
        )
        for key, column in zip(keys, source.columns, strict=True)
    )
    entity = Entity(
        name=name,
        root=root,
        table=f"{source.stream}.{source.table}",
        description=source.about or f"Event {source.event}, decoded.",
        key=CHAIN_ORDER,
        newest_first=True,
        live=True,
        stream=STREAM,
        part=PART,
        of_stream=source.stream,
        rows=rows_of_table(source.stream, source.table),
        fields=(*common, *fields),
        relations=(_TRANSACTION,),
    )
    return TypedEvent(source, entity, tuple(zip((c.field for c in source.columns), fields, strict=True)))


def _listed(names: Iterable[str]) -> str:
    found = sorted(set(names))
    more = len(found) - _NAMES_TOLD
    return (", ".join(found[:_NAMES_TOLD]) or "none") + (f" and {more} more" if more > 0 else "")
