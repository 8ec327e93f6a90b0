"""JSON that statements make: whole whatever the values are, with as many members as an IDL has fields."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from heliograph_graphql.entity import Choice, Field, Kind
from heliograph_graphql.json_text import json_array, json_items, json_object, json_string, made, verbatim
from heliograph_graphql.sql_text import shown
from heliograph_sql.database import Database

ODD = 'it\'s "odd" \\ {x} $1 %s \n\t\x01\x7f é 🚀 </script>'
SIDE = Choice("Side", "", {"long": "", "short": ""})
TIME = datetime(2026, 11, 21, 12, 30, 0, 250000, tzinfo=UTC)


def test_what_is_known_beforehand_is_one_text() -> None:
    inner = json_object({"a": made("x.a"), "b": json_string("it's")})
    assert json_object({"c": inner, "d": json_array("x.d")}).sql == (
        """concat('{"c":{"a":', x.a, ',"b":"it''s"},"d":[', x.d, ']}')"""
    )
    assert json_object({}).sql == "concat('{}')"


async def test_an_object_may_have_more_members_than_a_function_has_arguments(database: Database) -> None:
    for count in (49, 50, 51, 700, 6000):
        columns = {f"field {number}": made(str(number)) for number in range(count)}
        async with database.acquire() as connection:
            found = await connection.fetchval(f"SELECT {json_object(columns).sql}")
        assert json.loads(found) == {f"field {number}": number for number in range(count)}


async def test_keys_and_constants_are_escaped(database: Database) -> None:
    async with database.acquire() as connection:
        found = await connection.fetchval(f"SELECT {json_object({ODD: json_string(ODD)}).sql}")
    assert json.loads(found) == {ODD: ODD}


async def test_a_list_of_nothing_is_empty(database: Database) -> None:
    items = json_array(
        json_items(json_object({"x": made("x"), "y": verbatim("null")}).sql, "ORDER BY x DESC")
    ).sql
    async with database.acquire() as connection:
        assert await connection.fetchval(f"SELECT {items} FROM generate_series(1, 0) x") == "[]"
        found = await connection.fetchval(f"SELECT {items} FROM generate_series(1, 3) x")
    assert found == '[{"x":3,"y":null},{"x":2,"y":null},{"x":1,"y":null}]'


SHOWN: list[tuple[Kind | Choice, str, Any, Any]] = [
    (Kind.TEXT, "text", ODD, ODD),
    (Kind.TEXT, "text", "", ""),
    (Kind.TEXTS, "text[]", [ODD, "", None], [ODD, "", None]),
    (Kind.TEXTS, "text[]", [], []),
    (Kind.ID, "text", "bkE", "bkE"),
    (Kind.INT, "integer", -7, -7),
    (Kind.BIGINT, "bigint", -(2**63), str(-(2**63))),
    (Kind.SLOT, "bigint", 2**63 - 1, str(2**63 - 1)),
    (Kind.DECIMAL, "numeric", Decimal("-1234567890123456789.123456789000"), "-1234567890123456789.123456789"),
    (Kind.DECIMAL, "numeric", Decimal("0.0"), "0"),
    (Kind.DECIMAL, "numeric", Decimal(100), "100"),
    (Kind.TIME, "timestamptz", TIME, "2026-11-21T12:30:00.25+00:00"),
    (Kind.BOOL, "boolean", True, True),
    (Kind.BOOL, "boolean", False, False),
    (Kind.JSON, "jsonb", json.dumps({ODD: [1.5, None, ODD]}), {ODD: [1.5, None, ODD]}),
    (Kind.JSON, "jsonb", "null", None),
    (Kind.NESTED, "jsonb", json.dumps({ODD: [15, None, ODD]}), {ODD: ["15", None, ODD]}),
    (Kind.BYTES, "bytea", bytes(range(200)), base64.b64encode(bytes(range(200))).decode()),
    (Kind.BYTES, "bytea", b"", ""),
    (Kind.DOUBLE, "float8", 1e300, 1e300),
    (Kind.DOUBLE, "float8", float("-inf"), "-Infinity"),
    (SIDE, "text", "short", "SHORT"),
    (SIDE, "text", 'new"er', 'NEW"ER'),
]


@pytest.mark.parametrize(("kind", "type_", "value", "expected"), SHOWN, ids=lambda each: str(each)[:20])
async def test_values_are_shown_exactly_and_missing_ones_as_null(
    database: Database, kind: Kind | Choice, type_: str, value: Any, expected: Any
) -> None:
    known, nullable = Field("v", kind, ""), Field("v", kind, "", nullable=True)
    members = {
        "known": shown("x.v", known),
        "nullable": shown("x.v", nullable),
        "found": shown("x.v", known, known=False),
        "missing": shown("x.none", nullable),
    }
    async with database.acquire() as connection:
        text = await connection.fetchval(
            f"SELECT {json_object(members).sql} FROM (SELECT $1::{type_} AS v, NULL::{type_} AS none) x",
            value,
        )
    assert json.loads(text) == {"known": expected, "nullable": expected, "found": expected, "missing": None}
