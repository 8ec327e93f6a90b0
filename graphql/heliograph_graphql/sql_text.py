"""The texts that SQL is made of: names, values as JSON, ids, orders. Values in, text out."""

from __future__ import annotations

import re

from heliograph_graphql.entity import Choice, Entity, Field, Kind
from heliograph_graphql.json_text import JsonText, json_string, made, quoted, verbatim
from heliograph_graphql.plan import Sort
from heliograph_sql.queries import load


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quote_table(name: str) -> str:
    return ".".join(quote(part) for part in name.split("."))


def fill(text: str, **values: str) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def constant(name: str) -> str:
    """A name of the schema, or of an IDL, as text."""
    quoted = name.replace("'", "''")
    return f"'{quoted}'::text"


def source_of(entity: Entity) -> str:
    """What FROM reads for all rows of an entity."""
    return f"({entity.rows})" if entity.rows else quote_table(entity.table)


def columns_read(entity: Entity, row: str, text: str) -> list[str]:
    """The columns of the row at the alias that an SQL text reads."""
    found = re.findall(rf'{re.escape(row)}\.(?:"((?:[^"]|"")+)"|(\w+))', text)
    names = dict.fromkeys(quoted_name.replace('""', '"') or name for quoted_name, name in found)
    return [name for name in names if name in entity.by_column]


def shown(value: str, field: Field, *, known: bool | None = None) -> JsonText:
    """The value as JSON shows it: exact numbers and 64-bit integers as text, enums in capitals, bytes as base64.

    known: whether it is never NULL; by default where the field is not nullable, as its column then is not either.
    """
    if known is None:
        known = not field.nullable
    if field.type in _PLAIN:
        text = _plain(value, field)
        return quoted(text) if known else made(f"coalesce({_in_quotes(text)}, 'null')")
    if known and field.type in (Kind.INT, Kind.JSON):
        return made(value)
    if known and field.type is Kind.BOOL:
        return made(f"CASE WHEN {value} THEN 'true' ELSE 'false' END")
    # Also where it is known: it costs nothing here.
    return made(f"coalesce({shown_or_null(value, field)}, 'null')")


_PLAIN = frozenset({Kind.BIGINT, Kind.SLOT, Kind.DECIMAL, Kind.ID, Kind.BYTES})
"""Those that are shown as text which needs no escapes."""


def shown_or_null(value: str, field: Field) -> str:
    """The same as an expression of type text or json, NULL where the value is."""
    if field.type in _PLAIN:
        return _in_quotes(_plain(value, field))
    if isinstance(field.type, Choice):
        # Known names cost less than upper() and escapes; there is no other, but for a newer indexer's.
        names = " ".join(
            f"WHEN '{stored}' THEN '\"{field.type.shown(stored)}\"'" for stored in field.type.values
        )
        return f"CASE {value} {names} ELSE to_json(upper({value})) END"
    if field.type is Kind.NESTED:
        return fill(load("graphql.sql")["exact_json"], value=value)
    if field.type in (Kind.INT, Kind.BOOL, Kind.JSON):
        return f"{value}::text"
    return f"to_json({value})"


def _plain(value: str, field: Field) -> str:
    if field.type is Kind.DECIMAL:
        return f"trim_scale({value})"
    if field.type is Kind.BYTES:
        return f"translate(encode({value}, 'base64'), E'\\n', '')"
    return value


def _in_quotes(text: str) -> str:
    return f"'\"' || {text}::text || '\"'"


def key_json(value: str, field: Field) -> JsonText:
    """The value as cursors and ids hold it: times as microseconds since 1970, decimals as text."""
    if field.type is Kind.TIME:
        value = f"(extract(epoch FROM {value}) * 1000000)::bigint"
    if field.type in (Kind.TIME, Kind.BIGINT, Kind.SLOT, Kind.INT):
        return made(f"coalesce({value}::text, 'null')" if field.nullable else value)
    if field.type is Kind.DECIMAL:
        return made(f"coalesce({_in_quotes(value)}, 'null')") if field.nullable else quoted(value)
    return made(f"coalesce(to_json({value}), 'null')")


def key_array(*values: JsonText) -> JsonText:
    """With spaces, as ids and cursors have always had: they are compared as texts."""
    found = values[0]
    for value in values[1:]:
        found += verbatim(", ") + value
    return verbatim("[") + found + verbatim("]")


def opaque(prefix: str, value: JsonText) -> str:
    """JSON as URL-safe base64 text without padding."""
    return (
        f"translate(encode(convert_to({(verbatim(prefix) + value).sql}, 'UTF8'), 'base64'), E'+/=\\n', '-_')"
    )


def global_id(entity: Entity, row: str) -> str:
    """The row's global id, as node_id.py reads it."""
    values = (key_json(f"{row}.{quote(name)}", entity.by_column[name]) for name in entity.identity)
    return opaque("n", key_array(json_string(entity.name), *values))


def order_by(sorts: tuple[Sort, ...], row: str) -> str:
    columns = (f"{row}.{quote(sort.field.name)}{' DESC' if sort.descending else ''}" for sort in sorts)
    return f"ORDER BY {', '.join(columns)}"
