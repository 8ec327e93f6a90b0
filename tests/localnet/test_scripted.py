"""A scripted program's drafts are what a runtime records of a program that says and does the same."""

from __future__ import annotations

import base64
from importlib.resources import files

import pytest

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority
from heliograph_localnet.chain import Chain
from heliograph_localnet.scripted import RENT, Said, ScriptedProgram

DOCUMENT = (files("heliograph_indexer") / "idls" / "godark_vault.json").read_bytes()
PAYER = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
DEPOSIT = {
    "wallet": PAYER,
    "mint": PAYER,
    "amount": 5,
    "free_after": 5,
    "locked_after": 0,
    "timestamp": 1,
}


@pytest.fixture
def program() -> ScriptedProgram:
    return ScriptedProgram(DOCUMENT)


def test_an_event_is_said_in_each_manner(program: ScriptedProgram) -> None:
    payload = Encoder(DOCUMENT).event("CollateralDeposited", DEPOSIT)
    text = base64.b64encode(payload).decode()
    name = program.address
    draft = program.draft(
        PAYER,
        [
            Said("CollateralDeposited", DEPOSIT),
            Said("CollateralDeposited", DEPOSIT, "log"),
            Said("CollateralDeposited", DEPOSIT, "cpi"),
        ],
    )
    assert draft.logs == (
        f"Program {name} invoke [1]",
        f"Program data: {text}",
        f"Program log: {text}",
        f"Program {name} invoke [2]",
        f"Program {name} success",
        f"Program {name} success",
    )
    [inner] = draft.instructions[0].inner
    assert (inner.program, inner.accounts, inner.data, inner.depth) == (
        name,
        (event_authority(name),),
        EVENT_TAG + payload,
        2,
    )


def test_called_by_another_it_runs_below_it(program: ScriptedProgram) -> None:
    caller = event_authority(PAYER)
    draft = program.draft(PAYER, [Said("CollateralDeposited", DEPOSIT, "cpi")], caller=caller)
    [outer] = draft.instructions
    assert outer.program == caller
    assert [(inner.program, inner.depth) for inner in outer.inner] == [
        (program.address, 2),
        (program.address, 3),
    ]
    assert [line for line in draft.logs if "invoke" in line] == [
        f"Program {caller} invoke [1]",
        f"Program {program.address} invoke [2]",
        f"Program {program.address} invoke [3]",
    ]
    assert draft.logs[-1] == f"Program {caller} success"


@pytest.mark.parametrize("caller", [None, event_authority(PAYER)])
def test_a_failure_is_the_programs_own_error(program: ScriptedProgram, caller: str | None) -> None:
    error = program.encoder.idl.errors[0]
    draft = program.draft(PAYER, error=error.name, caller=caller)
    assert draft.err == {"InstructionError": [0, {"Custom": error.code}]}
    assert f"Program {program.address} failed: custom program error: {error.code:#x}" in draft.logs
    assert draft.logs[-1].startswith(f"Program {caller or program.address} failed: ")


def test_accounts_are_its_own_with_padding_behind_them() -> None:
    chain = Chain(seed=1)
    positions = ScriptedProgram((files("heliograph_indexer") / "idls" / "godark_positions.json").read_bytes())
    fields = dict.fromkeys(
        (
            "market_index",
            "mark_price",
            "index_price",
            "funding_rate",
            "open_interest_long",
            "open_interest_short",
        ),
        1,
    )
    market = {
        **fields,
        "symbol": "S",
        "base_asset": "B",
        "quote_asset": "Q",
        "oracle": PAYER,
        "tick_size": 1,
        "lot_size": 1,
        "initial_margin_ratio": 1,
        "maintenance_margin_ratio": 1,
        "taker_fee_rate": 1,
        "maker_fee_rate": -1,
        "funding_interval_seconds": 1,
        "created_slot": 1,
        "created_at": 1,
        "updated_slot": 1,
        "bump": 255,
    }
    account = positions.account("Market", market, padding=3)
    assert (account.owner, account.lamports) == (positions.address, RENT)
    assert account.data == positions.encoder.account("Market", market) + bytes(3)
    chain.submit(positions.draft(PAYER, writes={event_authority(PAYER): account}))
    assert chain.accounts.latest(event_authority(PAYER)) == account


def test_a_program_without_an_address_needs_one() -> None:
    document = b'{"name": "x", "version": "0.1.0", "instructions": []}'
    with pytest.raises(IdlError, match="names no address"):
        ScriptedProgram(document)
    assert ScriptedProgram(document, PAYER).address == PAYER
