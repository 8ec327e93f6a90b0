"""JSON-RPC errors as an Agave node words them (its custom_error.rs and jsonrpc-core)."""

from __future__ import annotations

from typing import Any

from heliograph_localnet.executor import Rejected


class RpcFault(Exception):
    """Becomes the `error` of one answer. code: JSON-RPC; data: JSON value, left out where None."""

    def __init__(self, code: int, message: str, data: object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def json(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def parse_error() -> RpcFault:
    return RpcFault(-32700, "Parse error")


def invalid_request() -> RpcFault:
    return RpcFault(-32600, "Invalid request")


def method_not_found() -> RpcFault:
    return RpcFault(-32601, "Method not found")


def invalid_params(message: str) -> RpcFault:
    return RpcFault(-32602, message)


def cleaned_up(slot: int, first: int) -> RpcFault:
    return RpcFault(
        -32001, f"Block {slot} cleaned up, does not exist on node. First available block: {first}"
    )


def preflight_failed(rejected: Rejected) -> RpcFault:
    data = {
        "accounts": None,
        "err": rejected.err,
        "fee": None,
        "innerInstructions": None,
        "loadedAccountsDataSize": 0,
        "loadedAddresses": None,
        "logs": list(rejected.logs),
        "postBalances": None,
        "postTokenBalances": None,
        "preBalances": None,
        "preTokenBalances": None,
        "replacementBlockhash": None,
        "returnData": None,
        "unitsConsumed": 0,
    }
    return RpcFault(-32002, f"Transaction simulation failed: {rejected}", data)


def bad_signature() -> RpcFault:
    return RpcFault(-32003, "Transaction signature verification failure")


def not_available(slot: int) -> RpcFault:
    return RpcFault(-32004, f"Block not available for slot {slot}")


def unhealthy(behind: int | None) -> RpcFault:
    message = "Node is unhealthy" if behind is None else f"Node is behind by {behind} slots"
    return RpcFault(-32005, message, {"numSlotsBehind": behind})


def skipped(slot: int) -> RpcFault:
    return RpcFault(-32007, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")


def no_history() -> RpcFault:
    return RpcFault(-32011, "Transaction history is not available from this node")


def unsupported_version(version: str) -> RpcFault:
    return RpcFault(
        -32015,
        f"Transaction version ({version}) is not supported by the requesting client. Please try the request again"
        f' with the following configuration parameter: "maxSupportedTransactionVersion": {version}',
    )


def context_not_reached(slot: int) -> RpcFault:
    return RpcFault(-32016, "Minimum context slot has not been reached", {"contextSlot": slot})


def cursor_unknown(signature: str) -> RpcFault:
    return RpcFault(-32020, f"Transaction {signature} not found")


def below_confirmed() -> RpcFault:
    return invalid_params("Method does not support commitment below `confirmed`")
