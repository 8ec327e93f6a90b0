"""Fixtures for every test that needs a database: one embedded server a run, one fresh database a test."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql

from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import migrate

# A test's data need not survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write schema.sql and docs/tables.md from the migrations instead of comparing them",
    )


# A run that decides whether a change lands must not fail by a draw that has nothing to do with it.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@pytest.fixture
def seed() -> int:
    """Of a test that draws at random: HELIOGRAPH_SOAK_SEED, else always the same; printed, so that a failure names it."""
    drawn = int(os.environ.get("HELIOGRAPH_SOAK_SEED", "7"))
    print(f"seed {drawn}")
    return drawn


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """The embedded server of this test run."""
    # Not below pytest's own temporary folder: as root the server runs as another user, and whenever another pytest
    # starts it takes every other user's rights to that folder away.
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-tests-") as folder,
        EmbeddedServer.start(Path(folder), options=FAST) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def template_database(server: EmbeddedServer) -> str:
    """Name of a migrated database that nobody is connected to, to be cloned."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_heliograph")
    migrate(_with_database(server.url, "template_heliograph"))
    return "template_heliograph"


@pytest.fixture
def empty_database_url(server: EmbeddedServer) -> Iterator[str]:
    """URL of a database of this test alone, without any schema of ours."""
    yield from _create(server, "template1")


@pytest.fixture
def database_url(server: EmbeddedServer, template_database: str) -> Iterator[str]:
    """URL of a migrated database of this test alone."""
    yield from _create(server, template_database)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An opened pool on a migrated database of this test alone."""
    async with await Database.open(database_url) as database:
        yield database


def _create(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    made, copied = sql.Identifier(name), sql.Identifier(template)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(made, copied))
        yield _with_database(server.url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


def _with_database(url: str, name: str) -> str:
    return url.replace("/heliograph?", f"/{name}?", 1)
