"""JSON-RPC methods about the cluster and the node itself."""

from __future__ import annotations

from typing import Any

from heliograph_localnet import rpc_params as read
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.rpc_answer import API_VERSION, FEATURE_SET, InContext
from heliograph_localnet.rpc_error import method_not_found, unhealthy
from heliograph_localnet.view import View

SLOTS_PER_EPOCH = 432_000
BLOCKHASH_AGE = 150
"""Blocks for which a transaction's blockhash stays good."""


def get_alpenglow_certificate(view: View, params: list[Any]) -> object:
    if not view.alpenglow:
        raise method_not_found()
    return {"slot": view.chain.first_slot, "blockId": view.chain.genesis_hash}


def get_slot(view: View, params: list[Any]) -> object:
    return read.context_slot(view, read.config(params, 0, read.Context))


def get_block_height(view: View, params: list[Any]) -> object:
    return view.chain.newest_block(read.context_slot(view, read.config(params, 0, read.Context))).height


def get_transaction_count(view: View, params: list[Any]) -> object:
    return view.chain.newest_block(read.context_slot(view, read.config(params, 0, read.Context))).total


def get_epoch_info(view: View, params: list[Any]) -> object:
    slot = read.context_slot(view, read.config(params, 0, read.Context))
    block = view.chain.newest_block(slot)
    return {
        "absoluteSlot": slot,
        "blockHeight": block.height,
        "epoch": slot // SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": block.total,
    }


def get_epoch_schedule(view: View, params: list[Any]) -> object:
    return {
        "firstNormalEpoch": 0,
        "firstNormalSlot": 0,
        "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
        "slotsPerEpoch": SLOTS_PER_EPOCH,
        "warmup": False,
    }


def get_genesis_hash(view: View, params: list[Any]) -> object:
    return view.chain.genesis_hash


def get_health(view: View, params: list[Any]) -> object:
    if not view.healthy:
        raise unhealthy(view.lag_slots or None)
    return "ok"


def get_version(view: View, params: list[Any]) -> object:
    return {"feature-set": FEATURE_SET, "solana-core": API_VERSION}


def get_latest_blockhash(view: View, params: list[Any]) -> object:
    slot = read.context_slot(view, read.config(params, 0, read.Context))
    block = view.chain.newest_block(slot)
    value = {"blockhash": block.blockhash, "lastValidBlockHeight": block.height + BLOCKHASH_AGE}
    return InContext(slot, value)


def is_blockhash_valid(view: View, params: list[Any]) -> object:
    blockhash = read.argument(params, 0, str)
    slot = read.context_slot(view, read.config(params, 1, read.Context))
    return InContext(slot, blockhash_valid(view, blockhash, slot))


def blockhash_valid(view: View, blockhash: str, slot: int) -> bool:
    block = view.chain.block_with_hash(blockhash)
    newest = view.chain.newest_block(slot)
    return block is not None and block.slot <= slot and newest.height - block.height <= BLOCKHASH_AGE


def minimum_ledger_slot(view: View, params: list[Any]) -> object:
    return view.first_available


def get_max_retransmit_slot(view: View, params: list[Any]) -> object:
    return view.slot_at(Commitment.PROCESSED)
