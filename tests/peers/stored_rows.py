"""What the tables made from IDLs hold, by field: read through what is noted of them, compared with what was encoded."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from heliograph_sql.database import Database
from heliograph_sql.table_making import NotedTable, list_noted_tables


async def tables_by_item(database: Database, stream: str) -> dict[tuple[str, str, str], NotedTable]:
    """(kind, program, item) to its table."""
    noted = await list_noted_tables(database, stream)
    return {(table.kind, table.program, table.item): table for table in noted}


async def stored(database: Database, stream: str, table: NotedTable, order: str) -> list[dict[str, Any]]:
    """The rows: keys by name, and under `fields` the value of each field. order: columns."""
    async with database.acquire() as connection:
        rows = await connection.fetch(f'SELECT * FROM "{stream}"."{table.name}" ORDER BY {order}')
    columns = {column.name: column for column in table.columns}
    return [
        {
            **{name: value for name, value in row.items() if name not in columns},
            "fields": {column.field: _shown(row[name], column.type) for name, column in columns.items()},
        }
        for row in rows
    ]


def as_stored(fields: Mapping[str, Any], table: NotedTable) -> dict[str, Any]:
    """What the columns of these fields are to hold, worked out from the values alone."""
    types = {column.field: column.type for column in table.columns}
    return {name: _json(value) if types[name] == "jsonb" else value for name, value in fields.items()}


def _shown(value: Any, declared: str) -> Any:
    if value is None:
        return None
    if declared == "jsonb":
        # jsonb keeps numbers as decimals, which no float may blur here.
        return json.loads(value, parse_float=Decimal, parse_int=Decimal)
    if isinstance(value, Decimal):
        assert value == int(value)
        return int(value)
    return value


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_json(each) for each in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(repr(value))
    return value
