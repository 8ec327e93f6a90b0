"""JSON-RPC methods about blocks and transactions."""

from __future__ import annotations

from typing import Any

from heliograph_localnet import rpc_params as read
from heliograph_localnet.block import Executed
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.rpc_answer import InContext
from heliograph_localnet.rpc_error import (
    cleaned_up,
    context_not_reached,
    cursor_unknown,
    invalid_params,
    no_history,
    not_available,
    skipped,
)
from heliograph_localnet.rpc_transaction import block_json, transaction_json
from heliograph_localnet.view import View

MAX_SIGNATURES = 1_000
MAX_BLOCKS = 500_000
MAX_STATUSES = 256
RECENT_SLOTS = 300
"""How far back getSignatureStatuses looks without searchTransactionHistory."""


def get_signatures_for_address(view: View, params: list[Any]) -> object:
    address = read.pubkey(read.argument(params, 0, str))
    wanted = read.config(params, 1, read.HistoryConfig)
    limit = MAX_SIGNATURES if wanted.limit is None else wanted.limit
    before = None if wanted.before is None else read.signature(wanted.before)
    until = None if wanted.until is None else read.signature(wanted.until)
    if not 1 <= limit <= MAX_SIGNATURES:
        raise invalid_params(f"Invalid limit; max {MAX_SIGNATURES}")
    _need_history(view)
    commitment = read.confirmed_or_final(wanted.commitment)
    newest = view.slot_at(commitment)
    if wanted.min_context_slot is not None and newest < wanted.min_context_slot:
        raise context_not_reached(newest)
    older = None if before is None else view.transaction(before, commitment)
    newer = None if until is None else view.transaction(until, commitment)
    if view.unknown_cursor == "error":
        for text, found in ((before, older), (until, newer)):
            if text is not None and found is None:
                raise cursor_unknown(text)
    elif view.unknown_cursor == "empty" and before is not None and older is None:
        return []
    page = view.chain.history(address, newest, limit, older, newer)
    first = view.first_available
    final = view.slot_at(Commitment.FINALIZED)
    return [_signature_json(view, executed, final) for executed in page if executed.slot >= first]


def _signature_json(view: View, executed: Executed, final: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "blockTime": view.chain.time_of(executed.slot),
        "confirmationStatus": "finalized" if executed.slot <= final else "confirmed",
        "err": executed.err,
        "memo": executed.memo,
        "signature": executed.signature,
        "slot": executed.slot,
    }
    if view.transaction_index:
        answer["transactionIndex"] = executed.index
    return answer


def get_transaction(view: View, params: list[Any]) -> object:
    signature = read.signature(read.argument(params, 0, str))
    wanted = _encoding_or_config(params, read.TransactionConfig)
    commitment = read.confirmed_or_final(wanted.commitment)
    _need_history(view)
    executed = view.transaction(signature, commitment)
    if executed is None:
        return None
    body = transaction_json(executed, wanted.encoding or "json", wanted.max_supported_transaction_version)
    answer = {"slot": executed.slot} | body | {"blockTime": view.chain.time_of(executed.slot)}
    if view.transaction_index:
        answer["transactionIndex"] = executed.index
    return answer


def get_block(view: View, params: list[Any]) -> object:
    slot = read.slot_argument(params, 0)
    wanted = _encoding_or_config(params, read.BlockConfig)
    commitment = read.confirmed_or_final(wanted.commitment)
    _need_history(view)
    if slot <= view.slot_at(Commitment.FINALIZED):
        _need_kept(view, slot)
    block = view.block(slot)
    if block is None or slot > view.slot_at(commitment):
        raise not_available(slot)
    return block_json(
        block,
        wanted.encoding or "json",
        wanted.transaction_details or "full",
        wanted.max_supported_transaction_version,
        rewards=wanted.rewards is not False,
    )


def get_blocks(view: View, params: list[Any]) -> object:
    first = read.slot_argument(params, 0)
    at = 1
    last: int | None = None
    if len(params) > 1 and (params[1] is None or isinstance(params[1], int)):
        last = None if params[1] is None else read.slot_argument(params, 1)
        at = 2
    commitment = read.confirmed_or_final(read.config(params, at, read.Context).commitment)
    newest = view.slot_at(commitment)
    last = min(newest, first + MAX_BLOCKS) if last is None else last
    if last < first:
        return []
    if last - first > MAX_BLOCKS:
        raise invalid_params(f"Slot range too large; max {MAX_BLOCKS}")
    _need_history(view)
    return [block.slot for block in view.blocks(first, min(last, newest))]


def get_blocks_with_limit(view: View, params: list[Any]) -> object:
    first, limit = read.slot_argument(params, 0), read.slot_argument(params, 1)
    commitment = read.confirmed_or_final(read.config(params, 2, read.Context).commitment)
    if limit > MAX_BLOCKS:
        raise invalid_params(f"Limit too large; max {MAX_BLOCKS}")
    _need_history(view)
    return [block.slot for block in view.blocks(first, view.slot_at(commitment), limit)]


def get_block_time(view: View, params: list[Any]) -> object:
    slot = read.slot_argument(params, 0)
    if slot <= view.slot_at(Commitment.FINALIZED):
        _need_kept(view, slot)
    block = view.block(slot)
    if block is None:
        raise not_available(slot)
    return block.time


def get_first_available_block(view: View, params: list[Any]) -> object:
    return view.first_available


def get_signature_statuses(view: View, params: list[Any]) -> object:
    asked = read.argument(params, 0, list[str])
    wanted = read.config(params, 1, read.StatusConfig)
    if len(asked) > MAX_STATUSES:
        raise invalid_params(f"Too many inputs provided; max {MAX_STATUSES}")
    signatures = [read.signature(text) for text in asked]
    if wanted.search_transaction_history:
        _need_history(view)
    newest = view.slot_at(Commitment.PROCESSED)
    final = view.slot_at(Commitment.FINALIZED)
    value: list[dict[str, Any] | None] = []
    for signature in signatures:
        executed = view.transaction(signature, Commitment.PROCESSED)
        if executed is None or (
            executed.slot < final - RECENT_SLOTS and not wanted.search_transaction_history
        ):
            value.append(None)
            continue
        status = view.status(executed.slot)
        confirmations = len(view.blocks(executed.slot + 1, newest))
        value.append(
            {
                "confirmationStatus": status.value,
                "confirmations": None if status is Commitment.FINALIZED else confirmations,
                "err": executed.err,
                "slot": executed.slot,
                "status": {"Ok": None} if executed.err is None else {"Err": executed.err},
            }
        )
    return InContext(newest, value)


def _encoding_or_config(params: list[Any], shape: type[read.T]) -> read.T:
    # A node still takes the encoding alone in place of the configuration.
    if len(params) > 1 and isinstance(params[1], str):
        return read.convert({"encoding": params[1]}, shape)
    return read.config(params, 1, shape)


def _need_history(view: View) -> None:
    if not view.history:
        raise no_history()


def _need_kept(view: View, slot: int) -> None:
    first = view.first_available
    if slot < first:
        raise cleaned_up(slot, first)
    if view.block(slot) is None:
        raise skipped(slot)
