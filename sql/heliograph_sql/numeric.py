"""PostgreSQL's binary numeric from Decimal or int, exact. Values in, bytes out; ValueError for what it cannot hold."""

from __future__ import annotations

import struct
from decimal import Decimal

_BASE = 10_000
_LONG = 4000
"""Digits; Python converts no integer of more than 4300, and slowly of many."""
_HEAD = struct.Struct(">ihhHH")
_POSITIVE, _NEGATIVE = 0x0000, 0x4000
_GROUPS = tuple(struct.Struct(f">{count}H") for count in range(32))
_ZERO = _HEAD.pack(8, 0, 0, _POSITIVE, 0)

MOST_DIGITS_BEFORE = 131_072
MOST_DIGITS_AFTER = 16_383
"""Limits of the type: https://www.postgresql.org/docs/current/datatype-numeric.html"""


def encode_numeric(value: Decimal | int) -> bytes:
    """The value as COPY takes it, its 4-byte length in front. Decimal places are kept: 1.50 stays 1.50.

    ValueError for NaN, infinities and numbers outside the type's limits; TypeError for anything but Decimal and int.
    """
    if value.__class__ is int:
        whole, fraction = str(value), ""
    elif isinstance(value, Decimal):
        # adjusted() comes first: written out, a number of a large exponent would fill the memory.
        if not value.is_finite() or value.adjusted() >= MOST_DIGITS_BEFORE:
            raise ValueError(f"{value} is no number that a numeric column holds exactly")
        if value.adjusted() < -MOST_DIGITS_AFTER and value:
            raise ValueError(f"{value} has more than {MOST_DIGITS_AFTER} decimal places")
        whole, _, fraction = f"{value:f}".partition(".")
    else:
        raise TypeError(f"{value!r} is neither Decimal nor int")
    places = len(fraction)
    if places > MOST_DIGITS_AFTER:
        raise ValueError(f"{value} has more than {MOST_DIGITS_AFTER} decimal places")
    after = (places + 3) // 4
    negative = whole[0] == "-"
    digits = whole[negative:] + fraction.ljust(after * 4, "0")
    groups = _groups(int(digits)) if len(digits) < _LONG else _long_groups(digits)
    if not groups:
        return _ZERO if not places else _HEAD.pack(8, 0, 0, _POSITIVE, places)
    weight = len(groups) - after - 1
    while not groups[-1]:
        groups.pop()
    count = len(groups)
    body = _GROUPS[count].pack(*groups) if count < len(_GROUPS) else struct.pack(f">{count}H", *groups)
    sign = _NEGATIVE if negative else _POSITIVE
    return _HEAD.pack(8 + 2 * count, count, weight, sign, places) + body


def _groups(rest: int) -> list[int]:
    groups: list[int] = []
    push = groups.append
    while rest:
        rest, group = divmod(rest, _BASE)
        push(group)
    groups.reverse()
    return groups


def _long_groups(digits: str) -> list[int]:
    digits = digits.lstrip("0")
    digits = digits.rjust((len(digits) + 3) // 4 * 4, "0")
    return [int(digits[at : at + 4]) for at in range(0, len(digits), 4)]
