"""getTransaction results, and records that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import base58
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph_core.errors import TransactionError
from heliograph_core.transaction import InnerInstruction
from heliograph_indexer.transaction_json import find_results, parse_transaction
from heliograph_indexer.walk import PRECOMPILES

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "tx"

PAYER, PROGRAM, OTHER, WRITABLE, READONLY = "Payer", "Program", "Other", "Writable", "Readonly"
ED25519 = "Ed25519SigVerify111111111111111111111111111"


def inner(program: int, data: bytes, height: int | None, accounts: list[int] | None = None) -> dict[str, Any]:
    return {
        "programIdIndex": program,
        "accounts": accounts or [],
        "data": base58.b58encode(data).decode(),
        "stackHeight": height,
    }


def record(**parts: Any) -> dict[str, Any]:
    """A result as a node gives it; keys 0..2 are static, 3 and 4 come from a lookup table."""
    meta = {
        "err": None,
        "fee": 5000,
        "computeUnitsConsumed": 7,
        "logMessages": ["Program log: hi"],
        "innerInstructions": [],
        "loadedAddresses": {"writable": [WRITABLE], "readonly": [READONLY]},
    }
    message = {"accountKeys": [PAYER, PROGRAM, OTHER], "instructions": [inner(1, b"outer", None, [0, 3, 4])]}
    made = {"slot": 5, "version": 0, "transaction": {"signatures": ["sig"], "message": message}, "meta": meta}
    for key, value in parts.items():
        if key in meta:
            meta[key] = value
        elif key in message:
            message[key] = value
        else:
            made[key] = value
    return made


def test_lookup_table_keys_follow_the_static_ones_writable_first() -> None:
    parsed = parse_transaction(
        record(innerInstructions=[{"index": 0, "instructions": [inner(4, b"in", 2, [3])]}]), 9
    )
    assert parsed.signature == "sig"
    assert (parsed.tx_index, parsed.err, parsed.logs) == (9, None, ("Program log: hi",))
    assert parsed.instructions is not None
    (outer,) = parsed.instructions
    assert (outer.program, outer.accounts, outer.data) == (PROGRAM, (PAYER, WRITABLE, READONLY), b"outer")
    assert outer.inner == (InnerInstruction(READONLY, (WRITABLE,), b"in", 2),)
    assert (parsed.fee, parsed.fee_payer, parsed.compute_units, parsed.version) == (5000, PAYER, 7, "0")


@pytest.mark.parametrize(("version", "text"), [("legacy", "legacy"), (0, "0"), (1, "1"), (None, "legacy")])
def test_any_version_is_read(version: Any, text: str) -> None:
    made = record(version=version)
    if version is None:
        del made["version"]
    assert parse_transaction(made).version == text


def test_the_position_comes_from_the_caller_then_the_record() -> None:
    assert parse_transaction(record(transactionIndex=4), 9).tx_index == 9
    assert parse_transaction(record(transactionIndex=4)).tx_index == 4
    assert parse_transaction(record()).tx_index == 0


def test_the_priority_fee_is_what_signatures_do_not_explain() -> None:
    made = record(fee=17_000)
    made["transaction"]["signatures"] = ["sig", "second"]
    assert parse_transaction(made).priority_fee == 7_000
    # A precompile's signatures cost as much.
    made["transaction"]["message"]["accountKeys"][1] = ED25519
    made["transaction"]["message"]["instructions"] = [inner(1, b"\x01rest", None)]
    assert parse_transaction(made).priority_fee == 2_000
    made = record()
    del made["meta"]["fee"]
    assert parse_transaction(made).priority_fee is None


LINES = [
    f"Program {'P' * 32} invoke [1]",
    f"Program {'A' * 32} invoke [2]",
    f"Program {'B' * 32} invoke [3]",
    f"Program {'B' * 32} success",
    f"Program {'A' * 32} success",
    f"Program {'P' * 32} success",
]


def test_old_records_take_their_stack_heights_from_the_lines() -> None:
    made = record(
        accountKeys=["P" * 32, "A" * 32, "B" * 32, ED25519],
        instructions=[inner(3, b"", None), inner(0, b"", None)],
        innerInstructions=[{"index": 1, "instructions": [inner(1, b"", None), inner(2, b"", None)]}],
        logMessages=LINES,
    )
    assert ED25519 in PRECOMPILES

    def depths() -> list[int]:
        parsed = parse_transaction(made)
        assert parsed.instructions is not None
        return [each.depth for instruction in parsed.instructions for each in instruction.inner]

    assert depths() == [2, 3]
    # Lines that tell another story are not believed.
    made["meta"]["logMessages"] = LINES[:1]
    assert depths() == [2, 2]


def test_a_record_that_keeps_neither_lines_nor_inner_instructions_knows_none() -> None:
    parsed = parse_transaction(record(logMessages=None, innerInstructions=None))
    assert (parsed.logs, parsed.instructions) == (None, None)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda made: made.pop("meta"), "transaction sig: its meta is missing or no object"),
        (
            lambda made: made.update(transaction=["AQ==", "base64"]),
            "its transaction is missing or no object; ask for enc",
        ),
        (lambda made: made["transaction"].update(signatures=[]), "it has no signature"),
        (lambda made: made["transaction"]["message"].update(accountKeys=[1]), "an account key is not text"),
        (lambda made: made["meta"].update(logMessages=[1]), "logMessages holds something that is not text"),
        (
            lambda made: made["meta"].update(innerInstructions=[{"index": 3, "instructions": []}]),
            "of instruction 3, but it has 1",
        ),
        (
            lambda made: made["transaction"]["message"].update(instructions=[inner(9, b"", None)]),
            "names account 9, but it has 5",
        ),
        (
            lambda made: made["transaction"]["message"].update(instructions=[inner(0, b"", None, [-1])]),
            "names account -1",
        ),
        (
            lambda made: made["transaction"]["message"].update(
                instructions=[{**inner(0, b"", None), "data": "0OIl"}]
            ),
            "instruction data: no base58 character: '0'",
        ),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(damage: Any, message: str) -> None:
    made = record()
    damage(made)
    with pytest.raises(TransactionError) as caught:
        parse_transaction(made)
    assert message in str(caught.value)


def test_results_are_found_in_answers_and_batches() -> None:
    made = record()
    assert list(find_results(made)) == [made]
    assert list(find_results({"jsonrpc": "2.0", "id": 1, "result": made})) == [made]
    assert list(find_results([{"result": made}, {"jsonrpc": "2.0", "result": made}])) == [made, made]
    with pytest.raises(TransactionError, match="result is null"):
        list(find_results({"jsonrpc": "2.0", "result": None}))
    with pytest.raises(TransactionError, match="the answer is an error: too old"):
        list(find_results({"jsonrpc": "2.0", "error": {"code": -32015, "message": "too old"}}))
    with pytest.raises(TransactionError, match="no transaction record but int"):
        list(find_results(5))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=5),
    lambda deeper: (
        st.lists(deeper, max_size=3)
        | st.dictionaries(st.sampled_from(["index", "instructions", "data", "stackHeight"]), deeper)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [
            "meta",
            "transaction",
            "version",
            "transactionIndex",
            "err",
            "fee",
            "logMessages",
            "innerInstructions",
            "loadedAddresses",
            "accountKeys",
            "instructions",
            "computeUnitsConsumed",
        ]
    ),
    json_values,
)
def test_a_damaged_record_raises_nothing_but_transaction_errors(key: str, value: Any) -> None:
    try:
        parse_transaction(record(**{key: value}))
    except TransactionError as error:
        assert str(error).startswith("transaction ")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared folder with samples is not beside the checkout")
@pytest.mark.parametrize("file", sorted(SAMPLES.glob("rpc_*.json")), ids=lambda file: file.stem)
def test_real_records_are_read(file: Path) -> None:
    (result,) = find_results(json.loads(file.read_bytes()))
    parsed = parse_transaction(result)
    assert parsed.signature[:8] in file.name
    assert parsed.version == "0"
    assert parsed.instructions
    assert parsed.priority_fee == result["meta"]["fee"] - 5000
