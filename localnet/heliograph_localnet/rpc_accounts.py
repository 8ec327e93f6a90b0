"""JSON-RPC methods about accounts, and the form in which every part shows one."""

from __future__ import annotations

import base64
from typing import Any

from solders.pubkey import Pubkey

from heliograph_localnet import base58
from heliograph_localnet import rpc_params as read
from heliograph_localnet.account_filter import read_filters
from heliograph_localnet.draft import AccountData
from heliograph_localnet.rpc_answer import InContext
from heliograph_localnet.rpc_error import RpcFault, invalid_params
from heliograph_localnet.rpc_params import AccountEncoding, DataSlice
from heliograph_localnet.view import View

MAX_ACCOUNTS = 100
MAX_BASE58 = 128
"""Bytes of data that a node is ready to show as base58."""
RENT_EPOCH = 2**64 - 1
"""Every account is exempt from rent."""
_ZSTD_BLOCK = 128 * 1024


def account_json(
    account: AccountData, encoding: AccountEncoding, cut: DataSlice | None = None
) -> dict[str, Any]:
    """A UiAccount. Data too long for base58 becomes the text a node puts there."""
    data = account.data if cut is None else account.data[cut.offset : cut.offset + cut.length]
    shown: object
    if encoding in ("binary", "base58"):
        text = base58.encode(data) if len(data) <= MAX_BASE58 else "error: data too large for bs58 encoding"
        shown = text if encoding == "binary" else [text, encoding]
    elif encoding == "base64+zstd":
        shown = [base64.b64encode(_zstd_frame(data)).decode(), encoding]
    else:
        # jsonParsed too: a node that knows no layout of the owner's answers in base64.
        shown = [base64.b64encode(data).decode(), "base64"]
    return {
        "data": shown,
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": account.owner,
        "rentEpoch": RENT_EPOCH,
        "space": len(account.data),
    }


def get_account_info(view: View, params: list[Any]) -> object:
    address = read.pubkey(read.argument(params, 0, str))
    wanted = read.config(params, 1, read.AccountConfig)
    slot = read.context_slot(view, wanted)
    return InContext(slot, _shown(_at(view, address, slot), wanted, "binary"))


def get_multiple_accounts(view: View, params: list[Any]) -> object:
    asked = read.argument(params, 0, list[str])
    wanted = read.config(params, 1, read.AccountConfig)
    if len(asked) > MAX_ACCOUNTS:
        raise invalid_params(f"Too many inputs provided; max {MAX_ACCOUNTS}")
    addresses = [read.pubkey(text) for text in asked]
    slot = read.context_slot(view, wanted)
    return InContext(slot, [_shown(_at(view, address, slot), wanted, "base64") for address in addresses])


def get_program_accounts(view: View, params: list[Any]) -> object:
    program = read.pubkey(read.argument(params, 0, str))
    wanted = read.config(params, 1, read.ProgramConfig)
    allows = read_filters(wanted.filters or ())
    slot = read.context_slot(view, wanted)
    found = [pair for pair in view.chain.accounts.owned_by(program, slot) if allows(pair[1].data)]
    if wanted.sort_results is not False:
        found.sort(key=lambda pair: bytes(Pubkey.from_string(pair[0])))
    value = [{"pubkey": address, "account": _shown(account, wanted, "binary")} for address, account in found]
    return InContext(slot, value) if wanted.with_context else value


def get_balance(view: View, params: list[Any]) -> object:
    address = read.pubkey(read.argument(params, 0, str))
    slot = read.context_slot(view, read.config(params, 1, read.Context))
    account = _at(view, address, slot)
    return InContext(slot, 0 if account is None else account.lamports)


def get_minimum_balance(view: View, params: list[Any]) -> object:
    size = read.argument(params, 0, int)
    return (128 + size) * 6_960


def _at(view: View, address: str, slot: int) -> AccountData | None:
    version = view.chain.accounts.read(address, slot)
    return None if version is None else version[1]


def _shown(
    account: AccountData | None, wanted: read.AccountConfig, default: AccountEncoding
) -> dict[str, Any] | None:
    if account is None:
        return None
    encoding = wanted.encoding or default
    cut = wanted.data_slice
    size = len(account.data) if cut is None else max(min(cut.length, len(account.data) - cut.offset), 0)
    if encoding in ("binary", "base58") and size > MAX_BASE58:
        message = "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
        raise RpcFault(-32600, message)
    return account_json(account, encoding, cut)


def _zstd_frame(data: bytes) -> bytes:
    # Stored blocks: a valid frame that every zstd reader takes, without a compressor.
    blocks = [data[at : at + _ZSTD_BLOCK] for at in range(0, len(data), _ZSTD_BLOCK)] or [b""]
    frame = bytearray(b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little"))
    for at, block in enumerate(blocks):
        last = at == len(blocks) - 1
        frame += (len(block) << 3 | last).to_bytes(3, "little") + block
    return bytes(frame)
