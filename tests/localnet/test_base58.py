"""Base58 against the package that defines it for Python."""

from __future__ import annotations

import base58 as reference
from hypothesis import given
from hypothesis import strategies as st

from heliograph_localnet import base58


@given(st.binary(max_size=400))
def test_encoding_equals_the_reference(data: bytes) -> None:
    assert base58.encode(data) == reference.b58encode(data).decode()


@given(st.binary(max_size=100))
def test_decoding_is_the_way_back(data: bytes) -> None:
    assert base58.decode(base58.encode(data)) == data
