"""Named SQL: every file loads, every mistake in one is named."""

from __future__ import annotations

from importlib import resources

import pytest

from heliograph_sql.queries import Queries, load

FILES = sorted(file.name for file in (resources.files("heliograph_sql") / "queries").iterdir())


def test_statements_are_found_by_name() -> None:
    queries = Queries(
        "x.sql", "-- About this file.\n\n-- name: get_one\nSELECT 1;\n\n-- name: get_two\n-- why\nSELECT 2\n"
    )
    assert dict(queries) == {"get_one": "SELECT 1", "get_two": "-- why\nSELECT 2"}
    assert len(queries) == 2


@pytest.mark.parametrize("file", FILES)
def test_every_file_of_the_package_loads(file: str) -> None:
    assert load(file)
    assert load(file) is load(file)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"x\.sql has no 'absent', only get_one"):
        Queries("x.sql", "-- name: get_one\nSELECT 1")["absent"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "before the first"),
        ("-- name: get_one\n\n-- name: get_two\nSELECT 2", "get_one has no statement"),
        ("-- name: get_one\nSELECT 1\n-- name: get_one\nSELECT 2", "get_one stands there twice"),
    ],
)
def test_a_malformed_file_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Queries("x.sql", text)
