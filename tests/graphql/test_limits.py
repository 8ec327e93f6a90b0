"""Limits are counted with fragments spread, in time linear in the text."""

from __future__ import annotations

import pytest
from graphql import GraphQLError, parse

from heliograph_graphql.limits import Measure, check_limits, check_text, check_variables
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


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": [1] * 5000}, "more than 5000 values"),
        ({"a": [[0] * 100] * 60}, "more than 5000 values"),
        ({"a": {str(n): n for n in range(5000)}}, "more than 5000 values"),
        ({"a": ["x" * 1000] * 201}, "more than 200000 characters"),
        ({"x" * 200_001: 1}, "more than 200000 characters"),
    ],
)
def test_variables_beyond_a_limit_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(GraphQLError, match=words):
        check_variables(given, ApiSettings())


def test_variables_nested_without_end_are_refused() -> None:
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(GraphQLError, match="nested deeper than 20"):
        check_variables({"a": value}, ApiSettings())


def test_variables_at_the_limits_pass() -> None:
    value: object = 1
    for _ in range(19):
        value = [value]
    check_variables({"a": value, "b": [1] * 4000, "c": "x" * 190_000}, ApiSettings())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("query (" + " ".join(f"$v{n}: Int" for n in range(101)) + ") { a }", "101 variables"),
        (" ".join(f"query Q{n} {{ a }}" for n in range(101)), "101 operations and fragments"),
        ("{ " + " ".join(f"a{n}: __schema {{ a }}" for n in range(5)) + " }", "5 introspections"),
        ("{ ...{ " + " ".join(f"a{n}: __schema {{ a }}" for n in range(5)) + " } }", "5 introspections"),
        (
            "query A { ...F ...G } query B { ...F } fragment F on Query { eventTypes { a } ... { b: __type { c } } } fragment G on Query { d: eventTypes { a } }",
            "5 introspections",
        ),
    ],
)
def test_what_is_slow_to_validate_or_execute_is_counted_first(text: str, words: str) -> None:
    with pytest.raises(GraphQLError, match=words):
        check_limits(parse(text), ApiSettings())


def test_a_text_of_many_characters_is_not_read() -> None:
    check_text("#" * 100_000, ApiSettings())
    with pytest.raises(GraphQLError, match="100001 characters"):
        check_text("#" * 100_001, ApiSettings())
