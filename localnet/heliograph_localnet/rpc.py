"""JSON-RPC 2.0 over a view of the chain: requests in, answers out. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from heliograph_localnet import rpc_accounts, rpc_cluster, rpc_history, rpc_send
from heliograph_localnet.rpc_answer import InContext
from heliograph_localnet.rpc_error import (
    RpcFault,
    invalid_params,
    invalid_request,
    method_not_found,
    parse_error,
)
from heliograph_localnet.view import View

Method = Callable[[View, list[Any]], object]

METHODS: dict[str, Method] = {
    "getAccountInfo": rpc_accounts.get_account_info,
    "getAgGenesisCert": rpc_cluster.get_alpenglow_certificate,
    "getBalance": rpc_accounts.get_balance,
    "getBlock": rpc_history.get_block,
    "getBlockHeight": rpc_cluster.get_block_height,
    "getBlockTime": rpc_history.get_block_time,
    "getBlocks": rpc_history.get_blocks,
    "getBlocksWithLimit": rpc_history.get_blocks_with_limit,
    "getEpochInfo": rpc_cluster.get_epoch_info,
    "getEpochSchedule": rpc_cluster.get_epoch_schedule,
    "getFirstAvailableBlock": rpc_history.get_first_available_block,
    "getGenesisHash": rpc_cluster.get_genesis_hash,
    "getHealth": rpc_cluster.get_health,
    "getLatestBlockhash": rpc_cluster.get_latest_blockhash,
    "getMaxRetransmitSlot": rpc_cluster.get_max_retransmit_slot,
    "getMinimumBalanceForRentExemption": rpc_accounts.get_minimum_balance,
    "getMultipleAccounts": rpc_accounts.get_multiple_accounts,
    "getProgramAccounts": rpc_accounts.get_program_accounts,
    "getSignatureStatuses": rpc_history.get_signature_statuses,
    "getSignaturesForAddress": rpc_history.get_signatures_for_address,
    "getSlot": rpc_cluster.get_slot,
    "getTransaction": rpc_history.get_transaction,
    "getTransactionCount": rpc_cluster.get_transaction_count,
    "getVersion": rpc_cluster.get_version,
    "isBlockhashValid": rpc_cluster.is_blockhash_valid,
    "minimumLedgerSlot": rpc_cluster.minimum_ledger_slot,
    "requestAirdrop": rpc_send.request_airdrop,
    "sendTransaction": rpc_send.send_transaction,
}


class Request(msgspec.Struct, frozen=True):
    """One call. reply: False for a JSON-RPC notification, which is executed and not answered."""

    method: str
    params: list[Any]
    id: str | int | float | None
    reply: bool


def parse(body: bytes) -> object:
    """The JSON value of a request body. Raises RpcFault -32700."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise parse_error() from None


def read_request(value: object) -> Request:
    """Raises RpcFault -32600 for what is no call and -32602 for params that are no list."""
    if not isinstance(value, dict) or not isinstance(value.get("method"), str):
        raise invalid_request()
    name = value.get("id")
    if value.get("jsonrpc") != "2.0" or not (name is None or isinstance(name, str | int | float)):
        raise invalid_request()
    params = value.get("params")
    if params is not None and not isinstance(params, list):
        raise invalid_params("Invalid params: expected a sequence.")
    return Request(value["method"], params or [], name, "id" in value)


def call(view: View, request: Request) -> object:
    """The `result`. Raises RpcFault."""
    method = METHODS.get(request.method)
    if method is None:
        raise method_not_found()
    result = method(view, request.params)
    return result.json() if isinstance(result, InContext) else result


def result_json(result: object, name: object) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "result": result, "id": name})


def error_json(fault: RpcFault, name: object) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "error": fault.json(), "id": name})
