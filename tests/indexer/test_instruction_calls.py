"""Instructions as rows: every call of the stream's programs, by the IDL that reads it."""

from __future__ import annotations

from typing import Any

from heliograph_core.instruction import InstructionCall
from heliograph_core.slot import Slot
from heliograph_core.transaction import InnerInstruction, Instruction, Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.idl.versions import Version, Versions
from heliograph_indexer.instruction_calls import decode_calls

P, OTHER = "BifeNpFVFxQy9RnUkgbi1u2daTDbWJ1ZPUeZVSwtf7Qg", "5ioFK9dP4fJ7RujyHpzo95SRwXMTccm4Ehsya6Ta1zcd"
ERR = {"InstructionError": [0, {"Custom": 6000}]}


def idl(kind: str) -> dict[str, Any]:
    return {
        "address": P,
        "metadata": {"name": "dex", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [
            {
                "name": "place",
                "discriminator": [1],
                "accounts": [{"name": "user"}, {"name": "pool", "optional": True}],
                "args": [{"name": "size", "type": kind}],
            }
        ],
    }


OLD, NEW = Decoder(read_idl(idl("u8"))), Decoder(read_idl(idl("u64")))


def data(decoder: Decoder, size: int) -> bytes:
    return Encoder(decoder.idl).instruction("place", {"size": size})


def calls(
    *instructions: Instruction, err: object = None, versions: bool = False, slot: int = 9
) -> list[InstructionCall]:
    transaction = Transaction("sig", 4, err, (), instructions)
    several = Versions((Version(0, "old", OLD), Version(10, "new", NEW)))
    found = decode_calls(
        transaction,
        Slot(slot, 1_700_000_000, (transaction,)),
        {P: several.at(slot).decoder if versions else OLD},
        {P: several} if versions else {},
        "Broke" if err else None,
    )
    return list(found)


def test_outer_and_inner_calls_have_their_place_caller_arguments_and_accounts() -> None:
    inner = (
        InnerInstruction(P, ("A", P, "B"), data(OLD, 7), 2),
        InnerInstruction(P, ("E",), EVENT_TAG + b"event", 3),
        InnerInstruction(OTHER, (), b"x", 2),
    )
    found = calls(Instruction(OTHER, (), b"y", inner), Instruction(P, ("C",), data(OLD, 8)))
    assert [
        (call.position, call.outer_index, call.inner_index, call.depth, call.caller, call.fields, call.others)
        for call in found
    ] == [
        (1, 0, 0, 2, OTHER, {"size": 7, "account:user": "A", "account:pool": None}, ("B",)),
        (4, 1, None, 1, None, {"size": 8, "account:user": "C", "account:pool": None}, ()),
    ]
    assert {(call.slot, call.tx_index, call.signature, call.block_time) for call in found} == {
        (9, 4, "sig", 1_700_000_000)
    }


def test_calls_of_a_failed_transaction_are_kept_with_its_error() -> None:
    [call] = calls(Instruction(P, ("C",), data(OLD, 8)), err=ERR)
    assert (call.failed, call.error, call.name) == (True, "Broke", "place")


def test_what_no_idl_reads_keeps_its_bytes_and_the_reason() -> None:
    [call] = calls(Instruction(P, ("C",), b"\x63"))
    assert (call.name, call.fields, call.others, call.data) == (None, {}, ("C",), b"\x63")
    assert call.reason is not None and "no instruction of dex" in call.reason


def test_a_call_by_a_layout_that_is_not_in_force_is_read_by_the_other() -> None:
    early, late = Instruction(P, ("C",), data(NEW, 300)), Instruction(P, ("C",), data(OLD, 3))
    [call] = calls(early, versions=True, slot=9)
    assert (call.fields["size"], call.since, call.data) == (300, 10, data(NEW, 300))
    [call] = calls(late, versions=True, slot=10)
    assert (call.fields["size"], call.since) == (3, 0)
    [call] = calls(late, versions=True, slot=9)
    assert call.since == 0
    [call] = calls(Instruction(P, (), b"\1\2\3"), versions=True)
    assert call.name is None and call.reason is not None
