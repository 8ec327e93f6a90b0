"""Which columns the events, accounts and instructions of an IDL need. Pure: an IDL in, layouts for heliograph_sql.event_tables out.

A value that fits a column type exactly gets it; whatever has parts (structs, lists, enums with data, options of
options) is jsonb. Every column may be NULL, so an option takes the type of its item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import msgspec

from heliograph_core.errors import IdlError
from heliograph_core.instruction import ACCOUNT_PREFIX
from heliograph_indexer.decode import Layouts
from heliograph_indexer.idl.model import (
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Field,
    Idl,
    InstructionDef,
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
from heliograph_sql.event_tables import EventLayout, Kind

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


HISTORY = EventLayout(program="", idl="", event="", fields=(), kind="history")
UNKNOWN = EventLayout(program="", idl="", event="", fields=(), kind="unknown")


def event_layouts(program: str, idl: Idl, since: int = 0) -> list[EventLayout]:
    """One layout an event, in the order of the IDL. program: the address that emits them. Raises IdlError."""
    return [_layout(program, idl, event, _fields(event, idl), "event", since) for event in idl.events]


def account_layouts(program: str, idl: Idl, since: int = 0) -> list[EventLayout]:
    """One layout an account type. One that is no struct has none: its states stand in heliograph.accounts alone."""
    found = [(account, _resolved(account.type, idl)) for account in idl.accounts]
    return [
        _layout(program, idl, account, type_.fields, "account", since)
        for account, type_ in found
        if isinstance(type_, Struct)
    ]


def instruction_layouts(program: str, idl: Idl, since: int = 0) -> list[EventLayout]:
    """One layout an instruction: its arguments, then its accounts by name."""
    found = []
    for instruction in idl.instructions:
        layout = _layout(program, idl, instruction, instruction.args.fields, "instruction", since)
        names = dict.fromkeys(meta.name for meta in instruction.accounts)
        accounts = tuple((f"{ACCOUNT_PREFIX}{name}", "text") for name in names)
        found.append(msgspec.structs.replace(layout, fields=(*layout.fields, *accounts)))
    return found


def _layout(
    program: str,
    idl: Idl,
    item: Layout | InstructionDef,
    fields: tuple[Field, ...],
    kind: Kind,
    since: int,
) -> EventLayout:
    return EventLayout(
        program=program,
        idl=idl.name,
        event=item.name,
        fields=tuple((field.name, column_type(field.type, idl)) for field in fields),
        kind=kind,
        docs=_text(item.docs),
        field_docs={field.name: _text(field.docs) for field in fields if field.docs},
        since=since,
    )


def _text(docs: tuple[str, ...]) -> str:
    # A comment holds no NUL.
    return " ".join(" ".join(docs).replace("\0", " ").split())


def layouts_of(layouts: Layouts) -> list[EventLayout]:
    """What a stream has tables for: of each IDL of each of its programs. Raises IdlError."""
    found: list[EventLayout] = []
    for program, decoder in layouts.decoders.items():
        versions = layouts.versions.get(program)
        idls = (
            [(each.first_slot, each.decoder.idl) for each in versions.versions]
            if versions
            else [(0, decoder.idl)]
        )
        for since, idl in idls:
            found += event_layouts(program, idl, since)
            found += account_layouts(program, idl, since)
            if layouts.instructions:
                found += instruction_layouts(program, idl, since)
    if any(layout.kind == "account" for layout in found):
        found.append(HISTORY)
    if layouts.instructions:
        found.append(UNKNOWN)
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
