"""Names in GraphQL for what IDLs name: valid, told apart, and never taken from what was there first."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from heliograph_graphql.event_names import SUFFIXES, TypeNames, camel, field_names
from heliograph_sql.typed_names import snake

VALID = re.compile(r"(?!__)[_A-Za-z][_0-9A-Za-z]*")
SNAKES = st.text("abz_19", min_size=1, max_size=8).map(snake)
IDL_NAMES = st.text("abZ_19é $", min_size=1, max_size=8)


def test_names_are_those_that_one_would_write() -> None:
    names = TypeNames((), ())
    assert names.give("drift", "funding_rate_record") == ("DriftFundingRateRecord", "driftFundingRateRecords")
    assert names.give("mango", "perp_take_3_log") == ("MangoPerpTake_3Log", "mangoPerpTake_3Logs")
    assert names.give("gmsol", "fees") == ("GmsolFees", "gmsolFeeses")
    assert field_names([("marketIndex", "market_index"), ("user", "user_")], ["slot"]) == [
        "marketIndex",
        "user",
    ]


def test_a_field_that_is_called_as_ours_or_as_an_operator_is_called_as_its_column() -> None:
    columns = [
        ("slot", "slot_2"),
        ("and", "and_"),
        ("id", "id"),
        ("userId", "user_id"),
        ("user_id", "user_id_2"),
    ]
    assert field_names(columns, ["id", "slot"]) == ["slot_2", "and_", "id_2", "userId", "userId_2"]


def test_a_type_never_is_called_as_what_belongs_to_another() -> None:
    names = TypeNames((), ())
    assert names.give("a", "fill") == ("AFill", "aFills")
    assert names.give("a", "fill_order") == ("AFillOrder_", "aFillOrders")
    other = TypeNames((), ())
    assert other.give("a", "fill_order") == ("AFillOrder_", "aFillOrders")
    assert other.give("a", "fill") == ("AFill", "aFills")


def test_what_is_there_keeps_its_name() -> None:
    names = TypeNames(["PositionChange", "TradeFilter"], ["positionChanges", "trades"])
    assert names.give("position", "change") == ("PositionChange_2", "positionChanges_2")
    assert names.give("trade", "x") == ("TradeX", "tradeXs")
    assert names.give("tra", "de") == ("TraDe", "traDes")
    assert names.give("drift", "spot_fill") == ("DriftSpotFill", "driftSpotFills")
    assert names.give("drift_spot", "fill") == ("DriftSpotFill_2", "driftSpotFills_2")


@given(SNAKES, SNAKES)
def test_different_names_stay_different(one: str, two: str) -> None:
    assert VALID.fullmatch(camel(one))
    # What begins with two underscores gets a letter, which another name may begin with.
    if one != two and not one.startswith("__") and not two.startswith("__"):
        assert camel(one) != camel(two)


@given(st.lists(st.tuples(SNAKES.filter(lambda name: name[0].isalpha()), SNAKES), unique=True, max_size=12))
def test_all_types_of_all_events_are_told_apart(events: list[tuple[str, str]]) -> None:
    names = TypeNames(["Trade"], ["trades"])
    given_ = [names.give(*event) for event in events]
    types = [f"{name}{suffix}" for name, _ in given_ for suffix in ("", *SUFFIXES)]
    roots = [root for _, root in given_]
    assert len(set(types)) == len(types) and len(set(roots)) == len(roots)
    assert all(VALID.fullmatch(name) for name in (*types, *roots))


@given(st.lists(IDL_NAMES, max_size=8))
def test_fields_are_told_apart_and_those_that_come_later_change_none(fields: list[str]) -> None:
    columns = [(field, f"c{number}") for number, field in enumerate(fields)]
    found = field_names(columns, ["id", "slot"])
    assert len({*found, "id", "slot", "and", "or", "not"}) == len(fields) + 5
    assert all(VALID.fullmatch(name) for name in found)
    assert field_names(columns[:-1], ["id", "slot"]) == found[: max(len(fields) - 1, 0)]
