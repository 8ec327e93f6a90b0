"""Binary numerics, read back by PostgreSQL's own rules."""

from __future__ import annotations

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_sql.numeric import MOST_DIGITS_AFTER, MOST_DIGITS_BEFORE, encode_numeric


def decode(data: bytes) -> Decimal:
    """The reverse, from the format's description: sum of group * 10000 ** (weight - position)."""
    length, count, weight, sign, places = struct.unpack(">ihhHH", data[:12])
    assert length == len(data) - 4 == 8 + 2 * count
    groups = struct.unpack(f">{count}H", data[12:])
    assert all(group < 10_000 for group in groups)
    total = sum(group * 10_000 ** (len(groups) - 1 - at) for at, group in enumerate(groups))
    exponent = 4 * (weight - len(groups) + 1)
    digits = str(total)
    if exponent < -places:
        # Groups are four digits wide; what lies beyond the declared places is padding.
        assert digits.endswith("0" * (-places - exponent)) or total == 0
    unscaled = (
        total * 10 ** (exponent + places) if exponent + places >= 0 else total // 10 ** -(exponent + places)
    )
    return Decimal((1 if sign else 0, tuple(map(int, str(unscaled))), -places))


@given(st.integers(-(10**60), 10**60), st.integers(0, 40))
def test_every_decimal_keeps_its_value_and_its_places(unscaled: int, places: int) -> None:
    value = Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -places))
    decoded = decode(encode_numeric(value))
    assert decoded == value
    assert decoded.as_tuple().exponent == -places


@given(st.integers(-(2**256), 2**256))
def test_integers_of_any_size_are_exact(value: int) -> None:
    assert decode(encode_numeric(value)) == value


@pytest.mark.parametrize(
    "text", ["NaN", "sNaN", "Infinity", "-Infinity", f"1E+{MOST_DIGITS_BEFORE}", "1E+999999"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        encode_numeric(Decimal(text))


@pytest.mark.parametrize("text", [f"1E-{MOST_DIGITS_AFTER + 1}", "1E-999999", "1.5E-16383"])
def test_too_many_places_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal places"):
        encode_numeric(Decimal(text))


@pytest.mark.parametrize("value", [1.5, "1", None, True])
def test_only_exact_types_are_taken(value: object) -> None:
    with pytest.raises(TypeError, match="neither Decimal nor int"):
        encode_numeric(value)  # type: ignore[arg-type]
