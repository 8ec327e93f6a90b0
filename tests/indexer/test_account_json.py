"""Accounts are found in whatever wraps them."""

from __future__ import annotations

import base64
from typing import Any

import base58
import pytest

from heliograph_core.errors import TransactionError
from heliograph_indexer.account_json import AccountFile, find_accounts

DATA = b"\x01\x02\x03"
TEXT = base64.b64encode(DATA).decode()
VALUE = {"lamports": 1, "owner": "Owner", "data": [TEXT, "base64"], "executable": False}


@pytest.mark.parametrize(
    ("document", "address"),
    [
        ({"jsonrpc": "2.0", "id": 1, "result": {"context": {"slot": 1}, "value": VALUE}}, None),
        ({"context": {"slot": 1}, "value": VALUE}, None),
        ({"context": {"slot": 1}, "value": [VALUE]}, None),
        (VALUE, None),
        ({**VALUE, "data": [base58.b58encode(DATA).decode(), "base58"]}, None),
        ({**VALUE, "data": base58.b58encode(DATA).decode()}, None),
        ({"pubkey": "Here", "account": VALUE}, "Here"),
        ({"jsonrpc": "2.0", "id": 1, "result": [{"pubkey": "Here", "account": VALUE}]}, "Here"),
        ({"pubkey": "Here", "owner": "Owner", "data_base64": TEXT}, "Here"),
        ({"program": "Owner", "accounts": [{"pubkey": "Here", "data_base64": TEXT}]}, "Here"),
    ],
)
def test_an_account_is_found_in_every_answer(document: Any, address: str | None) -> None:
    assert list(find_accounts(document)) == [AccountFile(address, "Owner", DATA)]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"result": {"value": None}}, "no such account"),
        ({"jsonrpc": "2.0", "error": {"code": -32602, "message": "bad"}}, "bad"),
        ({"result": []}, "no account"),
        ({"logs": []}, "no account"),
        (7, "no account but int"),
        ({"data": ["x", "jsonParsed"]}, "encoding base64"),
        ({"data": {"parsed": {}}}, "encoding base64"),
        ({"data": ["!", "base64"]}, "no base64"),
        ({"data": ["0", "base58"]}, "no base58"),
    ],
)
def test_what_holds_no_account_is_refused_with_the_reason(document: Any, words: str) -> None:
    with pytest.raises(TransactionError, match=words):
        list(find_accounts(document))
