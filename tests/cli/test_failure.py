"""Errors become one line and a status."""

from __future__ import annotations

import pytest

from heliograph_cli.failure import report
from heliograph_core.errors import DatabaseUnavailable, IdlError, RpcRefused, SettingsError


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (SettingsError("port 8000 is in use"), 2, "heliograph: port 8000 is in use"),
        (IdlError("no name", path="$.x"), 2, "heliograph: $.x: no name"),
        (DatabaseUnavailable("gone\nfor good"), 1, "heliograph: gone for good"),
        (ExceptionGroup("two", [ValueError("x"), RpcRefused("no")]), 1, "heliograph: no"),
        (
            PermissionError(13, "Permission denied", "/data"),
            1,
            "heliograph: /data: Permission denied; give this user access to it or name another place",
        ),
        (
            KeyError("x"),
            1,
            "heliograph: defect in Heliograph: KeyError: 'x'; run again with --verbose for the traceback",
        ),
    ],
)
def test_an_error_is_one_line_with_the_status_of_its_kind(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(error, verbose=False) == status
    assert capsys.readouterr().err == f"{line}\n"


def test_verbose_shows_where_it_was_raised(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("x")
    except KeyError as error:
        assert report(error, verbose=True) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown and shown.endswith("heliograph: defect in Heliograph: KeyError: 'x'\n")
