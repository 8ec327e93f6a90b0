"""`heliograph move`: an embedded database with rows in it becomes one on a real TimescaleDB, or nothing happens."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from tests.cli.process import run
from tests.peers.server import TIMESCALE, Server

from heliograph_cli.commands import move as command
from heliograph_core.errors import DatabaseError
from heliograph_sql.embedded import program
from heliograph_sql.migrate import migrate

TRADES = """
    INSERT INTO perps.trades
    SELECT 's', to_timestamp(86400 * (n % 30 + 1)), n, 0, 0, 0, 'sig', 'P', 'M', n::text, NULL, 'long', NULL,
        1.50, 1, 1, 0, 0, NULL, NULL, NULL, NULL, false
    FROM generate_series(1, 300) AS n
"""
HELD = "SELECT count(*), sum(slot)::bigint, sum(price) FROM perps.trades"


@pytest.fixture
def filled_url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TRADES)
        # As a dump has them: a row that looks like what is left out of it.
        connection.execute("CREATE TABLE public.notes (note text)")
        connection.execute("INSERT INTO public.notes VALUES ('COMMENT ON EXTENSION'), (E'tab\\there')")
    return database_url


def test_rows_of_a_plain_database_stand_in_hypertables_afterwards(
    filled_url: str, timescale_server: Server, tmp_path: Path
) -> None:
    assert timescale_server.kind == TIMESCALE
    with timescale_server.database("template0") as name:
        target = timescale_server.database_url(name)
        done = run(tmp_path, "move", "--database", filled_url, "--to", target)
        assert (done.returncode, done.stderr) == (0, "")
        assert "TimescaleDB" in done.stdout
        with psycopg.connect(target) as there, psycopg.connect(filled_url) as here:
            assert there.execute(HELD).fetchone() == here.execute(HELD).fetchone()
            assert there.execute("SELECT * FROM public.notes").fetchall() == [
                ("COMMENT ON EXTENSION",),
                ("tab\there",),
            ]
            cut = there.execute(
                "SELECT num_chunks FROM timescaledb_information.hypertables WHERE hypertable_name = 'trades'"
            ).fetchone()
            assert cut == (5,)
        again = run(tmp_path, "move", "--database", filled_url, "--to", target)
        assert again.returncode == 2
        assert "is one of heliograph already: name an empty one" in again.stderr


def test_what_the_target_does_not_take_leaves_it_as_it_was(
    filled_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.notes (other int)")
    done = run(tmp_path, "move", "--database", filled_url, "--to", empty_database_url)
    assert done.returncode == 1
    assert 'did not take the rows, and is as it was: ERROR: relation "notes" already exists' in " ".join(
        done.stderr.split()
    )
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regnamespace('perps')").fetchone() == (None,)
    assert migrate(filled_url).applied == ()


@pytest.mark.parametrize("end", ["exit 1", "kill -9 $$"])
def test_a_dump_that_breaks_off_leaves_the_target_as_it_was(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    dump = tmp_path / "pg_dump"
    dump.write_text(
        f"#!/bin/sh\necho 'CREATE TABLE public.half (n int);'\necho 'COPY public.half FROM stdin;'\necho 1\n{end}\n"
    )
    dump.chmod(0o755)
    monkeypatch.setattr(command, "program", lambda name: dump if name == "pg_dump" else program(name))
    with pytest.raises(DatabaseError, match=r"^reading .* failed, and database .* is as it was"):
        command._copy("postgresql://me@127.0.0.1/old", empty_database_url, "there/new")
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('public.half')").fetchone() == (None,)


def test_a_server_that_does_not_answer_is_one_clear_line(filled_url: str, tmp_path: Path) -> None:
    done = run(tmp_path, "move", "--database", filled_url, "--to", "postgresql://me:secret@127.0.0.1:1/x")
    assert done.returncode == 1
    assert "127.0.0.1:1/x" in done.stderr and "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
