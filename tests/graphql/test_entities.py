"""The entities' descriptions agree with the tables they describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heliograph_graphql import entities
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.entity import Choice, Entity, Kind
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
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


INCIDENT = """
from heliograph_graphql.entities.chain import ID, STREAM
from heliograph_graphql.entity import Entity, Field, Kind

ENTITY = Entity(
    name="Incident",
    root="incidents",
    table="heliograph.incidents",
    description="What went wrong.",
    key=("at", "id"),
    identity=("id",),
    newest_first=True,
    fields=(
        ID,
        STREAM,
        Field("id", Kind.BIGINT, "Its number.", graphql_name="number"),
        Field("kind", Kind.TEXT, "What it was."),
        Field("slot", Kind.SLOT, "Where.", nullable=True),
        Field("detail", Kind.JSON, "The details."),
        Field("at", Kind.TIME, "When."),
    ),
)
"""


async def test_an_entity_is_a_file(ledger: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its page, filter, order, aggregates and global id follow from it."""
    (tmp_path / "incident_of_a_test.py").write_text(INCIDENT)
    monkeypatch.setattr(entities, "__path__", [*entities.__path__, str(tmp_path)])
    async with ledger.database.acquire() as connection:
        for slot, kind in ((5, "fork"), (6, "fork"), (7, "gap")):
            await connection.execute(
                "INSERT INTO heliograph.incidents (stream, kind, slot, detail) VALUES ($1, $2, $3, '{}')",
                ledger.stream,
                kind,
                slot,
            )
    executor = Executor(ledger.database, ApiSettings())
    text = """{ incidents(where: {kind: {eq: "fork"}}, orderBy: [{slot: ASC}], first: 1) {
        nodes { id kind slot detail } totalCount pageInfo { hasNextPage }
        aggregates(by: [KIND], bucket: ONE_DAY) { groups { key { kind } count max { slot } } }
    } }"""
    page = json.loads((await executor.execute(Request(text))).body)["data"]["incidents"]
    (row,) = page["nodes"]
    assert (row["kind"], row["slot"], row["detail"]) == ("fork", "5", {})
    assert (page["totalCount"], page["pageInfo"]) == (2, {"hasNextPage": True})
    assert page["aggregates"]["groups"] == [{"key": {"kind": "fork"}, "count": "2", "max": {"slot": "6"}}]
    text = "query ($id: ID!) { node(id: $id) { ... on Incident { slot } } }"
    answer = await executor.execute(Request(text, None, {"id": row["id"]}))
    assert json.loads(answer.body)["data"]["node"] == {"slot": "5"}
