"""Exact arithmetic against Python's Fractions."""

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_core.amounts import EXACT, QUOTIENT_PLACES, normal, quotient, scaled

U128 = st.integers(-(2**128), 2**128)


@given(U128, st.integers(0, 30))
def test_scaling_moves_the_point_and_changes_nothing(integer: int, places: int) -> None:
    assert Fraction(scaled(integer, places)) == Fraction(integer, 10**places)


@given(U128, st.integers(0, 30), st.integers(0, 10))
def test_equal_numbers_have_equal_text(integer: int, places: int, zeros: int) -> None:
    assert str(scaled(integer, places)) == str(scaled(integer * 10**zeros, places + zeros))


@given(U128, st.integers(0, 30), U128.filter(bool), st.integers(0, 30))
def test_a_quotient_is_rounded_once_half_even_to_18_places(
    a: int, a_places: int, b: int, b_places: int
) -> None:
    exact = Fraction(a, 10**a_places) / Fraction(b, 10**b_places)
    # round() of a Fraction rounds half to even.
    assert Fraction(quotient(scaled(a, a_places), scaled(b, b_places))) == Fraction(
        round(exact * 10**QUOTIENT_PLACES), 10**QUOTIENT_PLACES
    )


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (1, 3, "0.333333333333333333"),
        (-2, 3, "-0.666666666666666667"),
        (1, 2 * 10**18, "0"),
        (3, 2 * 10**18, "0.000000000000000002"),
    ],
)
def test_quotients_by_hand(numerator: int, denominator: int, expected: str) -> None:
    assert f"{quotient(numerator, denominator):f}" == expected


def test_dividing_by_zero_raises() -> None:
    with pytest.raises(decimal.DivisionByZero):
        quotient(1, 0)


def test_a_result_that_does_not_fit_80_digits_raises_instead_of_rounding() -> None:
    with pytest.raises(decimal.Inexact):
        EXACT.multiply(Decimal(10**50 + 1), Decimal(10**50 + 1))


def test_zero_has_no_sign_and_no_exponent() -> None:
    assert str(normal(Decimal("-0.00"))) == "0"
    assert str(normal(Decimal("1E+3"))) == "1000"
