"""heliograph_analyst reads what analysts may, also of streams that come later, and writes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import psycopg
import pytest

from heliograph_core.errors import DatabaseError, SettingsError
from heliograph_sql.analyst import add_analyst, ensure_group, list_analysts, remove_analyst
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout
from heliograph_sql.migrate import migrate
from heliograph_sql.queries import load
from heliograph_sql.rollup import Rollup
from heliograph_sql.streams import add_stream
from heliograph_sql.table_making import make_tables
from heliograph_sql.writer import Writer

READABLE = (
    "perps.trades",
    "perps.positions",
    "perps.candles_1h",
    "perps.funding_1d",
    "perps.volume_1h",
    "perps.open_interest_1h",
    "perps.candles_filled('1h', now() - interval '1 day', now())",
    "perps.open_interest_filled('1h', now() - interval '1 day', now())",
    "heliograph.streams",
    "heliograph.coverage",
    "heliograph.transactions",
    "heliograph.completeness",
    "heliograph.gaps",
    "later.said",
)
FORBIDDEN = (
    "SELECT * FROM heliograph.claims",
    "SELECT * FROM heliograph.secret",
    "SELECT * FROM pg_authid",
    "INSERT INTO heliograph.dirty VALUES ('later', 'P')",
    "INSERT INTO perps.balances SELECT * FROM perps.balances",
    "UPDATE perps.trades SET price = 1",
    "DELETE FROM later.said",
    "TRUNCATE perps.trades",
    "CREATE TABLE perps.mine (x int)",
    "CREATE TABLE later.mine (x int)",
    "CREATE TABLE public.mine (x int)",
    "DROP VIEW perps.candles_1h",
    "ALTER TABLE perps.trades ADD COLUMN x int",
    "CREATE SCHEMA mine",
    "SELECT pg_read_file('/etc/passwd')",
)


def as_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{user}:{password}@{host}" if host else f"{user}@", query=urlencode(query))
    )


@pytest.fixture
def name() -> str:
    """Roles are the server's, not the database's: each test has its own."""
    return f"ana_{uuid.uuid4().hex[:10]}"


@pytest.fixture
def analyst(database_url: str, name: str) -> Iterator[str]:
    """URL of an analyst whose statements may run for a quarter of a second."""
    add_analyst(database_url, name, "word", statement_timeout_s=0.25, connections=2)
    yield as_user(database_url, name, "word")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


async def test_an_analyst_reads_what_is_meant_for_analysts_and_nothing_else(
    make: Any, database: Database, database_url: str, analyst: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE heliograph.secret (word text)")
    await add_stream(database, "later", protocol="godark", programs=["P"], first_slot=0)
    layout = EventLayout(program="P", idl="sample", event="Said", fields=(("what", "text"),))
    await make_tables(database, "later", [layout])
    writer = Writer(database, "later", "holder")
    make.stream = "later"
    await writer.commit(make.batch(0, 100_000, [make.trade(5), make.trade(99_000)]), epoch=None)
    await Rollup(database).catch_up()
    with psycopg.connect(analyst, autocommit=True) as connection:
        for table in READABLE:
            connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
        assert connection.execute("SELECT sum(points) FROM perps.candles_1h").fetchone() == (2,)
        # The guard is the rights, not the setting, which everybody may change for himself.
        connection.execute("SET default_transaction_read_only = off")
        for statement in FORBIDDEN:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.WrongObjectType)):
                connection.execute(statement.encode())


def test_a_statement_that_takes_too_long_is_cut_off(analyst: str) -> None:
    with psycopg.connect(analyst, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            connection.execute("SELECT pg_sleep(60)")
        assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)


def test_analysts_are_listed_with_their_limits_and_removed(database_url: str, name: str) -> None:
    add_analyst(database_url, name, "word", statement_timeout_s=90)
    found = [one for one in list_analysts(database_url) if one.name == name]
    assert [(one.connections, one.timeout) for one in found] == [(5, "90000")]
    with pytest.raises(SettingsError, match="already"):
        add_analyst(database_url, name, "word")
    remove_analyst(database_url, name)
    assert name not in {one.name for one in list_analysts(database_url)}
    with pytest.raises(SettingsError, match="there is no analyst"):
        remove_analyst(database_url, name)


def test_the_password_is_nowhere_in_clear(database_url: str, name: str) -> None:
    add_analyst(database_url, name, "a very secret word")
    with psycopg.connect(database_url, autocommit=True) as connection:
        stored = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()
    assert stored is not None and str(stored[0]).startswith("SCRAM-SHA-256$")
    remove_analyst(database_url, name)


@pytest.mark.parametrize("bad", ["", "Ana", "pg_ana", "a" * 64, "ana; DROP TABLE x", "1a"])
def test_a_name_that_is_no_role_is_refused(database_url: str, bad: str) -> None:
    with pytest.raises(SettingsError, match="cannot be named so"):
        add_analyst(database_url, bad, "word")


def test_limits_that_are_none_are_refused(database_url: str) -> None:
    with pytest.raises(SettingsError, match="no limits"):
        add_analyst(database_url, "ana", "word", statement_timeout_s=0)


def test_only_analysts_are_removed(database_url: str) -> None:
    with pytest.raises(SettingsError, match="there is no analyst"):
        remove_analyst(database_url, "postgres")


def test_a_user_without_rights_gets_one_warning_and_a_working_database(
    empty_database_url: str, name: str
) -> None:
    """The group may be there already, of another database: then a stand-in for its absence."""
    owner = f"own_{name}"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'word'")
        database = connection.info.dbname
        connection.execute(f"GRANT CREATE ON DATABASE {database} TO {owner}")
    url = as_user(empty_database_url, owner, "word")
    try:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        told = migrate(url)
        assert len(told.applied) > 3
        with psycopg.connect(url, autocommit=True) as connection:
            # A server without the group, whoever else made it here.
            class Without:
                def execute(self, statement: str) -> Any:
                    return connection.execute(
                        statement.replace("'heliograph_analyst'", "'no_such_role'").encode()
                    )

            warning = ensure_group(Without())  # type: ignore[arg-type]
        assert warning is not None and "CREATE ROLE heliograph_analyst NOLOGIN" in warning
        with pytest.raises(DatabaseError, match="permission denied"):
            add_analyst(url, name, "word")
    finally:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {owner} CASCADE")
            connection.execute(f"DROP ROLE {owner}")


def test_every_operation_table_is_readable_or_kept_back_on_purpose(database_url: str) -> None:
    """A new table of schema heliograph is not for analysts until somebody says so here."""
    kept_back = {
        *("api_keys", "api_secret", "claims", "dirty", "object_changes"),
        *("retained_balances", "retained_positions", "sightings", "storage"),
    }
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT c.relname::text, has_table_privilege('heliograph_analyst', c.oid, 'SELECT') FROM pg_class AS c "
            "WHERE c.relnamespace = 'heliograph'::regnamespace AND c.relkind IN ('r', 'v', 'p')"
        ).fetchall()
    assert {name for name, readable in rows if not readable} == kept_back
    assert load("analyst.sql")["grant"]


def test_two_processes_grant_one_after_the_other(database_url: str) -> None:
    with psycopg.connect(database_url) as first, ThreadPoolExecutor() as threads:
        first.execute("SELECT heliograph.grant_analyst()")
        with psycopg.connect(database_url) as second:
            waiting = threads.submit(second.execute, "SELECT heliograph.grant_analyst()")
            backend = second.info.backend_pid
            with psycopg.connect(database_url, autocommit=True) as watcher:
                while not watcher.execute(
                    "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", [backend]
                ).fetchall():
                    assert not waiting.done(), waiting.result()
            first.commit()
            waiting.result(timeout=30)
            second.commit()
