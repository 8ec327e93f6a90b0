"""Fixtures for every test that needs a database: one server a kind and run, one fresh database a test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import hypothesis
import platformdirs
import pytest
from tests.peers import debian_timescale, timescale
from tests.peers.server import EMBEDDED, TIMESCALE, Server

from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import list_migrations, migrate

# A test's data need not survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


NO_TIMESCALE = "no TimescaleDB to test on"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write schema.sql and docs/tables.md from the migrations instead of comparing them",
    )
    parser.addoption(
        "--server",
        choices=[EMBEDDED, TIMESCALE],
        default=EMBEDDED,
        help="where tests run that do not choose their server",
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Hundreds of tests lack the same server: said of one place, they are one line of the summary."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and NO_TIMESCALE in report.longrepr[2]:
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    # Not below pytest's own temporary folder: as root the server runs as another user, and whenever another pytest
    # starts it takes every other user's rights to that folder away.
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-tests-") as folder,
        EmbeddedServer.start(Path(folder), options=FAST) as server,
    ):
        yield Server(EMBEDDED, server.url)


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[Server]:
    """The server that HELIOGRAPH_TEST_DATABASE names, else one of Debian's packages; skips where there can be none."""
    named = os.environ.get("HELIOGRAPH_TEST_DATABASE")
    if named:
        yield Server(TIMESCALE, named)
        return
    try:
        programs = debian_timescale.find(Path(platformdirs.user_cache_dir("heliograph")))
    except debian_timescale.Impossible as error:
        pytest.skip(f"{NO_TIMESCALE}: {error}")
    with timescale.running(programs, FAST) as url:
        yield Server(TIMESCALE, url)


@pytest.fixture(scope="session")
def embedded_template(embedded_server: Server) -> Iterator[str]:
    """Name of a migrated database that nobody is connected to, to be cloned."""
    yield from _template(embedded_server)


@pytest.fixture(scope="session")
def timescale_template(timescale_server: Server) -> Iterator[str]:
    yield from _template(timescale_server)


def _template(server: Server) -> Iterator[str]:
    with server.database("template0") as name:
        # Told which migrations, it does not compare with the shape, which --regenerate writes anew.
        migrate(server.database_url(name), list_migrations())
        server.close(name)
        yield name


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """The server of this test: that of its parameter, else that of --server."""
    kind = getattr(request, "param", request.config.getoption("--server"))
    found: Server = request.getfixturevalue(f"{kind}_server")
    return found


@pytest.fixture
def template_database(request: pytest.FixtureRequest, server: Server) -> str:
    """Name of a migrated database on that server."""
    return str(request.getfixturevalue(f"{server.kind}_template"))


@pytest.fixture
def empty_database_url(server: Server) -> Iterator[str]:
    """URL of a database of this test alone, without any schema of ours."""
    # template1 of an image has the extension in it; template0 never has.
    with server.database("template0") as name:
        yield server.database_url(name)


@pytest.fixture
def database_url(server: Server, template_database: str) -> Iterator[str]:
    """URL of a migrated database of this test alone."""
    with server.database(template_database) as name:
        yield server.database_url(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An opened pool on a migrated database of this test alone."""
    async with await Database.open(database_url) as database:
        yield database
