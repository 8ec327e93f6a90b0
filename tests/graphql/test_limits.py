"""Limits are counted with fragments spread, in time linear in the text."""

from __future__ import annotations

import pytest
from graphql import GraphQLError, parse

from heliograph_graphql.limits import Measure, check_limits
from heliograph_graphql.settings import ApiSettings


def measure(text: str) -> tuple[int, int, int]:
    document = parse(text)
    size = Measure(document, 10_000).size(document.definitions[0].selection_set)  # type: ignore[attr-defined]
    return size.fields, size.aliases, size.depth


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ a }", (1, 0, 1)),
        ("{ a: b { c d: e } }", (3, 2, 2)),
        ("{ ...F ...F } fragment F on Query { a { b } }", (4, 0, 2)),
        ("{ ... on Query { a { ... { b } } } }", (2, 0, 2)),
        ("{ ...F } fragment F on Query { a ...F }", (1, 0, 1)),
        ("{ ...Missing }", (0, 0, 0)),
        ("{ __schema { a { b { c } } } }", (1, 0, 1)),
    ],
)
def test_sizes(text: str, expected: tuple[int, int, int]) -> None:
    assert measure(text) == expected


def test_fragments_that_double_each_other_are_counted_without_spreading_them() -> None:
    fragments = "".join(f"fragment F{n} on Query {{ ...F{n + 1} a {{ ...F{n + 1} }} }} " for n in range(60))
    with pytest.raises(GraphQLError, match="more than 1000 fields"):
        check_limits(parse("{ ...F0 } " + fragments + "fragment F60 on Query { a b }"), ApiSettings())
