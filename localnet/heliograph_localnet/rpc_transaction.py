"""Transactions and blocks as getTransaction, getBlock and blockSubscribe show them. Values in, JSON out."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from solders.message import Message, MessageV0, MessageV1
from solders.transaction import VersionedTransaction

from heliograph_localnet import base58
from heliograph_localnet.block import Block, Executed
from heliograph_localnet.rpc_error import unsupported_version
from heliograph_localnet.rpc_params import Details, TransactionEncoding

Json = dict[str, Any]


def transaction_json(
    executed: Executed, encoding: TransactionEncoding, max_version: int | None, *, rewards: bool = True
) -> Json:
    """{transaction, meta, version?}. Raises RpcFault -32015 for a version above what the client supports."""
    version = _version(executed, max_version)
    meta: object
    if encoding == "jsonParsed":
        decoded = VersionedTransaction.from_bytes(executed.wire)
        details = orjson.loads(executed.meta)
        accounts = _accounts(decoded, details)
        body: object = _parsed(decoded, accounts)
        meta = _parsed_meta(details, [account["pubkey"] for account in accounts], rewards)
    else:
        text = executed.meta
        if not rewards:
            text = text.replace(b'"rewards":[],', b"", 1)
        meta = orjson.Fragment(text)
        if encoding == "json":
            body = _raw(VersionedTransaction.from_bytes(executed.wire))
        elif encoding == "base64":
            body = [base64.b64encode(executed.wire).decode(), "base64"]
        elif encoding == "base58":
            body = [base58.encode(executed.wire), "base58"]
        else:
            body = base58.encode(executed.wire)
    return {"transaction": body, "meta": meta} | version


def block_json(
    block: Block,
    encoding: TransactionEncoding,
    details: Details,
    max_version: int | None,
    *,
    rewards: bool,
) -> Json:
    """A UiConfirmedBlock. Raises RpcFault -32015 as transaction_json does."""
    answer: Json = {
        "previousBlockhash": block.previous_blockhash,
        "blockhash": block.blockhash,
        "parentSlot": block.parent_slot,
    }
    if details == "full":
        answer["transactions"] = [
            transaction_json(executed, encoding, max_version, rewards=rewards)
            for executed in block.transactions
        ]
    elif details == "accounts":
        answer["transactions"] = [_accounts_json(executed, max_version) for executed in block.transactions]
    elif details == "signatures":
        answer["signatures"] = [executed.signature for executed in block.transactions]
    if rewards:
        answer["rewards"] = []
    return answer | {"blockTime": block.time, "blockHeight": block.height}


def _version(executed: Executed, max_version: int | None) -> Json:
    if executed.version == "legacy":
        return {} if max_version is None else {"version": "legacy"}
    if max_version is None or int(executed.version) > max_version:
        raise unsupported_version(executed.version)
    return {"version": int(executed.version)}


def _raw(transaction: VersionedTransaction) -> Json:
    message = transaction.message
    header = message.header
    body: Json = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programIdIndex": instruction.program_id_index,
                "accounts": list(instruction.accounts),
                "data": base58.encode(instruction.data),
                "stackHeight": 1,
            }
            for instruction in message.instructions
        ],
    }
    return {"signatures": [str(one) for one in transaction.signatures], "message": body | _extras(message)}


def _extras(message: Message | MessageV0 | MessageV1) -> Json:
    if isinstance(message, MessageV0):
        return {
            "addressTableLookups": [
                {
                    "accountKey": str(lookup.account_key),
                    "writableIndexes": list(lookup.writable_indexes),
                    "readonlyIndexes": list(lookup.readonly_indexes),
                }
                for lookup in message.address_table_lookups
            ]
        }
    if isinstance(message, MessageV1):
        wanted = message.config
        return {
            "transactionConfig": {
                "priorityFee": wanted.priority_fee,
                "computeUnitLimit": wanted.compute_unit_limit,
                "loadedAccountsDataSizeLimit": wanted.loaded_accounts_data_size_limit,
                "heapSize": wanted.heap_size,
            }
        }
    return {}


def _accounts(transaction: VersionedTransaction, meta: Json) -> list[Json]:
    header = transaction.message.header
    keys = transaction.message.account_keys
    signers = header.num_required_signatures
    accounts = [
        {
            "pubkey": str(key),
            "signer": at < signers,
            "source": "transaction",
            "writable": at < signers - header.num_readonly_signed_accounts
            if at < signers
            else at < len(keys) - header.num_readonly_unsigned_accounts,
        }
        for at, key in enumerate(keys)
    ]
    for kind in ("writable", "readonly"):
        accounts.extend(
            {"pubkey": key, "signer": False, "source": "lookupTable", "writable": kind == "writable"}
            for key in meta["loadedAddresses"][kind]
        )
    return accounts


def _accounts_json(executed: Executed, max_version: int | None) -> Json:
    version = _version(executed, max_version)
    transaction = VersionedTransaction.from_bytes(executed.wire)
    meta = orjson.loads(executed.meta)
    kept = ("err", "status", "fee", "preBalances", "postBalances", "preTokenBalances", "postTokenBalances")
    return {
        "transaction": {
            "signatures": [str(one) for one in transaction.signatures],
            "accountKeys": _accounts(transaction, meta),
        },
        "meta": {name: meta[name] for name in kept},
    } | version


def _parsed(transaction: VersionedTransaction, accounts: list[Json]) -> Json:
    message = transaction.message
    keys = [account["pubkey"] for account in accounts]
    body: Json = {
        "accountKeys": accounts,
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programId": keys[instruction.program_id_index],
                "accounts": [keys[at] for at in instruction.accounts],
                "data": base58.encode(instruction.data),
                "stackHeight": 1,
            }
            for instruction in message.instructions
        ],
    }
    return {"signatures": [str(one) for one in transaction.signatures], "message": body | _extras(message)}


def _parsed_meta(meta: Json, keys: list[str], rewards: bool) -> Json:
    # localnet knows no program's layout, so every instruction stays what Agave calls partially decoded.
    for group in meta["innerInstructions"]:
        group["instructions"] = [
            {
                "programId": keys[inner["programIdIndex"]],
                "accounts": [keys[at] for at in inner["accounts"]],
                "data": inner["data"],
                "stackHeight": inner["stackHeight"],
            }
            for inner in group["instructions"]
        ]
    del meta["loadedAddresses"]
    if not rewards:
        del meta["rewards"]
    return meta
