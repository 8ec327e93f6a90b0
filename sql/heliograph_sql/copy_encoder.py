"""Rows to PostgreSQL's COPY as text, a column at a time (docs/decisions/0013 says why text).

In: rows of one table, by attribute (structs) or by position (tuples). Out: lines. What a column holds is checked by its
Python types, so that no value is read as another: RowRefused where one does not fit; numbers that are only too large
are left to the server to refuse. NUL in text becomes U+2400, because PostgreSQL cannot store it, and the row is handed
to `altered`. The format: https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, Literal

import msgspec

from heliograph_sql.json_text import encode_json
from heliograph_sql.plan import Column, PgType, TablePlan

NUL_STANDIN = "\N{SYMBOL FOR NULL}"

Access = Literal["attribute", "position"]
_Values = Sequence[Any]
_Types = set[type]

_NULL = "\\N"
_SPECIAL = "\\\t\n\r\0"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": NUL_STANDIN})
_BOOLEANS = {True: "t", False: "f", None: _NULL}
_JULIAN_EPOCH = 2_440_588
"""Julian day of 1970-01-01: written with it, a time needs no calendar and reaches as far as PostgreSQL's own."""
_OLDEST, _NEWEST = -_JULIAN_EPOCH * 86_400, 9_224_318_015_999
"""Unix seconds that timestamptz holds: https://www.postgresql.org/docs/current/datatype-datetime.html"""


class RowRefused(Exception):
    """A row that its table cannot hold, for the reason in the message."""


class CopyEncoder:
    """Encodes rows of one table."""

    def __init__(self, plan: TablePlan, access: Access) -> None:
        self.plan = plan
        for column in plan.columns:
            if column.type not in _ENCODERS:
                raise TypeError(f"no COPY encoding for {column.type}")
        self._get = _getter(plan.column_names) if access == "attribute" else None

    def encode(self, rows: Sequence[Any], altered: Callable[[Any], object] | None = None) -> bytes:
        """The rows as COPY data. altered: called with each row whose text held a NUL. Raises RowRefused."""
        if not rows:
            return b""
        try:
            tuples = rows if self._get is None else map(self._get, rows)
            columns = list(zip(*tuples, strict=True))
            texts = [
                _encode(column, values) for column, values in zip(self.plan.columns, columns, strict=True)
            ]
            lines = map("\t".join, zip(*texts, strict=True))
            text = "\n".join(lines) + "\n"
            if altered is not None and NUL_STANDIN in text:
                self._tell_altered(columns, rows, altered)
            return text.encode()
        except (ValueError, TypeError, AttributeError, ArithmeticError, msgspec.MsgspecError) as error:
            raise RowRefused(f"{self.plan.full_name}: {error}") from error

    def _tell_altered(
        self, columns: Sequence[_Values], rows: Sequence[Any], altered: Callable[[Any], object]
    ) -> None:
        for column, values in zip(self.plan.columns, columns, strict=True):
            if column.type is PgType.TEXT and "\0" in "".join(filter(None, values)):
                for row, value in zip(rows, values, strict=True):
                    if value is not None and "\0" in value:
                        altered(row)


@cache
def copy_encoder(plan: TablePlan, access: Access = "attribute") -> CopyEncoder:
    """The encoder of a table, made once."""
    return CopyEncoder(plan, access)


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda row: (get(row),)


def _encode(column: Column, values: _Values) -> Iterable[str]:
    types = set(map(type, values))
    if NoneType in types and (column.nullable or column.type is not PgType.JSONB):
        if not column.nullable:
            raise ValueError(f"{column.name} is missing")
        if len(types) == 1:
            return [_NULL] * len(values)
    known, encode = _ENCODERS[column.type]
    if object not in known and not types - {NoneType} <= known:
        values = [_plain(value, column) for value in values]
        wrong = [value for value in values if value is not None and type(value) not in known]
        if wrong:
            raise TypeError(f"{column.name}: {wrong[0]!r} is not of type {column.type}")
    return encode(values, types, column)


def _plain(value: Any, column: Column) -> Any:
    """A text of a subclass, an enum's say, as the text that it is; anything else as it is."""
    return str.__str__(value) if column.type is PgType.TEXT and isinstance(value, str) else value


def _integers(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    if NoneType in types:
        return [_NULL if value is None else str(value) for value in values]
    return map(str, values)


def _texts(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    whole = "".join(filter(None, values))
    if any(character in whole for character in _SPECIAL):
        return [_NULL if value is None else value.translate(_ESCAPES) for value in values]
    if NoneType in types:
        return [_NULL if value is None else value for value in values]
    return values


def _booleans(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    return map(_BOOLEANS.__getitem__, values)


def _numerics(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    if Decimal not in types:
        return _integers(values, types, column)
    texts = list(map(str, values if NoneType not in types else (one for one in values if one is not None)))
    whole = "".join(texts)
    # NaN, sNaN and Infinity: what a numeric column would take, and what no amount is.
    if "N" in whole or "I" in whole:
        wrong = next(text for text in texts if "N" in text or "I" in text)
        raise ValueError(f"{column.name}: {wrong} is no number that a numeric column holds exactly")
    return _with_nulls(values, texts) if NoneType in types else texts


def _with_nulls(values: _Values, texts: Iterable[str]) -> Iterator[str]:
    rest = iter(texts)
    return (_NULL if value is None else next(rest) for value in values)


def _times(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    # Rows of one block share their time.
    texts = {value: _NULL if value is None else _time(value, column) for value in set(values)}
    return map(texts.__getitem__, values)


def _time(seconds: int, column: Column) -> str:
    if not _OLDEST <= seconds <= _NEWEST:
        raise ValueError(f"{column.name}: {seconds} is no unix time that timestamptz holds")
    day, second = divmod(seconds, 86_400)
    return f"J{day + _JULIAN_EPOCH} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+00"


def _doubles(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    return [_NULL if value is None else repr(value) for value in values]


def _bytes(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    return [_NULL if value is None else f"\\\\x{bytes(value).hex()}" for value in values]


def _jsons(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    if column.nullable:
        return [_NULL if value is None else _json(value) for value in values]
    return map(_json, values)


def _json(value: Any) -> str:
    return encode_json(value).decode().translate(_ESCAPES)


def _arrays(values: _Values, types: _Types, column: Column) -> Iterable[str]:
    return [_NULL if value is None else _array(value, column) for value in values]


def _array(value: Sequence[str], column: Column) -> str:
    for item in value:
        if not isinstance(item, str):
            raise TypeError(f"{column.name}: {item!r} is no text")
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in value)
    return "{%s}".translate(_ESCAPES) % ",".join(f'"{item}"'.translate(_ESCAPES) for item in quoted)


_ENCODERS: dict[PgType, tuple[_Types, Callable[[_Values, _Types, Column], Iterable[str]]]] = {
    PgType.BIGINT: ({int}, _integers),
    PgType.INTEGER: ({int}, _integers),
    PgType.SMALLINT: ({int}, _integers),
    PgType.TEXT: ({str}, _texts),
    PgType.BOOLEAN: ({bool}, _booleans),
    PgType.NUMERIC: ({int, Decimal}, _numerics),
    PgType.TIMESTAMPTZ: ({int}, _times),
    PgType.JSONB: ({object}, _jsons),
    PgType.BYTEA: ({bytes, bytearray, memoryview}, _bytes),
    PgType.TEXT_ARRAY: ({list, tuple}, _arrays),
    PgType.DOUBLE: ({float, int}, _doubles),
}
"""What a column type takes, None apart, and how it is written; object: anything."""
