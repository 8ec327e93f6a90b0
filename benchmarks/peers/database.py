"""The database that a benchmark writes to: on the server that HELIOGRAPH_TEST_DATABASE names, else on a TimescaleDB of Debian's
packages (as the tests have it), else, where there can be none, on the embedded PostgreSQL.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import platformdirs
import psycopg
from psycopg import sql
from tests.peers import debian_timescale, timescale

from heliograph_sql.embedded import EmbeddedServer


@contextmanager
def server(options: Mapping[str, str] | None = None) -> Iterator[str]:
    """URL of a superuser on any of its databases. options: settings of one that is started here; all others are the server's
    defaults: what is committed is on disk.
    """
    named = os.environ.get("HELIOGRAPH_TEST_DATABASE")
    if named:
        yield named
        return
    try:
        programs = debian_timescale.find(Path(platformdirs.user_cache_dir("heliograph")))
    except debian_timescale.Impossible as error:
        print(f"no TimescaleDB ({error}): the embedded PostgreSQL stands in", file=sys.stderr)
    else:
        with timescale.running(programs, options or {}) as url:
            yield url
        return
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder,
        EmbeddedServer.start(Path(folder), options=options) as embedded,
    ):
        yield embedded.url


@contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """URL of an empty database for the time of the block."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
