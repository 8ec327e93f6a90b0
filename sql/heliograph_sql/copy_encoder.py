"""Columns of rows to PostgreSQL's binary COPY, written by psycopg's encoders (docs/decisions/0052 says why).

In: rows of one table, and what turns them into columns. Out: tuples, which stand between HEADER and TRAILER in a COPY with
OPTIONS. What a column holds is checked by its Python types, so that no value is read as another: RowRefused where one
does not fit, and where a number is too large for its type; digits and text that the column's own bounds forbid are left
to the server to refuse. NUL in text becomes U+2400, because PostgreSQL cannot store it, and the row is handed to
`altered`. The format: https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any

import psycopg
from psycopg import abc, postgres
from psycopg._copy_base import format_row_binary
from psycopg.adapt import Transformer
from psycopg.pq import Format

from heliograph_sql.json_text import encode_json
from heliograph_sql.plan import Column, PgType, TablePlan

NUL_STANDIN = "\N{SYMBOL FOR NULL}"
OPTIONS: Mapping[str, str] = {"format": "binary"}
"""Of COPY, for what is encoded here."""
HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
"""What a COPY begins with: the signature, no flags, no extension."""
TRAILER = struct.pack(">h", -1)
"""And ends with."""

Columns = Sequence[Sequence[Any]]
Turn = Callable[[Sequence[Any]], Columns]
"""Turns rows of one table, in whatever shape they are, into its columns."""
_Values = Sequence[Any]
_Types = set[type]

_POSTGRES_EPOCH = 946_684_800
"""Unix seconds of 2000-01-01, from which the server counts microseconds."""
_OLDEST, _NEWEST = -2_440_588 * 86_400, 9_224_318_015_999
"""Unix seconds that timestamptz holds: https://www.postgresql.org/docs/current/datatype-datetime.html"""
_JSONB_VERSION = b"\x01"


class RowRefused(Exception):
    """A row that its table cannot hold, for the reason in the message."""


def by_attribute(plan: TablePlan) -> Turn:
    """For structs whose fields are called as the columns."""
    getters = [attrgetter(name) for name in plan.column_names]
    return lambda rows: [list(map(get, rows)) for get in getters]


def by_position(rows: Sequence[Any]) -> Columns:
    """For tuples."""
    return list(zip(*rows, strict=True))


def encode(
    plan: TablePlan, rows: Sequence[Any], turn: Turn, altered: Callable[[Any], object] | None = None
) -> bytes:
    """The rows as COPY data. altered: called with each row whose text held a NUL. Raises RowRefused."""
    if not rows:
        return b""
    try:
        cells = []
        for column, values in zip(plan.columns, turn(rows), strict=True):
            ready = _cells(column, values)
            if column.type is PgType.TEXT and "\0" in "".join(filter(None, ready)):
                if altered is not None:
                    _tell_altered(rows, ready, altered)
                ready = [value and value.replace("\0", NUL_STANDIN) for value in ready]
            cells.append(ready)
        transformer = _transformer(tuple(column.type for column in plan.columns))
        found = bytearray()
        for row in zip(*cells, strict=True):
            format_row_binary(row, transformer, found)
        return bytes(found)
    except (ValueError, TypeError, AttributeError, ArithmeticError, psycopg.Error) as error:
        raise RowRefused(f"{plan.full_name}: {error}") from error


@cache
def _transformer(types: tuple[PgType, ...]) -> abc.Transformer:
    """What encodes a row of these types."""
    transformer = Transformer()
    transformer.set_dumper_types([_SENT_AS[each] for each in types], Format.BINARY)
    return transformer


def _tell_altered(rows: Sequence[Any], values: _Values, altered: Callable[[Any], object]) -> None:
    for row, value in zip(rows, values, strict=True):
        if value is not None and "\0" in value:
            altered(row)


def _cells(column: Column, values: _Values) -> _Values:
    """What psycopg's encoder takes for these values."""
    types = set(map(type, values))
    if NoneType in types and not column.nullable and column.type is not PgType.JSONB:
        raise ValueError(f"{column.name} is missing")
    known, ready = _ENCODERS[column.type]
    if object not in known and not types - {NoneType} <= known:
        values = [_plain(value, column) for value in values]
        wrong = [value for value in values if value is not None and type(value) not in known]
        if wrong:
            raise TypeError(f"{column.name}: {wrong[0]!r} is not of type {column.type}")
    return values if ready is None else ready(values, types, column)


