"""Scales and formulas of the exchange. Integers in, integers out; every rounding is in the exchange's favour.

Prices and quote amounts have 6 decimals, base amounts 9, rates 9 (fraction per hour), ratios 6.
"""

from __future__ import annotations

from typing import Literal

Side = Literal["long", "short"]

RATIO = 1_000_000
BASE = 1_000_000_000
RATE = 1_000_000_000
HOUR_S = 3_600


def other(side: Side) -> Side:
    return "short" if side == "long" else "long"


def ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def quote_of(price: int, size: int) -> int:
    """What `size` costs at `price`, rounded down as the program does."""
    return price * size // BASE


def fee_of(quote: int, rate: int) -> int:
    """rate: fraction of quote, 6 decimals. A fee is rounded up, a rebate (negative) towards zero."""
    return ceil_div(quote * rate, RATIO)


def margin_of(quote: int, ratio: int) -> int:
    return ceil_div(quote * ratio, RATIO)


def unrealized(side: Side, size: int, cost: int, price: int) -> int:
    """Profit or loss of a whole position of entry cost `cost` at `price`; quote."""
    worth = quote_of(price, size)
    return worth - cost if side == "long" else cost - worth


def liquidation_price(side: Side, size: int, cost: int, collateral: int, maintenance: int) -> int:
    """The price at which equity equals the maintenance margin; 0 where no positive price does.

    maintenance: ratio, 6 decimals.
    """
    if side == "long":
        numerator, divisor = (cost - collateral) * BASE * RATIO, size * (RATIO - maintenance)
    else:
        numerator, divisor = (cost + collateral) * BASE * RATIO, size * (RATIO + maintenance)
    return max(0, numerator // divisor)


def funding_payment(side: Side, notional: int, rate: int, seconds: int) -> int:
    """What the holder receives (negative: pays) for `seconds`; longs pay when rate is positive.

    rate: fraction per hour, 9 decimals. Payers pay rounded up, receivers receive rounded down.
    """
    owed = notional * rate * seconds
    whole = RATE * HOUR_S
    return -ceil_div(owed, whole) if side == "long" else owed // whole
