"""The texts that SQL is made of: names, JSON values, orders. Values in, text out."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph_graphql.entity import Choice, Entity, Field, Kind
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


def json_object(values: Mapping[str, str]) -> str:
    columns = ", ".join(f"{value} AS {quote(key)}" for key, value in values.items())
    return f'(SELECT row_to_json("@o") FROM (SELECT {columns}) "@o")'


def constant(name: str) -> str:
    """A name of the schema, or of an IDL, as text."""
    quoted = name.replace("'", "''")
    return f"'{quoted}'::text"


def source_of(entity: Entity) -> str:
    """What FROM reads for all rows of an entity."""
    return f"({entity.rows})" if entity.rows else quote_table(entity.table)


def shown(value: str, field: Field) -> str:
    """The value as JSON shows it: exact numbers and 64-bit integers as text, enums in capitals, bytes as base64."""
    if isinstance(field.type, Choice):
        return f"upper({value})"
    if field.type is Kind.DECIMAL:
        return f"trim_scale({value})::text"
    if field.type in (Kind.BIGINT, Kind.SLOT):
        return f"{value}::text"
    if field.type is Kind.BYTES:
        return f"translate(encode({value}, 'base64'), E'\\n', '')"
    if field.type is Kind.NESTED:
        return fill(load("graphql.sql")["exact_json"], value=value)
    return value


def key_text(value: str, field: Field) -> str:
    """The value as cursors and ids hold it: times as microseconds since 1970, decimals as text."""
    if field.type is Kind.TIME:
        return f"(extract(epoch FROM {value}) * 1000000)::bigint"
    return f"{value}::text" if field.type is Kind.DECIMAL else value


def opaque(prefix: str, value: str) -> str:
    """JSON as URL-safe base64 text without padding."""
    return f"translate(encode(convert_to('{prefix}' || {value}::text, 'UTF8'), 'base64'), E'+/=\\n', '-_')"


def global_id(entity: Entity, row: str) -> str:
    """The row's global id, as node_id.py reads it."""
    values = ", ".join(key_text(f"{row}.{quote(name)}", entity.by_column[name]) for name in entity.identity)
    return opaque("n", f"json_build_array({constant(entity.name)}, {values})")


def order_by(sorts: tuple[Sort, ...], row: str) -> str:
    columns = (f"{row}.{quote(sort.field.name)}{' DESC' if sort.descending else ''}" for sort in sorts)
    return f"ORDER BY {', '.join(columns)}"
