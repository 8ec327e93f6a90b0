"""What is copied is what is read back, for every column type and its extremes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliograph_core.records import Trade
from heliograph_sql.copy_encoder import RowRefused, by_attribute, by_position, encode
from heliograph_sql.copying import copy_rows, copy_what_fits
from heliograph_sql.plan import RECORD_PLANS, Column, PgType, TablePlan

PLAN = TablePlan(
    "public",
    "every_type",
    tuple(
        Column(f"{kind.name.lower()}{'_or_null' if nullable else ''}", kind, nullable)
        for kind in PgType
        for nullable in (False, True)
    ),
)
OLDEST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
NEWEST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**60), max_value=10**60)
VALUES = {
    PgType.BIGINT: st.integers(-(2**63), 2**63 - 1),
    PgType.INTEGER: st.integers(-(2**31), 2**31 - 1),
    PgType.SMALLINT: st.integers(-(2**15), 2**15 - 1),
    PgType.TEXT: TEXT,
    PgType.BOOLEAN: st.booleans(),
    PgType.NUMERIC: NUMBERS | st.integers(-(2**256), 2**256),
    PgType.TIMESTAMPTZ: st.integers(OLDEST, NEWEST),
    PgType.JSONB: st.dictionaries(TEXT, TEXT | st.integers() | st.lists(st.booleans())),
    PgType.BYTEA: st.binary(),
    PgType.TEXT_ARRAY: st.lists(TEXT, max_size=3),
    PgType.DOUBLE: st.floats(allow_nan=False),
}
ROWS = st.tuples(
    *(VALUES[column.type] | st.none() if column.nullable else VALUES[column.type] for column in PLAN.columns)
)
EXTREMES: dict[PgType, list[Any]] = {
    PgType.BIGINT: [-(2**63), 0, 2**63 - 1],
    PgType.INTEGER: [-(2**31), -1, 2**31 - 1],
    PgType.SMALLINT: [-(2**15), 1, 2**15 - 1],
    PgType.TEXT: ["", "\0", "a\0\N{SYMBOL FOR NULL}\U0010ffff'\"\\\n"],
    PgType.BOOLEAN: [False, True, False],
    PgType.NUMERIC: [Decimal("-0.00"), Decimal("1E-16383"), Decimal("-1E+131071")],
    PgType.TIMESTAMPTZ: [OLDEST, 0, NEWEST],
    PgType.JSONB: [{}, {"a\0": "\0", "n": 2**200}, [[[[None]]]]],
    PgType.BYTEA: [b"", b"\0", bytes(range(256)) * 100],
    PgType.TEXT_ARRAY: [[], [""], ["\0", "NULL", "{}", ","]],
    PgType.DOUBLE: [float("-inf"), -0.0, 5e-324],
}


def sent_as(kind: PgType, value: Any) -> Any:
    """The value as the database gives it back."""
    if value is None:
        return None
    if kind is PgType.TEXT:
        return value.replace("\0", "\u2400")
    if kind is PgType.TEXT_ARRAY:
        return [each.replace("\0", "\u2400") for each in value]
    if kind is PgType.TIMESTAMPTZ:
        return datetime.fromtimestamp(value, UTC)
    if kind is PgType.JSONB:
        return plain(value)
    return value


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\u2400")
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value


async def round_trip(url: str, rows: list[tuple[Any, ...]]) -> tuple[list[Any], int]:
    """The rows as they come back, and how many were reported as altered."""
    import json

    altered: list[Any] = []
    connection = await asyncpg.connect(url)
    try:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        columns = ", ".join(
            f"{column.name} {column.type}{'' if column.nullable else ' NOT NULL'}" for column in PLAN.columns
        )
        await connection.execute(
            f"CREATE TEMP TABLE every_type (number bigint GENERATED ALWAYS AS IDENTITY, {columns})"
        )
        await copy_rows(
            connection, TablePlan("pg_temp", PLAN.name, PLAN.columns), rows, altered.append, by_position
        )
        found = await connection.fetch(
            f"SELECT {', '.join(PLAN.column_names)} FROM every_type ORDER BY number"
        )
    finally:
        await connection.close()
    return [tuple(row) for row in found], len(altered)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(rows=st.lists(ROWS, max_size=6))
def test_what_is_copied_is_what_is_read_back(database_url: str, rows: list[tuple[Any, ...]]) -> None:
    found, _ = asyncio.run(round_trip(database_url, rows))
    assert found == [
        tuple(sent_as(column.type, value) for column, value in zip(PLAN.columns, row, strict=True))
        for row in rows
    ]


def test_the_extremes_of_every_type_survive(database_url: str) -> None:
    rows = [tuple(EXTREMES[column.type][number] for column in PLAN.columns) for number in range(3)]
    rows.append(tuple(None if column.nullable else EXTREMES[column.type][0] for column in PLAN.columns))
    found, altered = asyncio.run(round_trip(database_url, rows))
    assert found == [
        tuple(sent_as(column.type, value) for column, value in zip(PLAN.columns, row, strict=True))
        for row in rows
    ]
    assert altered == 4, "two text columns of two rows hold NUL"


def test_no_rows_are_a_whole_copy_too(database_url: str) -> None:
    assert asyncio.run(round_trip(database_url, [])) == ([], 0)


MEANT = ["null", "NULL", "\\N", "\\.", "", '"', '""', "\\", '\\"', "\\n", "\\\\n", "]", "[", ",", "\x7f"]
CONTROLS = ["\n", "\\\n", "\r\n", "\t", "]\n[", '"\n"', "\x01\x1f"]


async def test_what_the_format_has_a_meaning_for_is_text_as_any_other(database_url: str) -> None:
    """A column alone, so that each text is a whole line; first in chunks without a control character, then with."""
    plan = TablePlan("pg_temp", "one", (Column("word", PgType.TEXT, True),))
    chunks: list[list[str | None]] = [[text, None, f"a{text}b"] for text in MEANT + CONTROLS]
    chunks += [[*chunk, "\n"] for chunk in chunks]
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE TEMP TABLE one (word text, n bigint GENERATED ALWAYS AS IDENTITY)")
        for chunk in chunks:
            await copy_rows(connection, plan, [(text,) for text in chunk], turn=by_position)
        found = await connection.fetch("SELECT word FROM one ORDER BY n")
    finally:
        await connection.close()
    assert [row["word"] for row in found] == [text for chunk in chunks for text in chunk]


BAD: list[tuple[PgType, Any]] = [
    (PgType.INTEGER, True),
    (PgType.BIGINT, "\\N"),
    (PgType.NUMERIC, "5"),
    (PgType.NUMERIC, Decimal("-Infinity")),
    (PgType.NUMERIC, Decimal("sNaN")),
    (PgType.TIMESTAMPTZ, -(2**62)),
    (PgType.BYTEA, 5),
    (PgType.INTEGER, 1.0),
    (PgType.INTEGER, "1"),
    (PgType.TEXT, 5),
    (PgType.TEXT, b"bytes"),
    (PgType.TEXT, "\ud800"),
    (PgType.BOOLEAN, 1),
    (PgType.NUMERIC, 1.5),
    (PgType.NUMERIC, Decimal("NaN")),
    (PgType.TIMESTAMPTZ, 2**62),
    (PgType.TIMESTAMPTZ, "now"),
    (PgType.JSONB, object),
    (PgType.BYTEA, "text"),
    (PgType.TEXT_ARRAY, "text"),
    (PgType.TEXT_ARRAY, [1]),
    (PgType.DOUBLE, "x"),
    *((kind, None) for kind in PgType if kind is not PgType.JSONB),
]


@pytest.mark.parametrize(("kind", "value"), BAD, ids=repr)
def test_a_value_of_another_kind_is_refused_and_the_table_named(kind: PgType, value: Any) -> None:
    plan = TablePlan("public", "one", (Column("only", kind, False),))
    with pytest.raises(RowRefused, match=r"^public\.one: "):
        encode(plan, [(value,)], by_position)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PgType.BIGINT, 2**63),
        (PgType.INTEGER, -(2**31) - 1),
        (PgType.SMALLINT, 2**15),
        (PgType.NUMERIC, Decimal("1E+131072")),
    ],
    ids=["bigint", "integer", "smallint", "numeric"],
)
async def test_a_number_that_is_too_large_is_refused_and_nothing_else(
    database_url: str, kind: PgType, value: Decimal | int
) -> None:
    plan = TablePlan("public", "one", (Column("amount", kind, False),))
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"CREATE TABLE one (amount {kind})")
        async with connection.transaction():
            refused = await copy_what_fits(connection, plan, [(1,), (value,), (2,)], turn=by_position)
        assert [one.row for one in refused] == [(value,)]
        assert [row[0] for row in await connection.fetch("SELECT amount FROM one ORDER BY 1")] == [1, 2]
    finally:
        await connection.close()


def test_structs_and_tuples_encode_alike(make: Any) -> None:
    plan = RECORD_PLANS[Trade]
    trade = make.trade(5)
    values = tuple(getattr(trade, name) for name in plan.column_names)
    assert encode(plan, [trade], by_attribute(plan)) == encode(plan, [values], by_position)
