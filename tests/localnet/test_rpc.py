"""JSON-RPC 2.0 itself."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from heliograph_localnet import rpc
from heliograph_localnet.rpc_error import RpcFault
from heliograph_localnet.view import View


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1,"])
def test_what_is_no_json_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(RpcFault) as caught:
        rpc.parse(body)
    assert orjson.loads(rpc.error_json(caught.value, None)) == {
        "jsonrpc": "2.0",
        "error": {"code": -32700, "message": "Parse error"},
        "id": None,
    }


@pytest.mark.parametrize(
    "value",
    [
        1,
        "getSlot",
        {},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "1.0", "id": 1, "method": "getSlot"},
        {"jsonrpc": "2.0", "id": {}, "method": "getSlot"},
        {"jsonrpc": "2.0", "id": 1, "method": 5},
    ],
)
def test_what_is_no_call_is_an_invalid_request(value: Any) -> None:
    with pytest.raises(RpcFault) as caught:
        rpc.read_request(value)
    assert caught.value.code == -32600


def test_params_are_a_list_or_absent() -> None:
    call = {"jsonrpc": "2.0", "id": "x", "method": "getSlot"}
    assert rpc.read_request(call) == rpc.read_request(call | {"params": None})
    with pytest.raises(RpcFault) as caught:
        rpc.read_request(call | {"params": {"commitment": "confirmed"}})
    assert caught.value.code == -32602


def test_an_unknown_method_is_not_found(view: View) -> None:
    with pytest.raises(RpcFault) as caught:
        rpc.call(view, rpc.Request("getEverything", [], 1, True))
    assert caught.value.json() == {"code": -32601, "message": "Method not found"}


def test_answers_carry_context_and_id(view: View) -> None:
    result = rpc.call(view, rpc.Request("getLatestBlockhash", [], 1, True))
    answer = orjson.loads(rpc.result_json(result, "abc"))
    assert answer["id"] == "abc"
    assert answer["result"]["context"] == {"apiVersion": "4.0.2", "slot": 999}


@pytest.mark.parametrize("method", sorted(rpc.METHODS))
def test_every_method_survives_nonsense(view: View, method: str) -> None:
    view.alpenglow = True
    nonsense: list[list[Any]] = [[], [None], [{}], [[]], [-1], ["x", "y"], [5, {"commitment": 5}], [True] * 3]
    for params in nonsense:
        try:
            orjson.dumps(rpc.call(view, rpc.Request(method, params, 1, True)))
        except RpcFault as fault:
            assert fault.code in (-32602, -32004, -32001, -32016), (method, params, fault)
