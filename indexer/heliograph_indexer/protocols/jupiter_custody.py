"""What a position pays per hour for what it borrows of one of Jupiter's custodies. Integers, as the program computes.

In: a Custody account's fields. Out: fraction of the position's size, 9 decimals, per hour. Divisions round as the program's
published client code does (docs/decisions/0037); ZeroDivisionError for parameters with which the program fails too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RATE_POWER = 10**9
DEBT_POWER = 10**9
BPS_POWER = 10_000
DBPS_POWER = 100_000
HOURS_A_YEAR = 24 * 365


def borrow_rate(custody: Mapping[str, Any]) -> int:
    """fundingRateState.hourlyFundingDbps times the utilization; where that is 0, the jump-rate curve of the utilization."""
    debt = _up(max(custody["debt"] - custody["borrowLendInterestsAccured"], 0), DEBT_POWER)
    owned = custody["assets"]["owned"] + debt
    locked = custody["assets"]["locked"] + debt
    linear = custody["fundingRateState"]["hourlyFundingDbps"]
    idle = owned == 0 or locked == 0
    if linear:
        return 0 if idle else _up(locked * (linear * RATE_POWER // DBPS_POWER), owned)
    return (
        _yearly_bps(custody["jumpRateState"], 0 if idle else locked * RATE_POWER // owned)
        * RATE_POWER
        // (BPS_POWER)
        // HOURS_A_YEAR
    )


def _yearly_bps(curve: Mapping[str, int], utilization: int) -> int:
    """utilization: fraction, 9 decimals."""
    least, most, kink = curve["minRateBps"], curve["maxRateBps"], curve["targetRateBps"]
    target = curve["targetUtilizationRate"]
    if utilization <= target:
        return least + (_up((kink - least) * utilization, target) if utilization else 0)
    return kink + _up(max(most - kink, 0) * (utilization - target), RATE_POWER - target)


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
