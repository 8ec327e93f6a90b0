"""Acts that share a transaction keep their order, their ordinals and the one failure that a transaction can have."""

from __future__ import annotations

from importlib.resources import files

import pytest

from heliograph_localnet.act import Act, candidates, together
from heliograph_localnet.scripted import Said, ScriptedProgram

PROGRAM = ScriptedProgram((files("heliograph_indexer") / "idls" / "godark_vault.json").read_bytes())
PAYER = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
FIELDS = {"wallet": PAYER, "mint": PAYER, "amount": 5, "free_after": 5, "locked_after": 0, "timestamp": 1}


def deposit(manner: str, row: dict[str, object]) -> Said:
    return Said("CollateralDeposited", FIELDS, manner, (("perps.transfers", row),))  # type: ignore[arg-type]


def test_every_payload_line_and_self_invocation_takes_an_ordinal() -> None:
    act = PROGRAM.act(
        PAYER,
        [deposit("data", {}), deposit("log", {}), deposit("cpi", {})],
        instruction="deposit",
        args={"amount": 1},
    )
    assert [each.ordinal for each in act.stated] == [1, 2, 3]
    assert candidates(act.draft) == 4


def test_in_one_transaction_ordinals_go_on_where_the_act_before_ended() -> None:
    first = PROGRAM.act(PAYER, [deposit("cpi", {"n": 1})], instruction="deposit", args={"amount": 1})
    second = PROGRAM.act(PAYER, [deposit("data", {"n": 2})], rows=[("perps.markets", {"n": 3})])
    both = together(first, second)
    assert [(each.ordinal, each.row) for each in both.stated] == [
        (1, {"n": 1}),
        (2, {"n": 2}),
        (None, {"n": 3}),
    ]
    assert both.draft.instructions == first.draft.instructions + second.draft.instructions
    assert both.draft.logs == first.draft.logs + second.draft.logs


def test_a_failure_of_the_last_undoes_all_and_names_the_instruction() -> None:
    error = PROGRAM.encoder.idl.errors[0]
    good = PROGRAM.act(PAYER, [deposit("data", {})])
    bad = PROGRAM.act(PAYER, [deposit("data", {})], error=error.name)
    assert bad.stated == ()
    both = together(good, bad)
    assert both.draft.err == {"InstructionError": [1, {"Custom": error.code}]}
    assert both.stated == ()
    with pytest.raises(ValueError, match="only the last"):
        together(bad, good)


def test_an_upgraded_program_states_in_its_new_layout() -> None:
    newer = PROGRAM.upgraded(PROGRAM.document)
    assert newer.address == PROGRAM.address
    act: Act = newer.act(PAYER, [deposit("data", {})], rows=[("perps.markets", {})])
    assert [(each.event, each.layout) for each in act.stated] == [("CollateralDeposited", 1), (None, 1)]
