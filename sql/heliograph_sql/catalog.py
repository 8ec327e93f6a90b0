"""The catalog: which tables and columns the database has, and what their comments say of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec
import psycopg

from heliograph_sql.failure import driver_errors
from heliograph_sql.queries import load

SCHEMAS = ("heliograph", "perps")


class CatalogColumn(msgspec.Struct, frozen=True):
    """A column as the catalog has it; type as PostgreSQL writes it."""

    name: str
    type: str
    nullable: bool
    comment: str | None


class CatalogTable(msgspec.Struct, frozen=True):
    """A table or view and its columns, in order. PostgreSQL says of every column of a view that it may be NULL."""

    schema: str
    name: str
    comment: str | None
    columns: tuple[CatalogColumn, ...]
    view: bool

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


def read_catalog(url: str, schemas: Sequence[str] = SCHEMAS) -> list[CatalogTable]:
    """The tables and views of these schemas in name order."""
    with driver_errors("database"), psycopg.connect(url) as connection:
        rows = connection.execute(load("catalog.sql")["list_columns"], {"schemas": list(schemas)}).fetchall()
    tables = []
    for (schema, table, comment, view), group in groupby(
        rows, key=lambda row: (row[0], row[1], row[6], row[7])
    ):
        columns = tuple(CatalogColumn(row[2], row[3], row[4], row[5]) for row in group)
        tables.append(CatalogTable(schema, table, comment, columns, view))
    return tables


def write_markdown(tables: Sequence[CatalogTable]) -> str:
    """One section a table, one line a column, from the comments."""
    sections = []
    for table in tables:
        lines = [
            f"### {table.full_name}",
            "",
            table.comment or "",
            "",
            "| column | type | |",
            "| --- | --- | --- |",
        ]
        for column in table.columns:
            kind = _SHORT.get(column.type, column.type) + (
                ", null" if column.nullable and not table.view else ""
            )
            lines.append(f"| `{column.name}` | {kind} | {column.comment or ''} |")
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"


_SHORT = {"timestamp with time zone": "timestamptz"}
