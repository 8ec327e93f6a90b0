from __future__ import annotations

import pytest

from heliograph_indexer.idl.discriminators import (
    Matcher,
    account_discriminator,
    event_discriminator,
    instruction_discriminator,
    pascal_case,
    snake_case,
)


def test_hashes_are_those_of_programs_on_chain() -> None:
    # Drift's OrderActionRecord and Pyth's price account, as mainnet shows them.
    assert event_discriminator("OrderActionRecord").hex() == "e0344347c2ed6d01"
    assert account_discriminator("priceUpdateV2") == account_discriminator("PriceUpdateV2")
    assert account_discriminator("PriceUpdateV2").hex() == "22f123639d7ef4cd"
    assert instruction_discriminator("initialize").hex() == "afaf6d1f0d989bed"


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("placePerpOrder", "place_perp_order"),
        ("place_perp_order", "place_perp_order"),
        ("perpPlaceOrderV2", "perp_place_order_v2"),
        ("depositSOL", "deposit_sol"),
        ("updateIDLAuthority", "update_idl_authority"),
        ("x", "x"),
    ],
)
def test_instruction_names_are_hashed_in_snake_case(name: str, snake: str) -> None:
    assert snake_case(name) == snake
    assert instruction_discriminator(name) == instruction_discriminator(snake)


def test_type_names_are_hashed_as_rust_writes_them() -> None:
    assert pascal_case("priceUpdateV2") == "PriceUpdateV2"
    assert pascal_case("price_update") == "PriceUpdate"
    assert pascal_case("Odd_Name") == "Odd_Name"
    assert pascal_case("") == ""


def test_the_longest_prefix_is_found() -> None:
    matcher = Matcher([(b"a", "a"), (b"abc", "abc"), (b"b", "b")])
    assert [matcher.find(data) for data in (b"abcd", b"abd", b"a", b"b", b"", b"c")] == [
        *("abc", "a", "a", "b", None, None)
    ]
    assert sorted(matcher.entries) == ["a", "abc", "b"]
    assert Matcher[str]([]).find(b"a") is None
