"""docs/schema.graphql is the schema, and whoever builds on it is not broken by a change."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import build_schema as parse_sdl
from graphql.utilities import find_breaking_changes

from heliograph_graphql.edition import Edition
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.executor import CompiledResolvers
from heliograph_graphql.schema import build_schema
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.status import Status
from heliograph_sql.event_sources import EventSources

SDL = Path(__file__).resolve().parents[2] / "docs" / "schema.graphql"


def current() -> str:
    """The schema without the fields that operators' streams add."""

    async def status(_: object) -> Status:
        raise AssertionError("nothing is executed here")

    catalog = load_catalog()
    static = build_schema(catalog, CompiledResolvers(), status)
    return Edition(static._schema, static.as_str(), catalog, EventSources(), ApiSettings()).sdl + "\n"


def test_the_schema_changes_by_additions_only() -> None:
    if SDL.exists():
        broken = find_breaking_changes(parse_sdl(SDL.read_text()), parse_sdl(current()))
        assert [change.description for change in broken] == []


def test_the_documented_schema_is_the_one_that_is_served(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regenerate"):
        test_the_schema_changes_by_additions_only()
        SDL.write_text(current())
    assert SDL.read_text() == current(), "write it anew: pytest tests/graphql/test_sdl.py --regenerate"
