"""Names made from an IDL's: by rules, free, and short enough."""

from __future__ import annotations

import psycopg
import pytest

from heliograph_sql.typed_names import (
    MOST_NAME_BYTES,
    RESERVED_COLUMNS,
    column_name,
    cut,
    free_name,
    snake,
    type_suffix,
)


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("baseAssetAmount", "base_asset_amount"),
        ("user", "user_"),
        ("Order", "order_"),
        ("xmin", "xmin_"),
        ("0", "_0"),
        ("é", "_"),
        ("name", "name"),
        ("account:userStats", "account_user_stats"),
        ("account:group.pool", "account_group_pool"),
    ],
)
def test_a_field_has_a_column_that_needs_no_quotes(field: str, column: str) -> None:
    assert column_name(field) == column


def test_every_word_that_the_server_reserves_is_known(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        words = {
            word
            for (word,) in connection.execute(
                "SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')"
            )
        }
        system = {
            name
            for (name,) in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'pg_class'::regclass AND attnum < 0"
            )
        }
    assert words | system <= RESERVED_COLUMNS


def test_long_names_stay_apart() -> None:
    long = "a" * 80
    names = {cut(long), cut(f"{long}b"), cut("a" * 63)}
    assert len(names) == 3 and all(len(name) <= MOST_NAME_BYTES for name in names)
    numbered = free_name(long, {cut(long)})
    assert numbered != cut(long) and len(numbered) <= MOST_NAME_BYTES


def test_a_name_that_is_taken_gets_the_next_number() -> None:
    assert free_name("slot", ()) == "slot"
    assert free_name("slot", {"slot", "slot_2"}) == "slot_3"


@pytest.mark.parametrize(
    ("declared", "suffix"),
    [
        ("numeric(39,0)", "numeric39"),
        ("double precision", "double"),
        ("text[]", "text_array"),
        ("jsonb", "jsonb"),
    ],
)
def test_a_type_has_a_word(declared: str, suffix: str) -> None:
    assert type_suffix(declared) == suffix


def test_snake_case_is_of_plain_letters() -> None:
    assert snake("LPPoolV2-Config") == "lp_pool_v2_config"
