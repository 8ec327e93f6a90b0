"""JSON text for jsonb."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_core.event import Channel
from heliograph_sql.json_text import encode_json, json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(VALUES)
def test_the_text_is_the_value_with_nul_replaced(value: Any) -> None:
    assert json.loads(encode_json(value)) == replaced(value)


def replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\u2400")
    if isinstance(value, list):
        return [replaced(item) for item in value]
    if isinstance(value, dict):
        return {replaced(key): replaced(item) for key, item in value.items()}
    return value


def test_a_backslash_before_u0000_is_not_nul() -> None:
    assert json.loads(json_text({"a": "\\u0000", "b": "\\\0"})) == {"a": "\\u0000", "b": "\\\u2400"}


def test_integers_above_64_bits_are_exact() -> None:
    assert json_text([2**128, -(2**255)]) == f"[{2**128},{-(2**255)}]"


def test_bytes_are_base64_and_enums_their_value_also_beside_nul() -> None:
    value = {"data": b"\x00\x01", "channel": Channel.DATA, "amount": Decimal("1.50"), "text": "a\0b"}
    assert json_text(value) == '{"data":"AAE=","channel":"data","amount":1.50,"text":"a\u2400b"}'


def test_floats_that_are_no_numbers_are_told_apart_from_nothing() -> None:
    value = {"a": [float("nan"), None, float("inf")], "b": float("-inf"), "c": 1.5, "d": "x\0"}
    assert json_text(value) == '{"a":["nan",null,"inf"],"b":"-inf","c":1.5,"d":"x\u2400"}'


def test_what_json_cannot_say_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        encode_json(object())
