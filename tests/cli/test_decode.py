"""`heliograph decode tx` on transactions that the project's own encoder makes."""

from __future__ import annotations

import base64
import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import base58
import pytest
from tests.cli.process import refused, run

from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority

IDL = files("heliograph_indexer") / "idls" / "godark_positions.json"
WALLET = "So11111111111111111111111111111111111111112"
COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(IDL.read_bytes())


def sample_fields(name: str) -> dict[str, Any]:
    """A value for each field of the event, by its type in the IDL; one integer is beyond 53 bits."""
    document = json.loads(IDL.read_bytes())
    fields = next(kind for kind in document["types"] if kind["name"] == name)["type"]["fields"]
    samples: dict[Any, Any] = {"pubkey": WALLET, "u64": 2**60, "i64": -7, "u128": 2**100, "bool": True}
    found = {}
    for field in fields:
        kind = field["type"]
        if isinstance(kind, dict):
            wanted = kind["defined"]["name"]
            enum = next(other for other in document["types"] if other["name"] == wanted)
            found[field["name"]] = enum["type"]["variants"][0]["name"]
        else:
            found[field["name"]] = samples.get(kind, 5)
    return found


def record(encoder: Encoder, *, data: list[bytes], cpi: list[bytes]) -> dict[str, Any]:
    """A getTransaction answer: one instruction of the program that says `data` by log and `cpi` by self-invocation."""
    program = encoder.address
    assert program is not None
    keys = [WALLET, program, event_authority(program)]
    logs = [f"Program {program} invoke [1]", "Program log: Instruction: PlaceOrder"]
    logs += [f"Program data: {base64.b64encode(event).decode()}" for event in data]
    for _ in cpi:
        logs += [f"Program {program} invoke [2]", f"Program {program} success"]
    logs.append(f"Program {program} success")
    inner = [
        {
            "programIdIndex": 1,
            "accounts": [2],
            "data": base58.b58encode(EVENT_TAG + event).decode(),
            "stackHeight": 2,
        }
        for event in cpi
    ]
    result = {
        "slot": 7,
        "blockTime": 1_790_000_000,
        "version": "legacy",
        "transaction": {
            "signatures": [base58.b58encode(b"\7" * 64).decode()],
            "message": {
                "accountKeys": keys,
                "header": {
                    "numRequiredSignatures": 1,
                    "numReadonlySignedAccounts": 0,
                    "numReadonlyUnsignedAccounts": 2,
                },
                "instructions": [{"programIdIndex": 1, "accounts": [0], "data": "1"}],
                "recentBlockhash": WALLET,
            },
        },
        "meta": {
            "err": None,
            "fee": 5000,
            "logMessages": logs,
            "innerInstructions": [{"index": 0, "instructions": inner}] if inner else [],
            "preBalances": [0, 0, 0],
            "postBalances": [0, 0, 0],
            "computeUnitsConsumed": 100,
        },
    }
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def decode(folder: Path, document: object, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "tx.json").write_text(json.dumps(document))
    return run(folder, "decode", "tx", "--idl", str(IDL), *arguments, "tx.json")


def test_events_of_both_channels_are_printed_in_order(encoder: Encoder, tmp_path: Path) -> None:
    filled, fields = sample_fields("OrderFilled"), sample_fields("PositionOpened")
    answer = record(
        encoder, data=[encoder.event("OrderFilled", filled)], cpi=[encoder.event("PositionOpened", fields)]
    )
    told = decode(tmp_path, answer)
    assert (told.returncode, told.stderr) == (0, "")
    first, second = (json.loads(line) for line in told.stdout.splitlines())
    assert (first["name"], first["channel"]) == ("OrderFilled", "data")
    assert (second["name"], second["channel"]) == ("PositionOpened", "cpi")
    assert first["ordinal"] < second["ordinal"]
    assert {first["program"], second["program"]} == {encoder.address}


def test_integers_over_53_bits_are_texts_and_others_numbers(encoder: Encoder, tmp_path: Path) -> None:
    fields = sample_fields("PositionOpened")
    told = decode(tmp_path, record(encoder, data=[], cpi=[encoder.event("PositionOpened", fields)]))
    expected = {
        name: str(value) if type(value) is int and abs(value) >= 2**53 else value
        for name, value in fields.items()
    }
    assert json.loads(told.stdout)["fields"] == expected
    assert str(2**60) in expected.values()


