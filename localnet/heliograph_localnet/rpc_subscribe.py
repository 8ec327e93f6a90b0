"""The subscribe and unsubscribe methods of the WebSocket: JSON-RPC params in, subscriptions out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from heliograph_localnet import rpc_params as read
from heliograph_localnet.account_filter import read_filters
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.rpc_error import RpcFault, invalid_params
from heliograph_localnet.subscriptions import (
    Account,
    Blocks,
    Logs,
    Program,
    Roots,
    SignatureOf,
    Slots,
    SlotsUpdates,
    Subject,
)


class _CommitmentOnly(msgspec.Struct, frozen=True):
    commitment: Commitment | None = None


class _SignatureConfig(_CommitmentOnly, frozen=True, rename="camel"):
    enable_received_notification: bool | None = None


def _logs(params: list[Any]) -> Subject:
    wanted = read.argument(params, 0, object)
    commitment = read.config(params, 1, _CommitmentOnly).commitment or Commitment.FINALIZED
    if wanted == "all":
        return Logs(None, False, commitment)
    if wanted == "allWithVotes":
        return Logs(None, True, commitment)
    keys = wanted.get("mentions") if isinstance(wanted, dict) else None
    if not isinstance(keys, list):
        raise invalid_params(
            "Invalid params: unknown variant, expected one of `all`, `allWithVotes`, `mentions`."
        )
    if len(keys) != 1:
        raise invalid_params("Invalid Request: Only 1 address supported")
    return Logs(_address(keys[0], "mentions"), True, commitment)


def _program(params: list[Any]) -> Subject:
    address = _address(read.argument(params, 0, str), "pubkey")
    wanted = read.config(params, 1, read.ProgramConfig)
    filters = wanted.filters or ()
    return Program(
        address,
        wanted.encoding or "binary",
        msgspec.json.encode(filters),
        wanted.commitment or Commitment.FINALIZED,
        read_filters(filters),
    )


def _account(params: list[Any]) -> Subject:
    address = _address(read.argument(params, 0, str), "pubkey")
    wanted = read.config(params, 1, read.AccountConfig)
    return Account(address, wanted.encoding or "binary", wanted.commitment or Commitment.FINALIZED)


def _signature(params: list[Any]) -> Subject:
    text = read.argument(params, 0, str)
    wanted = read.config(params, 1, _SignatureConfig)
    try:
        signature = read.signature(text)
    except RpcFault:
        raise invalid_params("Invalid Request: Invalid signature provided") from None
    commitment = wanted.commitment or Commitment.FINALIZED
    return SignatureOf(signature, wanted.enable_received_notification is True, commitment)


def _block(params: list[Any]) -> Subject:
    wanted = read.argument(params, 0, object)
    config = read.config(params, 1, read.BlockConfig)
    address = None
    if wanted != "all":
        key = wanted.get("mentionsAccountOrProgram") if isinstance(wanted, dict) else None
        address = _address(key, "mentions_account_or_program")
    return Blocks(
        address,
        config.encoding or "base64",
        config.transaction_details or "full",
        config.rewards is True,
        config.max_supported_transaction_version,
        read.confirmed_or_final(config.commitment),
    )


def _address(text: object, thing: str) -> str:
    if isinstance(text, str):
        try:
            return read.pubkey(text)
        except RpcFault:
            pass
    raise invalid_params(f"Invalid Request: Invalid {thing} provided")


SUBSCRIBE: dict[str, Callable[[list[Any]], Subject]] = {
    "accountSubscribe": _account,
    "blockSubscribe": _block,
    "logsSubscribe": _logs,
    "programSubscribe": _program,
    "rootSubscribe": lambda params: Roots(),
    "signatureSubscribe": _signature,
    "slotSubscribe": lambda params: Slots(),
    "slotsUpdatesSubscribe": lambda params: SlotsUpdates(),
}
UNSUBSCRIBE = frozenset(name.replace("Subscribe", "Unsubscribe") for name in SUBSCRIBE)
