"""How values of events are shown: nested numbers as text, whatever stands around them."""

from __future__ import annotations

import json
import random
from typing import Any

from heliograph_graphql.entity import Field, Kind
from heliograph_graphql.sql_text import shown
from heliograph_sql.database import Database

LETTERS = 'a1-. ,:{}[]"\\e+0é\n'
NUMBERS = (0, -1, 2**64, -(2**127), 10**40, 0.5, -1.5e-7, 1e30)


def drawn(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.randrange(6 if depth < 3 else 4)
    if kind == 0:
        return "".join(dice.choices(LETTERS, k=dice.randrange(6)))
    if kind == 1:
        return dice.choice(NUMBERS)
    if kind in (2, 3):
        return dice.choice((None, True, False, dice.choice(NUMBERS)))
    inner = [drawn(dice, depth + 1) for _ in range(dice.randrange(4))]
    return inner if kind == 4 else {"".join(dice.choices(LETTERS, k=3)): each for each in inner}


async def test_nested_numbers_are_text_and_nothing_else_changes(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    values = [drawn(dice) for _ in range(2000)]
    text = shown("v.value", Field("value", Kind.NESTED, "")).sql
    async with database.acquire() as connection:
        rows = await connection.fetch(
            f"SELECT v.value::text, {text} AS shown FROM unnest($1::jsonb[]) WITH ORDINALITY AS v (value, place)"
            " ORDER BY place",
            [json.dumps(value) for value in values],
        )
    assert len(rows) == len(values)
    for row in rows:
        expected = json.loads(row["value"], parse_int=str, parse_float=str)
        assert json.loads(row["shown"]) == expected, row["value"]
    assert sum(row["shown"] != row["value"] for row in rows) > 500


async def test_doubles_that_json_has_not_are_text(database: Database) -> None:
    text = shown("v", Field("v", Kind.DOUBLE, "")).sql
    async with database.acquire() as connection:
        found = await connection.fetchval(
            f"SELECT '[' || string_agg({text}, ',') || ']' FROM unnest($1::float8[]) v",
            [0.1, 5e-324, float("nan"), float("-inf")],
        )
    assert json.loads(found) == [0.1, 5e-324, "NaN", "-Infinity"]
