"""A slot's events, decoded: names, keys, what fits no layout, and the names of errors."""

from __future__ import annotations

import base64
from importlib.resources import files
from typing import Any

import pytest

from heliograph_core.account import AccountUpdate
from heliograph_core.event import Channel
from heliograph_core.slot import Slot
from heliograph_core.transaction import InnerInstruction, Instruction, Transaction
from heliograph_indexer.decode import Layouts, decode_account, decode_slot
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.protocols import PROTOCOLS

LAYOUTS = Layouts.of(PROTOCOLS["godark"])
POSITIONS, VAULT = (
    PROTOCOLS["godark"].programs["godark_positions"],
    PROTOCOLS["godark"].programs["godark_vault"],
)
ENCODER = Encoder((files("heliograph_indexer") / "idls" / "godark_positions.json").read_bytes())
KEY = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
PRICE: dict[str, Any] = {"market": KEY, "oracle": KEY, "price": 5, "confidence": 1, "publish_time": 9}
EVENT = ENCODER.event("OraclePriceUpdated", PRICE)


def lines(*payloads: bytes, program: str = POSITIONS) -> tuple[str, ...]:
    said = [f"Program data: {base64.b64encode(payload).decode()}" for payload in payloads]
    return (f"Program {program} invoke [1]", *said, f"Program {program} success")


def slot_of(*transactions: Transaction) -> Slot:
    return Slot(77, 1_700_000_000, transactions)


def test_an_event_gets_its_key_from_where_it_stands() -> None:
    decoded = decode_slot(slot_of(Transaction("sig", 4, None, lines(EVENT, EVENT), None)), LAYOUTS)
    first, second = decoded.transactions[0].events
    assert first.name == "OraclePriceUpdated" and first.fields == PRICE
    assert (first.key.block_time, first.key.slot, first.key.tx_index) == (1_700_000_000, 77, 4)
    assert (first.key.ordinal, second.key.ordinal, first.key.signature) == (0, 1, "sig")
    assert [raw.data for raw in decoded.transactions[0].raw] == [EVENT, EVENT]


def test_an_event_by_self_invocation_is_decoded_without_its_tag() -> None:
    inner = InnerInstruction(POSITIONS, (event_authority(POSITIONS),), EVENT_TAG + EVENT, 2)
    logs = (
        f"Program {POSITIONS} invoke [1]",
        f"Program {POSITIONS} invoke [2]",
        f"Program {POSITIONS} success",
        f"Program {POSITIONS} success",
    )
    transaction = Transaction("sig", 0, None, logs, (Instruction(POSITIONS, (), b"", (inner,)),))
    (event,) = decode_slot(slot_of(transaction), LAYOUTS).transactions[0].events
    assert event.channel is Channel.CPI and event.fields == PRICE


@pytest.mark.parametrize("payload", [EVENT + b"\0", EVENT[:-1], b"", b"12345678 of nobody"])
def test_what_fits_no_layout_is_kept_with_the_reason(payload: bytes) -> None:
    transaction = Transaction("sig", 0, None, lines(payload, EVENT), None)
    decoded = decode_slot(slot_of(transaction), LAYOUTS).transactions[0]
    assert [event.key.ordinal for event in decoded.events] == [1]
    (lost,) = decoded.undecoded
    assert lost.data == payload and lost.key.ordinal == 0 and lost.reason


def test_text_on_the_log_channel_is_no_loss_but_a_broken_event_is() -> None:
    layouts = Layouts({POSITIONS: frozenset({Channel.LOG})}, LAYOUTS.decoders)
    text = [
        f"Program log: {base64.b64encode(data).decode()}" for data in (b"plain text!!", EVENT, EVENT + b"x")
    ]
    logs = (f"Program {POSITIONS} invoke [1]", *text, f"Program {POSITIONS} success")
    decoded = decode_slot(slot_of(Transaction("sig", 0, None, logs, None)), layouts).transactions[0]
    assert [event.key.ordinal for event in decoded.events] == [1]
    assert [lost.key.ordinal for lost in decoded.undecoded] == [2]


def failed(err: Any, *log_lines: str, instructions: Any = None) -> str | None:
    transaction = Transaction("sig", 0, err, log_lines or None, instructions)
    decoded = decode_slot(slot_of(transaction), LAYOUTS).transactions[0]
    assert decoded.events == ()
    return decoded.error_name


def custom(code: int, instruction: int = 0) -> Any:
    return {"InstructionError": [instruction, {"Custom": code}]}


def test_a_custom_error_is_named_by_the_innermost_program_that_failed() -> None:
    name = failed(
        custom(6000),
        f"Program {POSITIONS} invoke [1]",
        f"Program {VAULT} invoke [2]",
        f"Program {VAULT} failed: custom program error: 0x1770",
        f"Program {POSITIONS} failed: custom program error: 0x1770",
    )
    assert name == "InsufficientFunds"


def test_a_custom_error_without_lines_is_named_by_its_instruction() -> None:
    instructions = (Instruction(KEY, (), b""), Instruction(VAULT, (), b""))
    assert failed(custom(6001, 1), instructions=instructions) == "UnknownCaller"
    assert failed(custom(6001, 0), instructions=instructions) is None
    assert failed(custom(6001, 9), instructions=instructions) is None


def test_text_that_imitates_a_failure_names_nothing() -> None:
    spoof = f"Program log: Program {VAULT} failed: custom program error: 0x1770"
    assert failed(custom(6000), spoof) is None
    assert failed(custom(6000), "Program log: a\n" + spoof[13:]) is None


@pytest.mark.parametrize(
    "err", ["AccountNotFound", {"InstructionError": [0, "InvalidArgument"]}, custom(424242), {"x": 1}, [1]]
)
def test_an_error_that_no_idl_names_has_no_name(err: Any) -> None:
    assert failed(err, f"Program {VAULT} failed: custom program error: 0x{424242:x}") is None


def test_truncated_lines_are_told() -> None:
    logs = (f"Program {POSITIONS} invoke [1]", "Log truncated")
    decoded = decode_slot(slot_of(Transaction("sig", 0, None, logs, ())), LAYOUTS)
    assert decoded.transactions[0].truncated


def test_an_account_is_decoded_closed_or_kept_with_the_reason() -> None:
    garbage = decode_account(AccountUpdate(KEY, POSITIONS, 5, 10, b"garbage!"), POSITIONS, LAYOUTS)
    assert garbage.name is None and garbage.fields is None and garbage.reason
    closed = decode_account(AccountUpdate(KEY, "", 5, 0, b""), POSITIONS, LAYOUTS)
    assert closed.name is None and closed.reason is None and closed.lamports == 0
    foreign = decode_account(AccountUpdate(KEY, KEY, 5, 10, b"x"), KEY, LAYOUTS)
    assert foreign.reason == f"$: no IDL of {KEY} is known"


def test_layouts_hold_every_program_of_the_protocol() -> None:
    assert set(LAYOUTS.decoders) == {POSITIONS, VAULT} == set(LAYOUTS.channels)
    decoder = Decoder(read_idl((files("heliograph_indexer") / "idls" / "godark_vault.json").read_bytes()))
    assert decoder.idl.address == VAULT
