"""The schema that the real IDLs make: valid, printable, and telling what is called how."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, execute, parse, validate_schema
from graphql import build_schema as parse_sdl
from tests.graphql.event_program import layout
from tests.peers.shared_idls import FOLDER

from heliograph_graphql.edition import Edition
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.event_names import SUFFIXES
from heliograph_graphql.executor import CompiledResolvers
from heliograph_graphql.schema import build_schema
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.status import Status
from heliograph_indexer.event_layouts import event_layouts
from heliograph_indexer.idl.encoder import Encoder
from heliograph_sql.event_sources import EventColumn, EventSource, EventSources
from heliograph_sql.event_tables import EventLayout, event_tables

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.stem for path in FOLDER.glob("*.json"))
needs_idls = pytest.mark.skipif(not FILES, reason="the real IDLs of ../shared are absent")


def sources(stream: str, layouts: list[EventLayout]) -> list[EventSource]:
    """As they are written down when their tables are made."""
    return [
        EventSource(
            stream,
            table.layout.program,
            table.layout.event,
            table.plan.name,
            table.layout.docs,
            tuple(EventColumn(each.name, each.field, each.type, each.docs) for each in table.columns),
        )
        for table in event_tables(stream, layouts).events.values()
    ]


async def _status(_: object) -> Status:
    raise AssertionError("nothing is executed here")


@cache
def static() -> tuple[GraphQLSchema, str]:
    schema = build_schema(load_catalog(), CompiledResolvers(), _status)
    return schema._schema, schema.as_str()


def edition(*found: EventSource) -> Edition:
    return Edition(*static(), load_catalog(), EventSources(str(len(found)), found), ApiSettings())


def listed(of: Edition) -> list[dict[str, Any]]:
    text = "{ eventTypes { stream program event table type root fields { name field column type } } }"
    result: Any = execute(of.core, parse(text))
    assert result.errors is None
    rows: list[dict[str, Any]] = result.data["eventTypes"]
    return rows


@needs_idls
def test_all_real_idls_at_once_make_a_valid_schema_with_every_event_and_field() -> None:
    found = []
    for file in FILES:
        idl = Encoder((FOLDER / f"{file}.json").read_bytes()).idl
        stream = file.lower().replace(".", "_").replace("-", "_")
        found += sources(stream, event_layouts("Prog", idl))
    made = edition(*found)
    # It is taken for valid where it serves.
    parts: Any = made.core.to_kwargs()
    assert validate_schema(GraphQLSchema(**{**parts, "assume_valid": False})) == []
    rows = listed(made)
    assert len(rows) == len(found) > 300
    columns = 0
    for row in rows:
        kinds: Any = made.core.type_map
        for suffix in ("", *SUFFIXES):
            figures = suffix in ("Numbers", "NumbersOrder", "Known")
            assert figures or (row["type"] + suffix in kinds) is (suffix != "Order")
        assert row["root"] in kinds["Query"].fields and row["root"] in kinds["Subscription"].fields
        for field in row["fields"]:
            assert field["name"] in kinds[row["type"]].fields
            columns += 1
    assert columns == sum(len(each.columns) for each in found)
    names = {field for row in rows for field in (each["name"] for each in row["fields"])}
    assert {"slot_2", "marketIndex"} <= names
    # Whoever generates code reads it as text.
    read = parse_sdl(made.sdl)
    assert set(read.type_map) == set(made.core.type_map)
    drift = read.type_map["DriftV2FundingRateRecord"].fields  # type: ignore[attr-defined]
    assert str(drift["fundingRate"].type) == "BigInt"
    assert str(drift["cumulativeFundingRateLong"].type) == "Decimal"


@needs_idls
def test_what_the_pages_show_can_be_asked() -> None:
    drift = Encoder((FOLDER / "drift_v2.json").read_bytes()).idl
    godark = [
        each
        for name in ("godark_positions", "godark_vault")
        for each in event_layouts(
            name, Encoder((files("heliograph_indexer") / "idls" / f"{name}.json").read_bytes()).idl
        )
    ]
    made = edition(*sources("drift", event_layouts("Drift", drift)), *sources("godark", godark))
    asked = 0
    for page in (ROOT / "docs" / "events.md", ROOT / "README.md", ROOT / "docs" / "live.md"):
        for text in re.findall(r"```graphql\n(.*?)```", page.read_text(), re.DOTALL):
            made.documents.operation(text, None)
            asked += 1
    assert asked >= 8


def test_names_that_clash_are_told_apart_and_listed() -> None:
    found = sources(
        "a",
        [
            layout("Fill", ("id", "text"), ("blockTime", "bigint"), ("and", "text"), ("padding", "text"), ("padding", "text")),
            layout("FillOrder", ("__x", "text"), ("1st", "text"), ("日", "text"), ("class", "text"), ("from", "text")),
        ],
    )  # fmt: skip
    fill, order = listed(edition(*found))
    assert (fill["type"], fill["root"]) == ("AFill", "aFills")
    assert (order["type"], order["root"]) == ("AFillOrder_", "aFillOrders")
    assert [(each["field"], each["name"]) for each in fill["fields"]] == [
        ("id", "id_2"), ("blockTime", "blockTime_2"), ("and", "and_"), ("padding", "padding"), ("padding#2", "padding_2"),
    ]  # fmt: skip
    assert [(each["field"], each["name"]) for each in order["fields"]] == [
        ("__x", "x__x"), ("1st", "_1st"), ("日", "_"), ("class", "class"), ("from", "from"),
    ]  # fmt: skip


def test_the_revision_is_of_what_there_is() -> None:
    some = sources("a", [layout("Fill", ("x", "text"))])
    assert edition().revision == edition().revision != edition(*some).revision
