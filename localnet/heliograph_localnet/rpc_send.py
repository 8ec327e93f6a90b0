"""JSON-RPC methods that land transactions."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from solders.transaction import VersionedTransaction

from heliograph_localnet import base58
from heliograph_localnet import rpc_params as read
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import SYSTEM_PROGRAM, AccountData, Draft, DraftInstruction
from heliograph_localnet.executor import Rejected, unknown_program
from heliograph_localnet.rpc_cluster import blockhash_valid
from heliograph_localnet.rpc_error import bad_signature, invalid_params, preflight_failed
from heliograph_localnet.view import View
from heliograph_localnet.wire import derive

MAX_WIRE = 4_096
"""Bytes of a transaction of version 1; older versions end at 1,232."""
_KIND = "solana_transaction::versioned::VersionedTransaction"


def send_transaction(view: View, params: list[Any]) -> object:
    """Executed once, by the chain's executor, which preflight and landing share.

    What preflight refuses never lands; with skipPreflight a failing transaction lands as failed, and one that
    no leader would take (bad signature, old blockhash, unknown program) vanishes silently, as on a cluster.
    """
    text = read.argument(params, 0, str)
    wanted = read.config(params, 1, read.SendConfig)
    wire = _decode(text, wanted.encoding or "base58")
    try:
        transaction = VersionedTransaction.from_bytes(wire)
    except ValueError as problem:
        raise invalid_params(f"failed to deserialize {_KIND}: {problem}") from None
    signature = str(transaction.signatures[0])
    if not all(transaction.verify_with_results()):
        if wanted.skip_preflight:
            return signature
        raise bad_signature()
    try:
        draft = _execute(view, transaction, signature)
        if draft.err is not None and not wanted.skip_preflight:
            raise Rejected(error_text(draft.err), err=draft.err, logs=draft.logs)
    except Rejected as rejected:
        if wanted.skip_preflight:
            return signature
        raise preflight_failed(rejected) from None
    return view.chain.submit(msgspec.structs.replace(draft, wire=wire))


def request_airdrop(view: View, params: list[Any]) -> object:
    """As on a test validator: lamports from a faucet, by a transfer of the system program."""
    address = read.pubkey(read.argument(params, 0, str))
    lamports = read.argument(params, 1, int)
    faucet = base58.encode(derive("faucet", view.chain.seed)[:32])
    held = view.chain.accounts.latest(address) or AccountData(SYSTEM_PROGRAM, 0)
    data = (2).to_bytes(4, "little") + lamports.to_bytes(8, "little")
    return view.chain.submit(
        Draft(
            fee_payer=faucet,
            instructions=(DraftInstruction(SYSTEM_PROGRAM, (faucet, address), data),),
            logs=(f"Program {SYSTEM_PROGRAM} invoke [1]", f"Program {SYSTEM_PROGRAM} success"),
            compute_units=150,
            writes={address: msgspec.structs.replace(held, lamports=held.lamports + lamports)},
        )
    )


def error_text(err: object) -> str:
    """The Display form of a TransactionError."""
    match err:
        case {"InstructionError": [at, {"Custom": int(code)}]}:
            return f"Error processing Instruction {at}: custom program error: {code:#x}"
        case {"InstructionError": [at, kind]}:
            return f"Error processing Instruction {at}: {kind}"
    return str(err)


def _execute(view: View, transaction: VersionedTransaction, signature: str) -> Draft:
    pending = {executed.signature for executed in view.chain.pending()}
    if signature in pending or view.chain.transaction(signature) is not None:
        raise Rejected("This transaction has already been processed", err="AlreadyProcessed")
    blockhash = str(transaction.message.recent_blockhash)
    if not blockhash_valid(view, blockhash, view.slot_at(Commitment.PROCESSED)):
        raise Rejected("Blockhash not found", err="BlockhashNotFound")
    if view.chain.executor is None:
        raise unknown_program()
    return view.chain.executor(transaction)


def _decode(text: str, encoding: str) -> bytes:
    if len(text) > 2 * MAX_WIRE:
        raise invalid_params(f"{encoding} encoded {_KIND} too large: {len(text)} bytes (max: raw {MAX_WIRE})")
    try:
        wire = base58.decode(text) if encoding == "base58" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as problem:
        raise invalid_params(f"invalid {encoding} encoding: {problem}") from None
    if len(wire) > MAX_WIRE:
        raise invalid_params(f"decoded {_KIND} too large: {len(wire)} bytes (max: {MAX_WIRE} bytes)")
    return wire
