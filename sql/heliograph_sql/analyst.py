"""Analysts: the group role heliograph_analyst, which may read what analysts may, and login roles in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import psycopg

from heliograph_core.errors import DatabaseError, SettingsError
from heliograph_sql.failure import driver_errors
from heliograph_sql.queries import load

GROUP = "heliograph_analyst"
STATEMENT_TIMEOUT_S = 300.0
"""How long a statement of an analyst may run where nothing else is asked for."""
CONNECTIONS = 5
"""Connections of one analyst at a time where nothing else is asked for."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class Analyst:
    """A login role of the group. connections: at most, -1 for any number. timeout: as PostgreSQL writes it, 0 for none."""

    name: str
    connections: int
    timeout: str


def ensure_group(connection: _Connection) -> str | None:
    """Makes the group where we may and lets it read; a warning where there is none and we may not make it.

    Connection: in autocommit mode, on a migrated database.
    """
    queries = load("analyst.sql")
    found = connection.execute(queries["find_rights"]).fetchone()
    exists, may_create, knows = found or (False, False, False)
    if not knows:
        return None
    if not exists and not may_create:
        return (
            f"role {GROUP} is not there and this user may not make it: "
            f"let a user with CREATEROLE run `CREATE ROLE {GROUP} NOLOGIN`, then migrate again"
        )
    if not exists:
        try:
            connection.execute(queries["create_group"])
            connection.execute(queries["limit_group"])
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            # Made meanwhile for another database of the server.
            pass
    connection.execute(queries["grant"])
    return None


def add_analyst(
    url: str,
    name: str,
    password: str,
    *,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
    connections: int = CONNECTIONS,
) -> None:
    """A login role that may read, with limits of its own; the database is migrated already.

    Raises SettingsError for a name that cannot be a role's or is taken and for limits that are none; DatabaseError where
    the user of `url` may not make roles.
    """
    if not _NAME.fullmatch(name) or name.startswith("pg_"):
        raise SettingsError(
            f"analyst {name!r} cannot be named so: use lower-case letters, digits and _, a letter first, at most 63, not pg_…"
        )
    if statement_timeout_s <= 0 or connections < 1:
        raise SettingsError(
            f"analyst {name!r}: a timeout of {statement_timeout_s} s and {connections} connections are no limits: "
            "set more than 0 of both"
        )
    queries = load("analyst.sql")
    with driver_errors(f"analyst {name}"), psycopg.connect(url, autocommit=True) as connection:
        warning = ensure_group(connection)
        if warning is not None:
            raise DatabaseError(warning)
        if _asked(connection, queries["find_role"], name):
            raise SettingsError(f"the server has a role {name!r} already: choose another name")
        verifier = connection.pgconn.encrypt_password(
            password.encode(), name.encode(), b"scram-sha-256"
        ).decode()
        wanted = {
            "name": name,
            "password": verifier,
            "connections": connections,
            "timeout_ms": round(statement_timeout_s * 1000),
        }
        with connection.transaction():
            for (statement,) in connection.execute(queries["write_member"], wanted).fetchall():
                connection.execute(str(statement).encode())


def list_analysts(url: str) -> list[Analyst]:
    """By name; empty where there is no group."""
    with driver_errors("database"), psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(load("analyst.sql")["list_members"]).fetchall()
    return [Analyst(str(name), int(str(connections)), str(timeout)) for name, connections, timeout in rows]


def remove_analyst(url: str, name: str) -> None:
    """Raises SettingsError where no analyst is called so: other roles are none of ours."""
    queries = load("analyst.sql")
    with driver_errors(f"analyst {name}"), psycopg.connect(url, autocommit=True) as connection:
        if not _asked(connection, queries["check_member"], name):
            raise SettingsError(
                f"there is no analyst {name!r}: `heliograph analyst list` shows those there are"
            )
        row = connection.execute(queries["write_drop"], {"name": name}).fetchone()
        assert row is not None
        connection.execute(str(row[0]).encode())


def _asked(connection: _Connection, question: str, name: str) -> bool:
    row = connection.execute(question.encode(), {"name": name}).fetchone()
    return bool(row and row[0])
