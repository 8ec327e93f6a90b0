"""memcmp and dataSize."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from heliograph_localnet import base58
from heliograph_localnet.account_filter import read_filters
from heliograph_localnet.rpc_error import RpcFault

DATA = b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("raw", "passes"),
    [
        ([], True),
        ([{"dataSize": 4}], True),
        ([{"dataSize": 5}], False),
        ([{"memcmp": {"offset": 1, "bytes": base58.encode(b"\x02\x03")}}], True),
        ([{"memcmp": {"offset": 0, "bytes": base58.encode(b"\x02")}}], False),
        ([{"memcmp": {"offset": 3, "bytes": base58.encode(b"\x04\x05")}}], False),
        (
            [{"memcmp": {"offset": 2, "bytes": base64.b64encode(b"\x03").decode(), "encoding": "base64"}}],
            True,
        ),
        ([{"memcmp": {"offset": 2, "bytes": [3, 4]}}], True),
        ([{"dataSize": 4}, {"memcmp": {"offset": 0, "bytes": "3"}}], False),
    ],
)
def test_filters_are_all_asked(raw: list[Any], passes: bool) -> None:
    assert read_filters(raw)(DATA) is passes


@pytest.mark.parametrize(
    "raw",
    [
        [{"dataSize": 1}] * 5,
        [{"dataSize": "1"}],
        [{"unknown": 1}],
        ["tokenAccountState?"],
        [{"memcmp": {"offset": 0}}],
        [{"memcmp": {"offset": 0, "bytes": "0OIl"}}],
        [{"memcmp": {"offset": 0, "bytes": "!", "encoding": "base64"}}],
        [{"memcmp": {"offset": 0, "bytes": base58.encode(bytes(129))}}],
        [{"memcmp": {"offset": 0, "bytes": [256]}}],
    ],
)
def test_what_a_node_refuses_is_refused(raw: list[Any]) -> None:
    with pytest.raises(RpcFault) as caught:
        read_filters(raw)
    assert caught.value.code == -32602
