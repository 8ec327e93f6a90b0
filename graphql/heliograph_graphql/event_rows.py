"""Where the rows of events come from: SELECTs over the tables that were made from IDLs. Pure.

Every row has two columns beside the table's: its stream, and its part, which is always 0. Their names begin with @, which no
column of ours does. Where several tables are one, only what all have is there, and the fields as one JSON object.
"""

from __future__ import annotations

from collections.abc import Sequence

from heliograph_graphql.entity import Entity, Field
from heliograph_graphql.json_text import JsonText, json_object, made
from heliograph_graphql.sql_text import constant, global_id, quote, shown, shown_or_null
from heliograph_sql.typed_names import MOST_NAME_BYTES

STREAM, PART, NAME, DATA, EVENT_ID = "@stream", "@part", "@name", "@data", "@id"
COMMON = ("block_time", "slot", "tx_index", "ordinal", "signature", "program", "caller")
"""The columns that every event has, as heliograph_sql.event_tables makes them."""


def rows_of_table(stream: str, table: str) -> str:
    """All columns of one event."""
    return f"SELECT e.*, {_place(stream)} FROM {quote(stream)}.{quote(table)} AS e"


def rows_with_data(
    stream: str, table: str, name: str, fields: Sequence[tuple[str, Field]], typed: Entity
) -> str:
    """What events have in common, and the fields in one object. typed: of the same rows, whose ids are theirs. fields: (the IDL's name, column), several of a name that changed
    its type; then the one that is not null counts. Those whose name PostgreSQL would cut are called as their column.
    """
    by_name: dict[str, list[Field]] = {}
    for given, field in fields:
        key = given if len(given.encode()) <= MOST_NAME_BYTES else field.name
        by_name.setdefault(key, []).append(field)
    values = {given: _first_known(several) for given, several in by_name.items()}
    columns = ", ".join(f"e.{column}" for column in COMMON)
    return (
        f"SELECT {columns}, {_place(stream)}, {constant(name)} AS {quote(NAME)}, {json_object(values).sql} AS {quote(DATA)}, "
        f"{global_id(typed, 'e')} AS {quote(EVENT_ID)} FROM {quote(stream)}.{quote(table)} AS e"
    )


def _first_known(fields: Sequence[Field]) -> JsonText:
    columns = [(f"e.{quote(field.name)}", field) for field in fields]
    if len(columns) == 1:
        return shown(*columns[0])
    texts = ", ".join(f"({shown_or_null(column, field)})::text" for column, field in columns)
    return made(f"coalesce({texts}, 'null')")


def _place(stream: str) -> str:
    return f"{constant(stream)} AS {quote(STREAM)}, 0 AS {quote(PART)}"