def test_a_file_of_the_result_alone_and_of_stdin_are_read(encoder: Encoder, tmp_path: Path) -> None:
    answer = record(encoder, data=[encoder.event("OrderFilled", sample_fields("OrderFilled"))], cpi=[])
    whole = decode(tmp_path, answer)
    assert whole.returncode == 0
    assert decode(tmp_path, answer["result"]).stdout == whole.stdout
    piped = run(tmp_path, "decode", "tx", "--idl", str(IDL), "-", stdin=json.dumps(answer))
    assert (piped.returncode, piped.stdout) == (0, whole.stdout)


def test_log_lines_alone_are_enough_for_what_they_hold(encoder: Encoder, tmp_path: Path) -> None:
    answer = record(encoder, data=[encoder.event("OrderFilled", sample_fields("OrderFilled"))], cpi=[])
    told = decode(tmp_path, {"logs": answer["result"]["meta"]["logMessages"]})
    assert told.returncode == 0
    assert json.loads(told.stdout)["name"] == "OrderFilled"


def test_what_cannot_be_decoded_goes_to_stderr_with_status_1(encoder: Encoder, tmp_path: Path) -> None:
    good = encoder.event("OrderFilled", sample_fields("OrderFilled"))
    told = decode(tmp_path, record(encoder, data=[good, good + b"\0", b"\1" * 9], cpi=[]))
    assert told.returncode == 1
    assert len(told.stdout.splitlines()) == 1
    problems = [json.loads(line) for line in told.stderr.splitlines()]
    assert len(problems) == 2
    assert all(problem["reason"] for problem in problems)


def test_a_failed_transaction_has_no_events(encoder: Encoder, tmp_path: Path) -> None:
    answer = record(encoder, data=[encoder.event("OrderFilled", sample_fields("OrderFilled"))], cpi=[])
    answer["result"]["meta"]["err"] = {"InstructionError": [0, {"Custom": 6000}]}
    told = decode(tmp_path, answer)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        ("no json", 1, ["tx.json", "JSON"]),
        ("{}", 1, ["tx.json", "transaction"]),
        ("[1, 2]", 1, ["tx.json", "transaction"]),
    ],
)
def test_a_file_that_is_no_transaction_is_named(
    document: str, status: int, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "tx.json").write_text(document)
    refused(run(tmp_path, "decode", "tx", "--idl", str(IDL), "tx.json"), status, *words)


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    refused(run(tmp_path, "decode", "tx", "--idl", str(IDL), "absent.json"), 2, "absent.json", "No such file")


def test_an_idl_that_is_absent_is_named(tmp_path: Path) -> None:
    refused(
        run(tmp_path, "decode", "tx", "--idl", "absent.json", "tx.json"),
        2,
        "--idl absent.json",
        "No such file",
    )


@pytest.mark.parametrize("document", ["no json", "[]", "{}", '{"instructions": 7}'])
def test_an_idl_that_is_none_is_named(document: str, tmp_path: Path) -> None:
    (tmp_path / "idl.json").write_text(document)
    refused(run(tmp_path, "decode", "tx", "--idl", "idl.json", "tx.json"), 2, "idl.json")


def test_a_program_that_is_no_address_is_named(encoder: Encoder, tmp_path: Path) -> None:
    answer = record(encoder, data=[encoder.event("OrderFilled", sample_fields("OrderFilled"))], cpi=[])
    refused(decode(tmp_path, answer, "--program", "zzz"), 2, "--program 'zzz' is no address")


def test_the_idl_of_another_program_is_told(encoder: Encoder, tmp_path: Path) -> None:
    answer = record(encoder, data=[encoder.event("OrderFilled", sample_fields("OrderFilled"))], cpi=[])
    refused(decode(tmp_path, answer, "--program", COMPUTE_BUDGET), 1, COMPUTE_BUDGET, str(encoder.address))


def test_accounts_are_decoded_from_what_a_node_answers(tmp_path: Path) -> None:
    document = {
        "address": WALLET,
        "metadata": {"name": "made", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [],
        "accounts": [{"name": "Kept", "discriminator": [9]}],
        "types": [{"name": "Kept", "type": {"kind": "struct", "fields": [{"name": "x", "type": "u64"}]}}],
    }
    (tmp_path / "idl.json").write_text(json.dumps(document))
    data = Encoder(document).account("Kept", {"x": 2**60})
    value = {"owner": WALLET, "lamports": 1, "data": [base64.b64encode(data).decode(), "base64"]}
    (tmp_path / "account.json").write_text(
        json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"value": value}})
    )
    told = run(tmp_path, "decode", "account", "--idl", "idl.json", "account.json")
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout) == {
        "address": None,
        "program": WALLET,
        "name": "Kept",
        "fields": {"x": str(2**60)},
    }
    (tmp_path / "account.json").write_text("{}")
    refused(
        run(tmp_path, "decode", "account", "--idl", "idl.json", "account.json"),
        1,
        "account.json",
        "no account",
    )
