"""Instructions are decoded with arguments and accounts by name, wherever they stand."""

from __future__ import annotations

from typing import Any

import base58
import msgspec

from heliograph_core.transaction import InnerInstruction, Instruction, Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder
from heliograph_indexer.instructions import DecodedInstruction, decode_instructions
from heliograph_indexer.transaction_json import parse_transaction

PROGRAM = "11111111111111111111111111111112"
OTHER = "11111111111111111111111111111113"
ENCODER = Encoder(
    {
        "address": PROGRAM,
        "metadata": {"name": "made", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [
            {
                "name": "open",
                "discriminator": [1, 2],
                "args": [{"name": "size", "type": "u64"}],
                "accounts": [
                    {"name": "owner", "signer": True},
                    {"name": "pair", "accounts": [{"name": "base"}, {"name": "quote", "optional": True}]},
                ],
            }
        ],
        "types": [],
    }
)
DECODERS = {PROGRAM: Decoder(ENCODER.idl)}
OPEN = ENCODER.instruction("open", {"size": 7})


def transaction(*instructions: Instruction, err: object | None = None) -> Transaction:
    return Transaction("sig", 0, err, (), instructions)


def one(instruction: Instruction, err: object | None = None) -> DecodedInstruction:
    (found,) = decode_instructions(transaction(instruction, err=err), DECODERS)
    return found


def test_arguments_and_accounts_are_named() -> None:
    found = one(Instruction(PROGRAM, ("a", "b", "c", "d", "e"), OPEN))
    assert (found.name, found.args) == ("open", {"size": 7})
    assert found.accounts == {"owner": "a", "pair.base": "b", "pair.quote": "c"}
    assert found.others == ("d", "e")
    assert (found.depth, found.index, found.inner, found.caller) == (1, 0, None, None)
    assert not found.failed


def test_an_optional_account_that_is_left_out_is_none() -> None:
    assert one(Instruction(PROGRAM, ("a", "b", PROGRAM), OPEN)).accounts["pair.quote"] is None
    short = one(Instruction(PROGRAM, ("a", "b"), OPEN))
    assert (short.accounts["pair.quote"], short.reason) == (None, None)


def test_an_account_that_must_be_there_and_is_not_is_a_reason() -> None:
    found = one(Instruction(PROGRAM, ("a",), OPEN))
    assert found.accounts == {"owner": "a", "pair.base": None, "pair.quote": None}
    assert found.reason == "open takes 1 more accounts than it was given"


def test_inner_instructions_know_their_caller_and_their_place() -> None:
    inner = (
        InnerInstruction(OTHER, (), b"", 2),
        InnerInstruction(PROGRAM, ("a", "b", "c"), OPEN, 3),
        InnerInstruction(PROGRAM, ("a", "b", "c"), OPEN, 2),
    )
    found = decode_instructions(
        transaction(Instruction(OTHER, (), b""), Instruction(OTHER, (), b"", inner)), DECODERS
    )
    assert [(each.index, each.inner, each.depth, each.caller) for each in found] == [
        (1, 1, 3, OTHER),
        (1, 2, 2, OTHER),
    ]


def test_those_of_a_failed_transaction_are_marked() -> None:
    assert one(Instruction(PROGRAM, ("a", "b", "c"), OPEN), err={"InstructionError": [0, "X"]}).failed


def test_events_by_self_invocation_are_no_instructions() -> None:
    inner = (InnerInstruction(PROGRAM, ("x",), EVENT_TAG + b"1", 2),)
    assert one(Instruction(PROGRAM, ("a", "b", "c"), OPEN, inner)).inner is None


def test_what_no_layout_fits_is_kept_with_the_reason() -> None:
    found = one(Instruction(PROGRAM, ("a",), OPEN + b"\0"))
    assert (found.name, found.args, found.accounts, found.others) == (None, None, {}, ("a",))
    assert found.reason is not None
    assert "more bytes follow" in found.reason


def test_a_transaction_of_which_only_the_lines_are_known_has_none() -> None:
    known = transaction(Instruction(PROGRAM, (), OPEN))
    assert decode_instructions(msgspec.structs.replace(known, instructions=None), DECODERS) == ()


def test_accounts_of_lookup_tables_are_resolved() -> None:
    message: dict[str, Any] = {
        "accountKeys": ["a", PROGRAM],
        "instructions": [{"programIdIndex": 1, "accounts": [0, 2, 3], "data": _base58(OPEN)}],
    }
    record = {
        "slot": 1,
        "version": 0,
        "transaction": {"signatures": ["sig"], "message": message},
        "meta": {
            "err": None,
            "logMessages": [],
            "innerInstructions": [],
            "loadedAddresses": {"writable": ["loaded"], "readonly": ["read"]},
        },
    }
    (found,) = decode_instructions(parse_transaction(record), DECODERS)
    assert found.accounts == {"owner": "a", "pair.base": "loaded", "pair.quote": "read"}


def _base58(data: bytes) -> str:
    return base58.b58encode(data).decode()
