"""Shapes: what decides the SQL is in them, what is bound is not."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_graphql.executor import Executor
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.values import shape

TEXT = "query ($w: TradeFilter, $o: [TradeOrder!], $n: Int) { trades(where: $w, orderBy: $o, first: $n) { totalCount } }"


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(None, ApiSettings())  # type: ignore[arg-type]


def shape_of(executor: Executor, variables: dict[str, Any]) -> object:
    operation = executor.documents.operation(TEXT, None)
    return shape(executor.documents.variables(operation, variables).symbols)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"n": 1}, {"n": 2}),
        ({"w": {"price": {"gt": "1"}}}, {"w": {"price": {"gt": "2"}}}),
        ({"w": {"taker": {"in": []}}}, {"w": {"taker": {"in": ["a", "b"]}}}),
        ({"w": {"taker": {"in": "a"}}}, {"w": {"taker": {"in": ["a"]}}}),
        ({"w": {"takerSide": {"eq": "LONG"}}}, {"w": {"takerSide": {"eq": "SHORT"}}}),
        ({"w": {"liquidation": {"eq": True}}}, {"w": {"liquidation": {"eq": False}}}),
    ],
)
def test_values_leave_the_shape_alone(executor: Executor, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert shape_of(executor, one) == shape_of(executor, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"n": 1}),
        ({"n": None}, {"n": 1}),
        ({"w": {"price": {"gt": "1"}}}, {"w": {"price": {"lt": "1"}}}),
        ({"w": {"price": {"eq": None}}}, {"w": {"price": {"eq": "1"}}}),
        ({"w": {"and": [{}]}}, {"w": {"and": [{}, {}]}}),
        ({"w": {"and": [{}]}}, {"w": {"or": [{}]}}),
        ({"o": [{"price": "ASC"}]}, {"o": [{"price": "DESC"}]}),
        ({"o": [{"price": "ASC"}]}, {"o": [{"size": "ASC"}]}),
    ],
)
def test_what_changes_the_statement_changes_the_shape(
    executor: Executor, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert shape_of(executor, one) != shape_of(executor, other)
