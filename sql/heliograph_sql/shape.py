"""The shape that the migrations leave: every column and index of ours, compared with what a database has.

`shape.txt` holds it, a line each, made from a migrated database by `pytest tests/sql/test_catalog.py --regenerate`. What
somebody added is theirs; what is missing or of another type would break statements or let doubles in, and is named.
"""

from __future__ import annotations

from importlib import resources

import psycopg

from heliograph_core.errors import DatabaseError
from heliograph_sql.queries import load

FILE = "shape.txt"
SCHEMAS = ("heliograph", "perps")
_SHOWN = 3


def read_shape(connection: psycopg.Connection[tuple[object, ...]]) -> dict[tuple[str, str], str]:
    """(kind, full name) to what it is; kind is column or index."""
    rows = connection.execute(load("shape.sql")["list_shape"], {"schemas": list(SCHEMAS)}).fetchall()
    return {(str(kind), str(name)): str(definition) for kind, name, definition in rows}


def write_shape(shape: dict[tuple[str, str], str]) -> str:
    """The text of `shape.txt`."""
    return "".join(f"{kind}\t{name}\t{definition}\n" for (kind, name), definition in sorted(shape.items()))


def check_shape(connection: psycopg.Connection[tuple[object, ...]], place: str) -> None:
    """Raises DatabaseError where something of the shape is missing or is otherwise, naming it and what to do."""
    found = read_shape(connection)
    wanted = [
        line.split("\t")
        for line in (resources.files("heliograph_sql") / FILE).read_text("utf-8").splitlines()
    ]
    wrong = [
        _told(kind, name, definition, found.get((kind, name)))
        for kind, name, definition in wanted
        if found.get((kind, name)) != definition
    ]
    if wrong:
        more = f" (and {len(wrong) - _SHOWN} more)" if len(wrong) > _SHOWN else ""
        raise DatabaseError(
            f"database {place} was altered by somebody: {'; '.join(wrong[:_SHOWN])}{more}: "
            "put that back, or index into a new database"
        )


def _told(kind: str, name: str, definition: str, found: str | None) -> str:
    if found is None:
        return f"{kind} {name} is missing, it has to be {definition}"
    return f"{kind} {name} is {found}, it has to be {definition}"
