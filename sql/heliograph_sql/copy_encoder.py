"""Columns of rows to PostgreSQL's COPY as CSV, written by a JSON encoder (docs/decisions/0013 says why).

In: rows of one table, and what turns them into columns. Out: lines, for COPY with OPTIONS. A row as a JSON array without its brackets is CSV
whose quotes are escaped by a backslash, but for control characters, which are written here. What a column holds is checked by
its Python types, so that no value is read as another: RowRefused where one does not fit; numbers that are only too large
are left to the server to refuse. NUL in text becomes U+2400, because PostgreSQL cannot store it, and the row is handed to
`altered`. The format: https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from types import NoneType
from typing import Any

import msgspec

from heliograph_sql.json_text import json_text
from heliograph_sql.plan import Column, PgType, TablePlan

NUL_STANDIN = "\N{SYMBOL FOR NULL}"
OPTIONS: Mapping[str, str] = {"format": "csv", "null": "null", "escape": "\\"}
"""Of COPY, for what is encoded here."""

Columns = Sequence[Sequence[Any]]
Turn = Callable[[Sequence[Any]], Columns]
"""Turns rows of one table, in whatever shape they are, into its columns."""
_Values = Sequence[Any]
_Types = set[type]

_json_array = msgspec.json.Encoder().encode
_CONTROLS = re.compile("[\0-\x1f]")
_JULIAN_EPOCH = 2_440_588
"""Julian day of 1970-01-01: written with it, a time needs no calendar and reaches as far as PostgreSQL's own."""
_OLDEST, _NEWEST = -_JULIAN_EPOCH * 86_400, 9_224_318_015_999
"""Unix seconds that timestamptz holds: https://www.postgresql.org/docs/current/datatype-datetime.html"""


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
        columns = turn(rows)
        cells = [_cells(column, values) for column, values in zip(plan.columns, columns, strict=True)]
        text = _lines(cells)
        if _has_controls(text):
            text = _lines([list(map(_controls_written, values)) for values in cells])
            if altered is not None:
                _tell_altered(plan, columns, rows, altered)
        return text
    except (ValueError, TypeError, AttributeError, ArithmeticError, msgspec.MsgspecError) as error:
        raise RowRefused(f"{plan.full_name}: {error}") from error


def _lines(cells: Columns) -> bytes:
    # Row by row: one call for all rows leaves brackets between them, and cutting those out costs more.
    lines = [line[1:-1] for line in map(_json_array, zip(*cells, strict=True))]
    lines.append(b"")
    return b"\n".join(lines)


def _has_controls(text: bytes) -> bool:
    """Whether a JSON escape stands in it that CSV does not know: any but of a quote and of a backslash."""
    return b"\\" in text and b"\\" in text.replace(b"\\\\", b"").replace(b'\\"', b"")


def _controls_written(cell: Any) -> Any:
    """A text with control characters as CSV has it, past the JSON encoder; anything else as it is."""
    if not isinstance(cell, str) or _CONTROLS.search(cell) is None:
        return cell
    text = cell.replace("\0", NUL_STANDIN).replace("\\", "\\\\").replace('"', '\\"')
    return msgspec.Raw(f'"{text}"'.encode())


def _tell_altered(
    plan: TablePlan, columns: Columns, rows: Sequence[Any], altered: Callable[[Any], object]
) -> None:
    for column, values in zip(plan.columns, columns, strict=True):
        if column.type is PgType.TEXT and "\0" in "".join(filter(None, values)):
            for row, value in zip(rows, values, strict=True):
                if value is not None and "\0" in value:
                    altered(row)


def _cells(column: Column, values: _Values) -> _Values:
    """What the JSON encoder takes for these values."""
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
    texts = {value: None if value is None else _time(value, column) for value in set(values)}
    return [texts[value] for value in values]


def _time(seconds: int, column: Column) -> str:
    if not _OLDEST <= seconds <= _NEWEST:
        raise ValueError(f"{column.name}: {seconds} is no unix time that timestamptz holds")
    day, second = divmod(seconds, 86_400)
    return f"J{day + _JULIAN_EPOCH} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+00"


def _doubles(values: _Values, types: _Types, column: Column) -> _Values:
    # JSON has no infinities, and the encoder would make them null.
    return [repr(value) if type(value) is float and not math.isfinite(value) else value for value in values]


def _bytes(values: _Values, types: _Types, column: Column) -> _Values:
    return [None if value is None else f"\\x{bytes(value).hex()}" for value in values]


def _jsons(values: _Values, types: _Types, column: Column) -> _Values:
    if column.nullable:
        return [None if value is None else json_text(value) for value in values]
    return list(map(json_text, values))


def _arrays(values: _Values, types: _Types, column: Column) -> _Values:
    return [None if value is None else _array(value, column) for value in values]


def _array(value: Iterable[str], column: Column) -> str:
    for item in value:
        if not isinstance(item, str):
            raise TypeError(f"{column.name}: {item!r} is no text")
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in value)
    return "{" + ",".join(f'"{item}"' for item in quoted) + "}"


_ENCODERS: dict[PgType, tuple[_Types, Callable[[_Values, _Types, Column], _Values] | None]] = {
    PgType.BIGINT: ({int}, None),
    PgType.INTEGER: ({int}, None),
    PgType.SMALLINT: ({int}, None),
    PgType.TEXT: ({str}, None),
    PgType.BOOLEAN: ({bool}, None),
    PgType.NUMERIC: ({int, Decimal}, _numerics),
    PgType.TIMESTAMPTZ: ({int}, _times),
    PgType.JSONB: ({object}, _jsons),
    PgType.BYTEA: ({bytes, bytearray, memoryview}, _bytes),
    PgType.TEXT_ARRAY: ({list, tuple}, _arrays),
    PgType.DOUBLE: ({float, int}, _doubles),
}
"""What a column type takes, None apart, and what makes it ready for the JSON encoder; object: anything."""
