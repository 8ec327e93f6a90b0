"""Reads accounts as JSON-RPC and its tools write them. Pure.

In: parsed JSON: an answer to getAccountInfo, getMultipleAccounts or getProgramAccounts (or its result, or a batch
of answers), `{"pubkey": …, "account": {…}}` as `solana account --output json` writes it, or an object with
`data_base64`, alone or in a list called `accounts`. Out: the accounts. Raises TransactionError for anything else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from heliograph_core.errors import TransactionError
from heliograph_indexer.base58 import decode_base58


class AccountFile(msgspec.Struct, frozen=True):
    """An account as a file holds it; address and owner are None where the file does not say them."""

    address: str | None
    owner: str | None
    data: bytes


def find_accounts(document: Any) -> Iterator[AccountFile]:
    """Every account in the document, in order. Raises TransactionError where there is none."""
    found = list(_accounts(document, None, None))
    if not found:
        raise TransactionError("it holds no account; give the answer of getAccountInfo")
    yield from found


def _accounts(document: Any, address: str | None, owner: str | None) -> Iterator[AccountFile]:
    if isinstance(document, list):
        for each in document:
            yield from _accounts(each, None, owner)
        return
    if not isinstance(document, Mapping):
        raise TransactionError(f"no account but {_kind(document)}; give the answer of getAccountInfo")
    if isinstance(document.get("error"), Mapping):
        raise TransactionError(f"the answer is an error: {document['error'].get('message')}")
    address = _text(document, "pubkey") or address
    owner = _text(document, "owner") or _text(document, "program") or owner
    if "data_base64" in document:
        yield AccountFile(address, owner, _base64(document["data_base64"]))
    elif "data" in document:
        yield AccountFile(address, owner, _data(document["data"]))
    else:
        for key in ("result", "value", "account", "accounts"):
            if key in document:
                if document[key] is None:
                    raise TransactionError(f"its {key} is null: the node has no such account")
                yield from _accounts(document[key], address, owner)
                return
        raise TransactionError("it holds no account; give the answer of getAccountInfo")


def _data(value: Any) -> bytes:
    """`[text, encoding]`, or base58 text alone as old nodes write it."""
    match value:
        case [str(text), "base64"]:
            return _base64(text)
        case [str(text), "base58"] | str(text):
            try:
                return decode_base58(text)
            except ValueError as error:
                raise TransactionError(f"account data: {error}") from error
        case [_, encoding]:
            raise TransactionError(f"account data in {encoding!r}; ask for encoding base64")
    raise TransactionError(f"account data is {_kind(value)}; ask for encoding base64")


def _base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TransactionError(f"account data is {_kind(text)}, no text in base64")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise TransactionError(f"account data is no base64: {error}") from error


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    return value if isinstance(value, str) else None


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
