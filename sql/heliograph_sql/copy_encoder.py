"""Rows to PostgreSQL's binary COPY: source text is generated once per table plan, compiled and cached.

In: rows of one table, by attribute (structs) or by position (tuples). Out: bytes between COPY's header and trailer.
Raises RowRefused where a value does not fit its column; nothing was sent then. NUL in text becomes U+2400, because
PostgreSQL cannot store it, and the row is handed to `altered`. The generated source is known to linecache, so that
tracebacks show it. The format: https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Literal

import msgspec

from heliograph_sql.json_text import encode_json
from heliograph_sql.numeric import encode_numeric
from heliograph_sql.plan import Column, PgType, TablePlan

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NUL_STANDIN = "\N{SYMBOL FOR NULL}".encode()

Access = Literal["attribute", "position"]
_Encode = Callable[[Iterable[Any], Callable[[bytes], object], Callable[[Any], object]], None]

_EPOCH = 946_684_800
"""2000-01-01 in unix seconds: PostgreSQL counts microseconds from there."""
_TEXT_OID = 25

_FIXED = {
    PgType.BIGINT: ("q", 8, "{0}"),
    PgType.INTEGER: ("i", 4, "{0}"),
    PgType.SMALLINT: ("h", 2, "{0}"),
    PgType.BOOLEAN: ("b", 1, "checked_bool({0})"),
    PgType.DOUBLE: ("d", 8, "{0}"),
    PgType.TIMESTAMPTZ: ("q", 8, f"({{0}} - {_EPOCH}) * 1000000"),
}


class RowRefused(Exception):
    """A row that its table cannot hold, for the reason in the message."""


class CopyEncoder:
    """Encodes rows of one table. `source` is the generated code."""

    def __init__(self, plan: TablePlan, access: Access) -> None:
        self.plan = plan
        self.source, structs = _write_source(plan, access)
        file = f"<heliograph copy {plan.full_name} by {access}>"
        namespace: dict[str, Any] = {
            "NULL": struct.pack(">i", -1),
            "NUL_STANDIN": NUL_STANDIN,
            "numeric": encode_numeric,
            "json": encode_json,
            "text_array": _encode_text_array,
            "checked_bool": _checked_bool,
            **{name: struct.Struct(layout).pack for name, layout in structs.items()},
        }
        exec(compile(self.source, file, "exec"), namespace)  # noqa: S102 - the source is made of the plan alone
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(keepends=True), file)
        self._encode: _Encode = namespace["encode"]

    def encode(self, rows: Iterable[Any], altered: Callable[[Any], object] | None = None) -> bytes:
        """The rows as COPY data. altered: called with each row whose text held a NUL. Raises RowRefused."""
        parts: list[bytes] = []
        try:
            self._encode(rows, parts.append, altered or _ignore)
        except (
            ValueError,
            TypeError,
            AttributeError,
            ArithmeticError,
            struct.error,
            msgspec.MsgspecError,
        ) as error:
            raise RowRefused(f"{self.plan.full_name}: {error}") from error
        return b"".join(parts)


@cache
def copy_encoder(plan: TablePlan, access: Access = "attribute") -> CopyEncoder:
    """The encoder of a table, made once."""
    return CopyEncoder(plan, access)


def _write_source(plan: TablePlan, access: Access) -> tuple[str, dict[str, str]]:
    body = _Body(access)
    body.fixed("h", str(len(plan.columns)))
    for number, column in enumerate(plan.columns):
        body.column(number, column)
    body.flush()
    head = "for row in rows:"
    lines = [f"    {head}"]
    if access == "position":
        names = "".join(f"v{number}, " for number in range(len(plan.columns)))
        lines.append(f"        ({names}) = row")
    lines += [f"        {line}" for line in body.lines]
    return "\n".join(["def encode(rows, append, altered):", *lines, ""]), body.structs


class _Body:
    """The lines that encode one row. Neighbouring fixed-width parts are packed by one struct."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.lines: list[str] = []
        self.structs: dict[str, str] = {}
        self._layout = ""
        self._values: list[str] = []

    def fixed(self, layout: str, *values: str) -> None:
        self._layout += layout
        self._values += values

    def flush(self, indent: str = "") -> None:
        if self._layout:
            name = f"pack_{self._layout}"
            self.structs[name] = f">{self._layout}"
            self.lines.append(f"{indent}append({name}({', '.join(self._values)}))")
            self._layout, self._values = "", []

    def column(self, number: int, column: Column) -> None:
        value = f"v{number}" if self.access == "position" else f"row.{column.name}"
        if not column.nullable:
            self._present(column.type, value, "")
            return
        self.flush()
        self.lines += [f"value = {value}", "if value is None:", "    append(NULL)", "else:"]
        self._present(column.type, "value", "    ")
        self.flush("    ")

    def _present(self, kind: PgType, value: str, indent: str) -> None:
        if kind in _FIXED:
            layout, width, expression = _FIXED[kind]
            self.fixed(f"i{layout}", str(width), expression.format(value))
        elif kind is PgType.NUMERIC:
            self.flush(indent)
            self.lines.append(f"{indent}append(numeric({value}))")
        elif kind is PgType.TEXT:
            nul = ["if 0 in data:", "    data = data.replace(b'\\0', NUL_STANDIN)", "    altered(row)"]
            self._variable(indent, [f"data = {value}.encode()", *nul], "i", "len(data)")
        elif kind is PgType.BYTEA:
            self._variable(indent, [f"data = bytes({value})"], "i", "len(data)")
        elif kind is PgType.JSONB:
            # jsonb's binary form is its text behind a version, 1.
            self._variable(indent, [f"data = json({value})"], "ib", "len(data) + 1", "1")
        elif kind is PgType.TEXT_ARRAY:
            self._variable(indent, [f"data = text_array({value})"], "i", "len(data)")
        else:
            raise TypeError(f"no COPY encoding for {kind}")

    def _variable(self, indent: str, make: list[str], layout: str, *length: str) -> None:
        """Bytes of any length in `data`, their length before them."""
        self.lines += [indent + line for line in make]
        self.fixed(layout, *length)
        self.flush(indent)
        self.lines.append(f"{indent}append(data)")


def _checked_bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise TypeError(f"{value!r} is not a bool")


def _encode_text_array(values: Sequence[str]) -> bytes:
    if isinstance(values, str):
        raise TypeError(f"{values!r} is one string, not a sequence of them")
    if len(values) == 0:
        return struct.pack(">iii", 0, 0, _TEXT_OID)
    parts = [struct.pack(">iiiii", 1, 0, _TEXT_OID, len(values), 1)]
    for value in values:
        data = value.encode().replace(b"\0", NUL_STANDIN)
        parts += (struct.pack(">i", len(data)), data)
    return b"".join(parts)


def _ignore(_row: Any) -> None:
    return None
