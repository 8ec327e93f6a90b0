"""What `heliograph decode account` prints."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from heliograph_core.errors import TransactionError
from heliograph_indexer.decode_accounts import decode_accounts
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import Encoder

ENCODER = Encoder(
    {
        "address": "11111111111111111111111111111112",
        "metadata": {"name": "made", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [],
        "accounts": [{"name": "Kept", "discriminator": [9]}],
        "types": [{"name": "Kept", "type": {"kind": "struct", "fields": [{"name": "x", "type": "u64"}]}}],
    }
)
DECODER = Decoder(ENCODER.idl)
OWNER = "11111111111111111111111111111112"
DATA = ENCODER.account("Kept", {"x": 1 << 60})


def answer(data: bytes, owner: str = OWNER) -> bytes:
    value = {"owner": owner, "data": [base64.b64encode(data).decode(), "base64"]}
    return json.dumps({"jsonrpc": "2.0", "result": {"value": value}}).encode()


def printed(document: bytes) -> tuple[list[Any], list[Any]]:
    found = decode_accounts(document, DECODER)
    return [json.loads(line) for line in found.events], [json.loads(line) for line in found.problems]


@pytest.mark.parametrize("padding", [b"", b"\0\0\0"])
def test_an_account_is_printed_with_its_name_and_fields(padding: bytes) -> None:
    accounts, problems = printed(answer(DATA + padding))
    assert accounts == [{"address": None, "program": OWNER, "name": "Kept", "fields": {"x": str(1 << 60)}}]
    assert problems == []


@pytest.mark.parametrize(
    ("data", "reason"), [(DATA + b"\1", "more bytes follow"), (b"\7", "begins with"), (b"", "no bytes")]
)
def test_an_account_that_no_layout_fits_is_a_problem_with_its_bytes(data: bytes, reason: str) -> None:
    accounts, problems = printed(answer(data))
    assert accounts == []
    assert base64.b64decode(problems[0]["data"]) == data
    assert reason in problems[0]["reason"]


def test_an_account_of_another_program_is_refused() -> None:
    with pytest.raises(TransactionError, match=r"is owned by Other.*not by 1111"):
        printed(answer(DATA, "Other"))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TransactionError, match="not JSON"):
        printed(b"\x00")
