"""Scalars: what is read, what is refused, what is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError, parse_value

from heliograph_graphql.scalars import (
    SCALARS,
    DecimalText,
    parse_bigint,
    parse_decimal,
    parse_slot,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.50", Decimal("1.5")),
        (3, Decimal(3)),
        ("-0.000000000000000001", Decimal("-1e-18")),
        ("1e3", Decimal(1000)),
    ],
)
def test_decimals_are_read_exactly(text: Any, number: Decimal) -> None:
    assert parse_decimal(text) == number


@pytest.mark.parametrize(
    "value", ["", "x", "NaN", "Infinity", "1e999", "9" * 101, "1_0", "\u0663", 1.5, True, None, [], {}]
)
def test_what_is_no_decimal_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError):
        parse_decimal(value)


@pytest.mark.parametrize("value", [0, "0", 2**63 - 1, str(-(2**63))])
def test_64_bit_integers_are_read(value: Any) -> None:
    assert parse_bigint(value) == int(value)


@pytest.mark.parametrize(
    "value", [2**63, str(2**63), "1.0", "", "-", "--1", "１", "1_0", 1.0, True, None, "9" * 5000]
)
def test_what_is_no_64_bit_integer_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError):
        parse_bigint(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"abc"', "'abc' is no decimal number"),
        ('"NaN"', "'NaN' is no decimal number"),
        ("LONG", "enum value stands where text"),
    ],
)
def test_a_literal_that_is_refused_says_where_it_stands(text: str, said: str) -> None:
    parse_literal = SCALARS[DecimalText].parse_literal
    assert parse_literal is not None
    with pytest.raises(GraphQLError, match=said) as caught:
        parse_literal(parse_value(text), None)
    assert [(place.line, place.column) for place in caught.value.locations or ()] == [(1, 1)]


def test_a_slot_is_never_negative() -> None:
    assert parse_slot("5") == 5
    with pytest.raises(GraphQLError, match="negative"):
        parse_slot("-5")


@pytest.mark.parametrize("text", ["2026-11-21T12:00:00Z", "2026-11-21T12:00:00", "2026-11-21T13:00:00+01:00"])
def test_times_are_utc_unless_they_say_otherwise(text: str) -> None:
    assert parse_time(text) == datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "now", "2026-13-01", "0001-01-01T00:00:00+14:00", 5, None, "2" * 100])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError):
        parse_time(value)
