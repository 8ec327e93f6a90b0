"""`heliograph key`: added, listed, revoked; the key itself is shown once and stored nowhere."""

from __future__ import annotations

import psycopg
import pytest

from heliograph_cli.app import run
from heliograph_sql.keys import parse_key


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> list[str]:
        assert run(["key", *arguments, "--database", database_url]) == 0
        return capsys.readouterr().out.splitlines()

    assert told("list") == ["no keys yet: add one with `heliograph key add`"]
    text, hint = told("add", "our frontend", "--rate", "600", "--days", "30")
    parsed = parse_key(text)
    assert parsed is not None and "shown once" in hint
    name, digest = parsed
    (line,) = told("list")
    assert line.startswith(f"{name}  ") and "good until" in line and "600 a minute" in line
    assert line.endswith("our frontend") and text.rpartition("_")[2] not in line
    with psycopg.connect(database_url) as connection:
        stored = connection.execute("SELECT id, hash, name FROM heliograph.api_keys").fetchall()
    assert stored == [(name, digest, "our frontend")]
    assert told("revoke", f"hg_{name}") == [f"key {name} is revoked: within 5 s every API refuses it"]
    assert told("revoke", name) == [f"key {name} was revoked before"]
    assert "revoked" in told("list")[0]


def test_a_key_that_is_not_there_is_said_in_one_line(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["key", "revoke", "nobody", "--database", database_url]) == 2
    assert capsys.readouterr().err == (
        "heliograph: there is no key 'nobody': `heliograph key list` shows those there are\n"
    )
    assert run(["key", "add", " ", "--database", database_url]) == 2
    assert "names nothing" in capsys.readouterr().err


def test_a_rate_that_no_column_holds_is_refused_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["key", "add", "us", "--rate", str(2**31)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--rate" in line and line.endswith("; see heliograph key add --help")
