"""The hourly borrow rate of a custody, worked out by hand for both ways in which the program computes it."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_indexer.protocols.jupiter_custody import borrow_rate

CURVE = {
    "minRateBps": 1_000,
    "maxRateBps": 15_000,
    "targetRateBps": 3_500,
    "targetUtilizationRate": 800_000_000,
}


def custody(owned: int, locked: int, dbps: int = 0, debt: int = 0, paid: int = 0) -> dict[str, Any]:
    return {
        "assets": {"owned": owned, "locked": locked},
        "fundingRateState": {"hourlyFundingDbps": dbps},
        "jumpRateState": CURVE,
        "debt": debt,
        "borrowLendInterestsAccured": paid,
    }


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        (custody(1_000, 250, 12), 30_000),  # 12 / 100,000 * 1 / 4
        (custody(3, 1, 10), 33_334),  # 100,000 / 3, rounded up
        (custody(0, 0, 10), 0),
        (custody(900, 150, 12, debt=100 * 10**9), 30_000),  # lent tokens are owned, and in use
        (custody(900, 150, 12, debt=100 * 10**9 + 5, paid=5), 30_000),
        (custody(10, 0), 1_000 * 10**9 // 10**4 // 8_760),  # nothing lent: the least, 10 % a year
        (custody(10, 4), 2_250 * 10**9 // 10**4 // 8_760),  # half of the target: halfway to 35 % a year
        (custody(10, 8), 3_500 * 10**9 // 10**4 // 8_760),  # at the target
        (custody(10, 9), 9_250 * 10**9 // 10**4 // 8_760),  # halfway from there to 150 % a year
        (custody(10, 10), 15_000 * 10**9 // 10**4 // 8_760),
    ],
)
def test_it_follows_from_how_much_is_lent(given: dict[str, Any], rate: int) -> None:
    assert borrow_rate(given) == rate
