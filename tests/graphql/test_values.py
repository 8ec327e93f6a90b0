"""Shapes: what decides the SQL is in them, what is bound is not."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_graphql.document import Documents
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.executor import CompiledResolvers
from heliograph_graphql.schema import build_schema
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.status import Status
from heliograph_graphql.values import shape

TEXT = "query ($w: TradeFilter, $o: [TradeOrder!], $n: Int) { trades(where: $w, orderBy: $o, first: $n) { totalCount } }"


@pytest.fixture(scope="module")
def documents() -> Documents:
    async def status(_: object) -> Status:
        raise AssertionError("nothing is executed here")

    schema = build_schema(load_catalog(), CompiledResolvers(), status)
    return Documents(schema._schema, ApiSettings())


def shape_of(documents: Documents, variables: dict[str, Any]) -> object:
    operation = documents.operation(TEXT, None)
    return shape(documents.variables(operation, variables).symbols)


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
def test_values_leave_the_shape_alone(
    documents: Documents, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert shape_of(documents, one) == shape_of(documents, other)


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
    documents: Documents, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert shape_of(documents, one) != shape_of(documents, other)
