"""What a subscription compiles to: which lists it reads, and which members its messages have."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLError

from heliograph_graphql.edition import Edition
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.executor import CompiledResolvers
from heliograph_graphql.live_plan import WHOLE, ObjectPlan, RowPlan
from heliograph_graphql.schema import build_schema
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.status import Status
from heliograph_graphql.subscription_compiler import LivePlan
from heliograph_sql.event_sources import EventSources


@pytest.fixture(scope="module")
def edition() -> Edition:
    async def status(_: object) -> Status:
        raise AssertionError("nothing is executed here")

    catalog = load_catalog()
    static = build_schema(catalog, CompiledResolvers(), status)
    return Edition(static._schema, static.as_str(), catalog, EventSources(), ApiSettings())


def _plan(edition: Edition, text: str, **given: Any) -> LivePlan:
    operation = edition.documents.operation(text, None)
    return edition.subscriptions.plan(operation, edition.documents.variables(operation, given))


def test_each_list_is_known_by_the_keys_that_lead_to_it(edition: Edition) -> None:
    rows = _plan(edition, "subscription { it: trades { nodes { price } more: nodes { size } cursor } }")
    assert isinstance(rows, RowPlan)
    assert [*rows.lists] == [("nodes",), ("more",)]
    objects = _plan(edition, "subscription { markets { nodes { symbol } } }")
    assert isinstance(objects, ObjectPlan)
    assert [*objects.followed[WHOLE].lists] == [("nodes",)]
    wallet = _plan(
        edition,
        """subscription ($few: Boolean!) { wallet(address: "a") {
            positions { ...Held } open: positions { removed } balances @skip(if: $few) { nodes { free } } } }
        fragment Held on WalletPositions { nodes { size } nodes { side } }""",
        few=False,
    )
    assert isinstance(wallet, ObjectPlan)
    assert {name: [*each.lists] for name, each in wallet.followed.items()} == {
        "positions": [("positions", "nodes")],
        "balances": [("balances", "nodes")],
    }
    assert [*wallet.followed["positions"].lists["positions", "nodes"]] == ["size", "side"]


def test_what_is_skipped_is_not_followed(edition: Edition) -> None:
    text = """subscription ($few: Boolean!) { wallet(address: "a") {
        positions { removed } balances @skip(if: $few) { removed } } }"""
    plan = _plan(edition, text, few=True)
    assert isinstance(plan, ObjectPlan)
    assert [*plan.followed] == ["positions"]


def test_a_name_that_postgresql_would_cut_is_refused(edition: Edition) -> None:
    long = "n" * 64
    with pytest.raises(GraphQLError, match="longer than 63 letters"):
        _plan(
            edition,
            f'subscription {{ wallet(address: "a") {{ positions {{ {long}: nodes {{ size }} }} }} }}',
        )
