"""`heliograph analyst list`: what a login may, in units that people read."""

from __future__ import annotations

import uuid

import pytest

from heliograph_cli.app import run


def test_a_listed_analyst_has_a_timeout_in_seconds(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"reader_{uuid.uuid4().hex[:8]}"
    place = ("--database", database_url)
    assert run(["analyst", "add", name, "--timeout", "1.5", "--connections", "2", *place]) == 0
    try:
        capsys.readouterr()
        assert run(["analyst", "list", *place]) == 0
        assert f"{name}  2 connections, 1.5 s a statement" in capsys.readouterr().out.splitlines()
    finally:
        assert run(["analyst", "remove", name, *place]) == 0