def _plain(value: Any, column: Column) -> Any:
    """A text of a subclass, an enum's say, as the text that it is; anything else as it is."""
    return str.__str__(value) if column.type is PgType.TEXT and isinstance(value, str) else value


def _numerics(values: _Values, types: _Types, column: Column) -> _Values:
    if Decimal in types:
        for value in values:
            # NaN, sNaN and Infinity: what a numeric column would take, and what no amount is.
            if type(value) is Decimal and not value.is_finite():
                raise ValueError(f"{column.name}: {value} is no number that a numeric column holds exactly")
    return values


def _times(values: _Values, types: _Types, column: Column) -> _Values:
    # Rows of one block share their time.
    sent = {value: None if value is None else _time(value, column) for value in set(values)}
    return [sent[value] for value in values]


def _time(seconds: int, column: Column) -> int:
    if not _OLDEST <= seconds <= _NEWEST:
        raise ValueError(f"{column.name}: {seconds} is no unix time that timestamptz holds")
    return (seconds - _POSTGRES_EPOCH) * 1_000_000


def _within(bits: int) -> Callable[[_Values, _Types, Column], _Values]:
    """psycopg's encoder takes the lowest bits of a larger number."""
    bound = 1 << bits - 1

    def check(values: _Values, types: _Types, column: Column) -> _Values:
        known = [value for value in values if value is not None] if NoneType in types else values
        for value in (min(known), max(known)) if known else ():
            if not -bound <= value < bound:
                raise ValueError(f"{column.name}: {value} is out of the range of {column.type}")
        return values

    return check


def _bytes(values: _Values, types: _Types, column: Column) -> _Values:
    return [None if value is None else bytes(value) for value in values]


def _jsons(values: _Values, types: _Types, column: Column) -> _Values:
    if column.nullable:
        return [None if value is None else _JSONB_VERSION + encode_json(value) for value in values]
    return [_JSONB_VERSION + encode_json(value) for value in values]


def _arrays(values: _Values, types: _Types, column: Column) -> _Values:
    return [None if value is None else _array(value, column) for value in values]


def _array(value: Iterable[str], column: Column) -> list[str]:
    found = []
    for item in value:
        if not isinstance(item, str):
            raise TypeError(f"{column.name}: {item!r} is no text")
        found.append(item.replace("\0", NUL_STANDIN))
    return found


_ENCODERS: dict[PgType, tuple[_Types, Callable[[_Values, _Types, Column], _Values] | None]] = {
    PgType.BIGINT: ({int}, None),
    PgType.INTEGER: ({int}, _within(32)),
    PgType.SMALLINT: ({int}, _within(16)),
    PgType.TEXT: ({str}, None),
    PgType.BOOLEAN: ({bool}, None),
    PgType.NUMERIC: ({int, Decimal}, _numerics),
    PgType.TIMESTAMPTZ: ({int}, _times),
    PgType.JSONB: ({object}, _jsons),
    PgType.BYTEA: ({bytes, bytearray, memoryview}, _bytes),
    PgType.TEXT_ARRAY: ({list, tuple}, _arrays),
    PgType.DOUBLE: ({float, int}, None),
}
"""What a column type takes, None apart, and what makes it ready for psycopg's encoder; object: anything."""
_SENT_AS: Mapping[PgType, int] = {
    kind: postgres.types[name].oid
    for kind, name in {
        PgType.BIGINT: "int8",
        PgType.INTEGER: "int4",
        PgType.SMALLINT: "int2",
        PgType.TEXT: "text",
        PgType.BOOLEAN: "bool",
        PgType.NUMERIC: "numeric",
        # Microseconds, of the same form.
        PgType.TIMESTAMPTZ: "int8",
        # A version and the text, which are bytes here.
        PgType.JSONB: "bytea",
        PgType.BYTEA: "bytea",
        PgType.DOUBLE: "float8",
    }.items()
} | {PgType.TEXT_ARRAY: postgres.types["text"].array_oid}
"""Whose encoder writes it: a column in COPY is bytes without the name of a type."""
