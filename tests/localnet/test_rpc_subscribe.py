"""Params of the subscribe methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heliograph_localnet.commitment import Commitment
from heliograph_localnet.rpc_error import RpcFault
from heliograph_localnet.rpc_subscribe import SUBSCRIBE
from heliograph_localnet.subscriptions import Logs

SYSTEM = "11111111111111111111111111111111"


def test_the_default_commitment_is_finalized() -> None:
    assert SUBSCRIBE["logsSubscribe"](["all"]) == Logs(None, False, Commitment.FINALIZED)
    assert SUBSCRIBE["logsSubscribe"](["all", None]) == Logs(None, False, Commitment.FINALIZED)


@pytest.mark.parametrize("keys", [[], [SYSTEM, SYSTEM]])
def test_exactly_one_mention_is_supported(keys: list[str]) -> None:
    with pytest.raises(RpcFault) as caught:
        SUBSCRIBE["logsSubscribe"]([{"mentions": keys}])
    assert caught.value.json() == {"code": -32602, "message": "Invalid Request: Only 1 address supported"}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("logsSubscribe", []),
        ("logsSubscribe", ["some"]),
        ("logsSubscribe", [{"mentions": SYSTEM}]),
        ("logsSubscribe", [{"mentions": ["x"]}]),
        ("logsSubscribe", ["all", {"commitment": "maybe"}]),
        ("programSubscribe", ["x"]),
        ("programSubscribe", [SYSTEM, {"filters": [{"dataSize": 1}] * 5}]),
        ("accountSubscribe", [5]),
        ("signatureSubscribe", ["x"]),
        ("blockSubscribe", [{"mentionsAccountOrProgram": "x"}]),
        ("blockSubscribe", ["all", {"commitment": "processed"}]),
    ],
)
def test_invalid_params_are_refused(method: str, params: list[Any], address: Callable[[str], str]) -> None:
    with pytest.raises(RpcFault) as caught:
        SUBSCRIBE[method](params)
    assert caught.value.code == -32602
