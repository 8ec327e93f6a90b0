"""The entities' descriptions agree with the tables they describe."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_graphql.entities import load_catalog
from heliograph_graphql.entity import Choice, Entity, Kind
from heliograph_sql.queries import load

CATALOG = load_catalog()
TYPES: dict[Kind, set[str]] = {
    Kind.TEXT: {"text"},
    Kind.TEXTS: {"ARRAY"},
    Kind.INT: {"integer", "smallint"},
    Kind.BIGINT: {"bigint"},
    Kind.SLOT: {"bigint"},
    Kind.DECIMAL: {"numeric"},
    Kind.TIME: {"timestamp with time zone"},
    Kind.BOOL: {"boolean"},
    Kind.JSON: {"jsonb"},
}
# What operators see and clients do not.
HIDDEN = {
    "heliograph.streams": {
        "epoch",
        "leader",
        "leader_expires",
        "leader_renewed",
        "idl_count",
        "objects_from_seq",
        "log_events",
        "instructions",
        "retained_from",
    }
}


@pytest.mark.parametrize(
    "entity", [e for e in CATALOG.entities if not e.arguments], ids=lambda entity: entity.name
)
async def test_every_column_is_described_with_its_type_and_nullability(database: Any, entity: Entity) -> None:
    schema, _, table = entity.table.partition(".")
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = $1 AND table_name = $2",
            schema,
            table,
        )
    columns = {row["column_name"]: (row["data_type"], row["is_nullable"] == "YES") for row in rows}
    assert set(entity.by_column) == set(columns) - HIDDEN.get(entity.table, set())
    for name, field in entity.by_column.items():
        kind, nullable = columns[name]
        assert kind in ({"text"} if isinstance(field.type, Choice) else TYPES[field.type]), name
        assert field.nullable == nullable, name


@pytest.mark.parametrize("entity", CATALOG.entities, ids=lambda entity: entity.name)
def test_keys_relations_and_fragments_name_what_exists(entity: Entity) -> None:
    fragments = load("graphql.sql")
    for column in (*entity.key, *entity.identity, *([entity.stream] if entity.stream else [])):
        assert column in entity.by_column
    assert not entity.arguments or entity.table in fragments
    assert set(entity.lookups) <= set(entity.by_key)
    for field in entity.fields:
        assert field.description.endswith("."), field.name
        assert field.fragment in (None, "id") or field.fragment in fragments
        assert set(field.order) <= set(entity.by_column)
    for relation in entity.relations:
        target = CATALOG.by_name[relation.target]
        for there, here in relation.on:
            assert there in target.by_column and here in entity.by_column
        for there, here in relation.either:
            assert there in target.by_column and here in entity.by_column
        for argument, here in relation.given:
            assert argument in {item.name for item in target.arguments} and here in entity.by_column
        assert relation.fragment is None or relation.fragment in fragments
    keys = [field.key for field in entity.fields] + [relation.key for relation in entity.relations]
    assert len(keys) == len(set(keys))


def test_the_root_fields_are_those_of_the_design() -> None:
    assert set(CATALOG.by_root) >= {
        "markets", "positions", "positionChanges", "trades", "fundingRates", "fundingPayments", "liquidations",
        "oraclePrices", "transfers", "balances", "streams", "candles", "pnl",
    }  # fmt: skip
    assert set(CATALOG.by_one) == {"market", "position", "transaction", "wallet"}
