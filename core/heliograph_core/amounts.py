"""Exact decimal arithmetic: one context, one rounding rule, no float."""

from __future__ import annotations

import decimal
from decimal import Decimal

EXACT = decimal.Context(
    prec=80,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-999,
    Emax=999,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""Sums and products here are exact or raise; 80 digits hold any product of two u128."""

QUOTIENT_PLACES = 18


def scaled(integer: int, places: int) -> Decimal:
    """An on-chain integer as a human number: scaled(1_500_000, 6) == Decimal("1.5").

    Trailing zeros are dropped, so equal numbers have equal text. Raises decimal.Inexact above 80 digits.
    """
    return normal(EXACT.scaleb(EXACT.create_decimal(integer), -places))


def normal(value: Decimal) -> Decimal:
    """The same number with no trailing zeros, no exponent and no negative zero: its text is canonical."""
    if not value:
        return Decimal(0)
    value = EXACT.normalize(value)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return EXACT.quantize(value, Decimal(1))
    return value


def quotient(numerator: Decimal | int, denominator: Decimal | int) -> Decimal:
    """numerator / denominator, rounded half-even to 18 places: the one place where anything is rounded.

    Raises decimal.DivisionByZero (or InvalidOperation for 0/0).
    """
    ratio = _ratio(Decimal(numerator), Decimal(denominator))
    return normal(ratio)


def _ratio(numerator: Decimal, denominator: Decimal) -> Decimal:
    # Dividing first and rounding after would round twice; integer arithmetic rounds once.
    n_sign, n_digits, n_exponent = numerator.as_tuple()
    d_sign, d_digits, d_exponent = denominator.as_tuple()
    if not isinstance(n_exponent, int) or not isinstance(d_exponent, int):
        raise decimal.InvalidOperation(f"cannot divide {numerator} by {denominator}")
    top = int("".join(map(str, n_digits)))
    bottom = int("".join(map(str, d_digits)))
    if bottom == 0:
        raise decimal.DivisionByZero(f"cannot divide {numerator} by zero")
    shift = n_exponent - d_exponent + QUOTIENT_PLACES
    if shift >= 0:
        top *= 10**shift
    else:
        bottom *= 10**-shift
    whole, rest = divmod(top, bottom)
    if 2 * rest > bottom or (2 * rest == bottom and whole % 2):
        whole += 1
    if n_sign != d_sign:
        whole = -whole
    return EXACT.scaleb(EXACT.create_decimal(whole), -QUOTIENT_PLACES)
