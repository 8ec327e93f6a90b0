from __future__ import annotations

from decimal import Decimal

from heliograph_localnet.exchange.facts import (
    Fact,
    FundingRatePaid,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
)
from heliograph_localnet.lifecycles import Lifecycles
from heliograph_localnet.statements import Place, Row

USD = 10**6
SOL = 10**9


def follow(*facts: Fact) -> list[Row]:
    lifecycles = Lifecycles()
    for at, fact in enumerate(facts):
        lifecycles.add(fact, Place("s", 1_000 + at, 10 + at, 0, at, "sig", "program"))
    return lifecycles.rows()


def opened(size: int = SOL) -> Fact:
    return PositionOpened("m", "w", "p", "long", size, 100 * USD, 10 * USD, USD, 9 * USD, 91 * USD, 1, 0)


def grown() -> Fact:
    return PositionUpdated(
        "m",
        "w",
        "p",
        "long",
        "increase",
        SOL,
        2 * SOL,
        110 * USD,
        105 * USD,
        5 * USD,
        14 * USD,
        0,
        USD,
        98 * USD,
        2,
        0,
    )


def funded() -> Fact:
    return FundingRatePaid("m", "w", "p", "long", 2 * SOL, 5, 3_600, -USD, 13 * USD, 99 * USD, 0)


def closed(reason: str = "close") -> Fact:
    return PositionClosed(
        "m",
        "w",
        "p",
        "long",
        "liquidation" if reason == "liquidation" else "close",
        2 * SOL,
        104 * USD,
        -13 * USD,
        -2 * USD,
        USD,
        3,
        0,
    )


def test_a_life_is_the_sum_of_its_changes() -> None:
    (row,) = follow(opened(), grown(), funded(), closed())
    assert (row["changes"], row["status"], row["complete"]) == (4, "closed", True)
    assert (row["fees"], row["funding"], row["realized_pnl"]) == (Decimal(3), Decimal(-1), Decimal(-2))
    assert (row["entry_price"], row["exit_price"]) == (105, 104)
    assert (row["size"], row["max_size"], row["collateral"]) == (0, 2, 0)
    assert row["liquidation_price"] is None
    assert (row["opened_slot"], row["closed_slot"], row["updated_slot"]) == (10, 13, 13)
    assert (row["opened_at"], row["closed_at"]) == (1_000, 1_003)


def test_an_open_life_says_its_latest_state() -> None:
    (row,) = follow(opened(), grown(), funded())
    assert (row["status"], row["size"], row["collateral"]) == ("open", 2, 13)
    assert (row["liquidation_price"], row["exit_price"], row["closed_at"]) == (99, None, None)


def test_a_life_ended_by_liquidation_says_so() -> None:
    (row,) = follow(opened(), closed("liquidation"))
    assert row["status"] == "liquidated"


def test_an_address_lives_again() -> None:
    first, second = follow(opened(), closed(), opened(3 * SOL))
    assert (first["lifecycle"], second["lifecycle"]) == (1, 2)
    assert (second["opened_slot"], second["size"], second["fees"]) == (12, 3, 1)


def test_a_life_whose_opening_nobody_saw_is_incomplete() -> None:
    (row,) = follow(funded())
    assert (row["complete"], row["entry_price"], row["size"]) == (False, None, 2)
