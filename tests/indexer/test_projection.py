"""Projection of slots: in chain order, and one event's trouble stays its own."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from heliograph_core.account import AccountState
from heliograph_core.event import Event
from heliograph_core.records import OraclePrice, Record, State
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.projection import project_accounts, project_slots
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.protocols.godark import GoDark

LAYOUTS = Layouts.of(PROTOCOLS["godark"])


class Stumbling(GoDark):
    """Fails on prices of whole tens."""

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        if event.fields["price"] % 10_000_000 == 0:
            raise KeyError("price")
        return super().project(stream, event)

    def project_account(self, stream: str, state: AccountState) -> Iterable[State]:
        raise ValueError(state.address)


def test_records_come_in_chain_order(oracle_chain: Any) -> None:
    slots = [decode_slot(slot, LAYOUTS) for slot in oracle_chain.span(5, 8).slots]
    projected = project_slots("godark", slots, PROTOCOLS["godark"])
    assert [record.slot for record in projected.records] == [5, 6, 7, 8]
    first = projected.records[0]
    assert isinstance(first, OraclePrice) and first.price == Decimal(5) and first.stream == "godark"
    assert projected.undecoded == [] and projected.incidents == []


def test_an_event_that_cannot_be_projected_is_kept_and_told_once(oracle_chain: Any) -> None:
    slots = [decode_slot(slot, LAYOUTS) for slot in oracle_chain.span(5, 25).slots]
    projected = project_slots("godark", slots, Stumbling())
    assert len(projected.records) == 19
    assert [lost.key.slot for lost in projected.undecoded] == [10, 20]
    assert projected.undecoded[0].data == oracle_chain.event(10_000_000)
    assert "OraclePriceUpdated cannot be projected: KeyError" in projected.undecoded[0].reason
    (incident,) = projected.incidents
    assert (incident.kind, incident.slot, incident.detail["count"]) == ("not_projected", 10, 2)


def test_a_flood_of_bytes_that_fit_no_layout_makes_one_incident(oracle_chain: Any) -> None:
    slot = oracle_chain.slot(5, *[b"unknown!" + bytes([n]) for n in range(50)], oracle_chain.event(1))
    projected = project_slots("godark", [decode_slot(slot, LAYOUTS)], PROTOCOLS["godark"])
    assert len(projected.undecoded) == 50 and len(projected.records) == 1
    assert [(one.kind, one.detail["count"]) for one in projected.incidents] == [("undecoded", 50)]


def test_an_account_that_cannot_be_projected_stops_nothing() -> None:
    states = [AccountState(name, "p", 5, 1, b"", name, {}) for name in ("a", "b")]
    nothing = project_accounts("godark", [], Stumbling())
    assert (nothing.states, nothing.incidents) == ([], [])
    made = project_accounts("godark", states, Stumbling())
    assert made.states == [] and {one.kind for one in made.incidents} == {"account_not_projected"}
    assert not made.understood


def test_an_account_that_no_layout_reads_is_told_of_and_says_nothing_of_what_it_holds() -> None:
    unread = [AccountState(name, "p", 5, 1, b"newlayou", None, None, "no account fits") for name in "ab"]
    closed = AccountState("c", "p", 5, 0, b"", None, None)
    made = project_accounts("godark", [*unread, closed], PROTOCOLS["godark"])
    assert made.understood == {"c"}
    (incident,) = made.incidents
    assert (incident.kind, incident.detail["count"]) == ("account_undecoded", 2)
