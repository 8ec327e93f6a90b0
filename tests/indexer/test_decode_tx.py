"""What `heliograph decode tx` prints."""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import base58
import pytest

from heliograph_core.errors import TransactionError
from heliograph_core.event import Channel
from heliograph_indexer.decode_tx import as_json, declared_channels, decode_tx
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority
from heliograph_indexer.idl.reader import read_idl

SHARED = Path(__file__).resolve().parents[3] / "shared"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared folder with samples and IDLs is not beside the checkout"
)

ENCODER = Encoder((files("heliograph_indexer") / "idls" / "godark_vault.json").read_bytes())
DECODER = Decoder(ENCODER.idl)
VAULT = ENCODER.address
WALLET = "11111111111111111111111111111112"
DEPOSIT = {
    "wallet": WALLET,
    "mint": WALLET,
    "amount": 1 << 60,
    "free_after": (1 << 53) - 1,
    "locked_after": 0,
    "timestamp": -1,
}
SHOWN = {**DEPOSIT, "amount": str(1 << 60)}
DATA = ENCODER.event("CollateralDeposited", DEPOSIT)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def framed(*lines: str, program: str = VAULT) -> list[str]:
    return [f"Program {program} invoke [1]", *lines, f"Program {program} success"]


def printed(document: Any, program: str | None = None) -> tuple[list[Any], list[Any]]:
    found = decode_tx(json.dumps(document).encode(), DECODER, program)
    return [json.loads(line) for line in found.events], [json.loads(line) for line in found.problems]


def line(channel: str, ordinal: int) -> dict[str, Any]:
    return {
        "program": VAULT,
        "name": "CollateralDeposited",
        "channel": channel,
        "ordinal": ordinal,
        "fields": SHOWN,
    }


def record(logs: list[str], inner: list[dict[str, Any]] | None = None, err: Any = None) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "slot": 1,
            "transaction": {
                "signatures": ["sig"],
                "message": {
                    "accountKeys": [WALLET, VAULT, event_authority(VAULT)],
                    "instructions": [{"programIdIndex": 1, "accounts": [], "data": ""}],
                },
            },
            "meta": {
                "err": err,
                "fee": 5000,
                "logMessages": logs,
                "innerInstructions": [{"index": 0, "instructions": inner}] if inner else [],
            },
        },
    }


def test_an_answer_prints_its_events_of_both_channels_in_order() -> None:
    self_call = {
        "programIdIndex": 1,
        "accounts": [2],
        "data": base58.b58encode(EVENT_TAG + DATA).decode(),
        "stackHeight": 2,
    }
    logs = framed(
        "Program log: Instruction: Deposit",
        f"Program {VAULT} invoke [2]",
        f"Program {VAULT} success",
        f"Program data: {b64(DATA)}",
    )
    answer = record(logs, [self_call])
    assert printed(answer) == ([line("cpi", 1), line("data", 2)], [])
    assert printed(answer["result"]) == printed(answer)
    assert printed([answer, answer])[0] == printed(answer)[0] * 2


def test_lines_alone_are_enough() -> None:
    assert printed({"logs": framed(f"Program data: {b64(DATA)}")}) == ([line("data", 0)], [])


def test_a_cutting_without_frames_is_taken_for_the_programs_own() -> None:
    assert printed({"logs": [f"Program data: {b64(DATA)}"]}) == ([line("data", 0)], [])
    assert printed({"logs": [f"Program data: {b64(DATA)}", f"Program {VAULT} success"]}) == (
        [line("data", 0)],
        [],
    )


def test_what_cannot_be_decoded_is_a_problem_with_its_reason() -> None:
    events, problems = printed(
        {"logs": framed(f"Program data: {b64(DATA[:-1])} {b64(DATA)} {b64(b'unknown!')}")}
    )
    assert events == [line("data", 1)]
    assert [problem["ordinal"] for problem in problems] == [0, 2]
    assert problems[0]["data"] == b64(DATA[:-1])
    assert problems[0]["reason"].startswith("$.timestamp: i64 needs 8 bytes, 7 are left")
    assert "begins with" in problems[1]["reason"]


def test_text_on_an_undeclared_channel_is_no_event() -> None:
    assert printed({"logs": framed(f"Program log: {b64(DATA)}")}) == ([], [])


def test_a_failed_transaction_prints_nothing() -> None:
    logs = [f"Program {VAULT} invoke [1]", f"Program data: {b64(DATA)}", f"Program {VAULT} failed: x"]
    assert printed(record(logs, err={"InstructionError": [0, {"Custom": 6000}]})) == ([], [])


