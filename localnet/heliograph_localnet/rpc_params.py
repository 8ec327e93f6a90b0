"""Parameters of JSON-RPC calls, read as strictly as a node reads them. JSON values in, typed values out.

Everything here raises RpcFault -32602 for what a node refuses.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from solders.pubkey import Pubkey
from solders.signature import Signature

from heliograph_localnet.commitment import Commitment
from heliograph_localnet.rpc_error import below_confirmed, context_not_reached, invalid_params
from heliograph_localnet.view import View

T = TypeVar("T")
AccountEncoding = Literal["binary", "base58", "base64", "base64+zstd", "jsonParsed"]
TransactionEncoding = Literal["binary", "base58", "base64", "json", "jsonParsed"]
Details = Literal["full", "accounts", "signatures", "none"]


class DataSlice(msgspec.Struct, frozen=True):
    offset: int
    length: int


class Context(msgspec.Struct, frozen=True, rename="camel"):
    """commitment: a node's default is finalized."""

    commitment: Commitment | None = None
    min_context_slot: int | None = None


class AccountConfig(Context, frozen=True, rename="camel"):
    encoding: AccountEncoding | None = None
    data_slice: DataSlice | None = None


class ProgramConfig(AccountConfig, frozen=True, rename="camel"):
    filters: tuple[Any, ...] | None = None
    with_context: bool | None = None
    sort_results: bool | None = None


class HistoryConfig(Context, frozen=True, rename="camel"):
    before: str | None = None
    until: str | None = None
    limit: int | None = None


class TransactionConfig(msgspec.Struct, frozen=True, rename="camel"):
    encoding: TransactionEncoding | None = None
    commitment: Commitment | None = None
    max_supported_transaction_version: int | None = None


class BlockConfig(TransactionConfig, frozen=True, rename="camel"):
    transaction_details: Details | None = None
    rewards: bool | None = None


class StatusConfig(msgspec.Struct, frozen=True, rename="camel"):
    search_transaction_history: bool = False


class SendConfig(msgspec.Struct, frozen=True, rename="camel"):
    skip_preflight: bool = False
    preflight_commitment: Commitment | None = None
    encoding: Literal["base58", "base64"] | None = None
    max_retries: int | None = None
    min_context_slot: int | None = None


def convert(value: object, shape: type[T]) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as problem:
        raise invalid_params(f"Invalid params: {problem}.") from None


def argument(params: list[Any], at: int, shape: type[T]) -> T:
    """A required argument."""
    if len(params) <= at:
        raise invalid_params(f"`params` should have at least {at + 1} argument(s)")
    return convert(params[at], shape)


def slot_argument(params: list[Any], at: int) -> int:
    slot = argument(params, at, int)
    if not 0 <= slot < 2**64:
        raise invalid_params(f"Invalid params: invalid value: integer `{slot}`, expected u64.")
    return slot


def config(params: list[Any], at: int, shape: type[T]) -> T:
    """An optional configuration object; null counts as absent."""
    value = params[at] if len(params) > at else None
    return convert({} if value is None else value, shape)


def pubkey(text: str) -> str:
    try:
        return str(Pubkey.from_string(text))
    except ValueError as problem:
        raise invalid_params(f"Invalid param: {_reason(problem)}") from None


def signature(text: str) -> str:
    try:
        return str(Signature.from_string(text))
    except ValueError as problem:
        raise invalid_params(f"Invalid param: {_reason(problem)}") from None


def context_slot(view: View, wanted: Context) -> int:
    """The slot that answers; -32016 where the node has not reached what the client asks for."""
    slot = view.slot_at(wanted.commitment or Commitment.FINALIZED)
    if wanted.min_context_slot is not None and slot < wanted.min_context_slot:
        raise context_not_reached(slot)
    return slot


def confirmed_or_final(commitment: Commitment | None) -> Commitment:
    if commitment is Commitment.PROCESSED:
        raise below_confirmed()
    return commitment or Commitment.FINALIZED


def _reason(problem: ValueError) -> str:
    return "WrongSize" if "length" in str(problem) or "size" in str(problem).lower() else "Invalid"
