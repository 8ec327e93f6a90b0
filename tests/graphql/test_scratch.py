"""What one statement gathers: what is shared stands where it is read, or once before all that read it."""

from __future__ import annotations

from heliograph_graphql.entities import load_catalog
from heliograph_graphql.scratch import Scratch

CATALOG = load_catalog()


def test_what_is_shared_but_read_once_stands_in_its_place() -> None:
    scratch = Scratch(CATALOG, shares=True)
    value = scratch.share("(SELECT 1)")
    assert scratch.statement(f"concat({value})") == "SELECT concat((SELECT 1))"


def test_what_is_read_several_times_is_computed_once() -> None:
    scratch = Scratch(CATALOG, shares=True)
    once, first, second = (
        scratch.share("(SELECT 1)"),
        scratch.share("(SELECT 2)"),
        scratch.share("(SELECT 2)"),
    )
    assert scratch.statement(f"concat({once}, {first}, {second})") == (
        'WITH "@1w" AS MATERIALIZED (SELECT (SELECT 2) AS v) '
        'SELECT concat((SELECT 1), (SELECT "@1w".v FROM "@1w"), (SELECT "@1w".v FROM "@1w"))'
    )


def test_nothing_is_shared_where_nothing_may_stand_before() -> None:
    assert Scratch(CATALOG).share("(SELECT 1)") == "(SELECT 1)"
