"""Which columns the events of an IDL need. Pure: an IDL in, layouts for heliograph_sql.event_tables out.

A value that fits a column type exactly gets it; whatever has parts (structs, lists, enums with data, options of
options) is jsonb. Every column may be NULL, so an option takes the type of its item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from heliograph_core.errors import IdlError
from heliograph_indexer.decode import Layouts
from heliograph_indexer.idl.model import (
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Field,
    Idl,
    Layout,
    Number,
    NumberFormat,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
    Vec,
)
from heliograph_sql.event_tables import EventLayout

JSON = "jsonb"

NUMBER_TYPES: Mapping[NumberFormat, str] = {
    "u8": "smallint",
    "i8": "smallint",
    "i16": "smallint",
    "u16": "integer",
    "i32": "integer",
    "u32": "bigint",
    "i64": "bigint",
    "u64": "numeric(20,0)",
    "u128": "numeric(39,0)",
    "i128": "numeric(39,0)",
    "u256": "numeric(78,0)",
    "i256": "numeric(78,0)",
    "f32": "double precision",
    "f64": "double precision",
}
"""The narrowest column that holds every value of the number."""


def event_layouts(program: str, idl: Idl) -> list[EventLayout]:
    """One layout an event, in the order of the IDL. program: the address that emits them. Raises IdlError."""
    return [
        EventLayout(
            program=program,
            idl=idl.name,
            event=event.name,
            fields=tuple((field.name, column_type(field.type, idl)) for field in _fields(event, idl)),
        )
        for event in idl.events
    ]


def layouts_of(layouts: Layouts) -> list[EventLayout]:
    """Of every program of a stream: the events and fields of its latest IDL, then those that only older ones have."""
    found = []
    for program, decoder in layouts.decoders.items():
        versions = layouts.versions.get(program)
        idls = [each.decoder.idl for each in reversed(versions.versions)] if versions else [decoder.idl]
        events: dict[str, dict[str, str]] = {}
        for idl in idls:
            for layout in event_layouts(program, idl):
                fields = events.setdefault(layout.event, {})
                for name, type_ in layout.fields:
                    fields.setdefault(name, type_)
        found += [
            EventLayout(program=program, idl=decoder.idl.name, event=event, fields=tuple(fields.items()))
            for event, fields in events.items()
        ]
    return found


def column_type(kind: Type, idl: Idl) -> str:
    """The column type of a field, as PostgreSQL writes it."""
    match kind:
        case Number():
            return NUMBER_TYPES[kind.format]
        case Bool():
            return "boolean"
        case Pubkey() | String():
            return "text"
        case Bytes():
            return "bytea"
        case Option():
            # Nothing, and an item that is nothing, would both be NULL.
            return JSON if isinstance(_resolved(kind.item, idl), Option) else column_type(kind.item, idl)
        case Enum():
            return "text" if all(variant.fields is None for variant in kind.variants) else JSON
        case Vec() | Array() | Struct():
            return JSON
        case Defined():
            return column_type(idl.types[kind.name].type, idl)
        case _:
            assert_never(kind)


def _resolved(kind: Type, idl: Idl) -> Type:
    while isinstance(kind, Defined):
        kind = idl.types[kind.name].type
    return kind


def _fields(event: Layout, idl: Idl) -> tuple[Field, ...]:
    found = _resolved(event.type, idl)
    if not isinstance(found, Struct):
        raise IdlError(
            f"event {event.name} of {idl.name} is no struct, so it has no columns", path="$.events"
        )
    return found.fields
