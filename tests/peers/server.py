"""The servers that tests run on: which there are, and a database of its own for each test."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

EMBEDDED, TIMESCALE = "embedded", "timescale"
ON_EMBEDDED = pytest.mark.parametrize("server", [EMBEDDED], indirect=True)
ON_TIMESCALE = pytest.mark.parametrize("server", [TIMESCALE], indirect=True)
ON_BOTH = pytest.mark.parametrize("server", [EMBEDDED, TIMESCALE], indirect=True)
"""Marks of tests. Without one the embedded server is meant, in tests/sql both."""

# Nobody else's database is called so, also on a server that others use.
_RUN = f"heliograph_test_{uuid.uuid4().hex[:8]}"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """A server on which databases may be made. url: of any database on it, as a superuser."""

    kind: str
    url: str

    def database_url(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    @contextmanager
    def database(self, template: str) -> Iterator[str]:
        """Name of a database that stands for the time of the block."""
        name = f"{_RUN}_{next(_numbers)}"
        made, copied = sql.Identifier(name), sql.Identifier(template)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(made, copied))
            yield name
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))

    def close(self, name: str) -> None:
        """Lets nobody in any more: TimescaleDB's own workers would keep the database from being cloned."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(name))
            )
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