def test_missing_lines_are_a_problem() -> None:
    logs = framed(f"Program data: {b64(DATA)}", "Log truncated", f"Program data: {b64(DATA)}")
    events, problems = printed(record(logs))
    assert events == [line("data", 0)]
    assert problems == [
        {
            "signature": "sig",
            "program": VAULT,
            "reason": "log lines are missing: events after the hole cannot be known",
        }
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "not JSON"),
        (b"{nope", "not JSON"),
        (b"[1]", "no transaction record but int"),
        (b"{}", "transaction ?: its transaction is missing"),
        (b'{"logs": 5}', '"logs" is no list of lines of text'),
        (b'{"jsonrpc": "2.0", "id": 1, "result": null}', "result is null"),
    ],
)
def test_a_file_that_is_no_transaction_is_named(document: bytes, message: str) -> None:
    with pytest.raises(TransactionError) as caught:
        decode_tx(document, DECODER)
    assert message in str(caught.value)


def test_an_idl_of_another_program_is_named() -> None:
    other = "BifeNpFVFxQy9RnUkgbi1u2daTDbWJ1ZPUeZVSwtf7Qg"
    with pytest.raises(TransactionError) as caught:
        printed({"logs": framed(f"Program data: {b64(DATA)}", program=other)})
    assert f"does not run {VAULT}, the program of the IDL godark_vault; it runs {other}" in str(caught.value)
    # The same program deployed elsewhere.
    events, _ = printed({"logs": framed(f"Program data: {b64(DATA)}", program=other)}, other)
    assert [event["program"] for event in events] == [other]


def test_an_idl_without_an_address_needs_one() -> None:
    nameless = Decoder(read_idl({"name": "nameless", "instructions": []}))
    with pytest.raises(TransactionError, match="names no address; say it with --program"):
        decode_tx(json.dumps({"logs": framed()}).encode(), nameless)


def test_channels_are_those_of_the_protocol_else_anchors() -> None:
    assert declared_channels(VAULT, "godark_vault") == {Channel.DATA, Channel.CPI}
    assert declared_channels(WALLET, "unknown") == {Channel.DATA, Channel.CPI}
    assert declared_channels(WALLET, "drift") == {Channel.DATA, Channel.LOG}


def test_values_are_shown_as_json_can_keep_them() -> None:
    safe = (1 << 53) - 1
    assert as_json([safe, -safe, safe + 1, -safe - 1]) == [safe, -safe, str(safe + 1), str(-safe - 1)]
    assert as_json({"a": b"\xff", "b": True, "c": None, "d": {"V": {"0": 1.5}}}) == {
        "a": "/w==",
        "b": True,
        "c": None,
        "d": {"V": {"0": 1.5}},
    }
    assert as_json([float("nan"), float("inf")]) == ["nan", "inf"]


def test_lines_alone_say_when_events_by_self_invocation_may_be_missing() -> None:
    self_invoked = [
        f"Program {VAULT} invoke [1]",
        f"Program {WALLET} invoke [2]",
        f"Program {WALLET} success",
        f"Program {VAULT} invoke [2]",
        f"Program {VAULT} success",
        f"Program {VAULT} success",
    ]
    events, problems = printed({"logs": self_invoked})
    assert events == []
    assert "events by self-CPI" in problems[0]["reason"]
    assert printed({"logs": framed(f"Program data: {b64(DATA)}")})[1] == []


EXPECTED = {
    "drift_settle_pnl_line_2024-07": [("SettlePnlRecord", "data", 0)],
    "drift_swap_2M1e4UJ1": [("SpotInterestRecord", "data", 1), ("SwapRecord", "data", 16)],
    "drift_trigger_then_fill_2025-07": [("OrderActionRecord", "data", 2), ("OrderActionRecord", "log", 5)],
    "drift_update_funding_rate_2025-08": [("CurveRecord", "data", 2), ("FundingRateRecord", "data", 3)],
    "mango_v4_event_lines_2024": [
        ("PerpUpdateFundingLogV2", "data", 0),
        ("UpdateIndexLog", "data", 1),
        ("PerpUpdateFundingLogV2", "data", 2),
    ],
}


@needs_shared
@pytest.mark.parametrize("name", EXPECTED)
def test_samples_of_lines_are_printed(name: str) -> None:
    document = (SHARED / "samples" / "tx" / f"{name}.json").read_bytes()
    decoder = Decoder(read_idl((SHARED / json.loads(document)["idl"]).read_bytes()))
    found = decode_tx(document, decoder)
    lines = [json.loads(each) for each in found.events]
    assert [(each["name"], each["channel"], each["ordinal"]) for each in lines] == EXPECTED[name]
    assert found.problems == ()
