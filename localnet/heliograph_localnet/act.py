"""What happens in a scenario of a real protocol, and what must come of it. Values only.

A scenario is a sequence of steps: an Act lands in the open slot, a Wait closes slots. What must be in the database
afterwards is stated with each act, in columns, by whoever wrote the scenario; the place of a row (slot, tx_index,
ordinal, signature, block_time) is known once the act has landed, and Books adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_localnet.draft import Draft
from heliograph_localnet.now import Now

Row = Mapping[str, Any]
Clock = Callable[[], Now]
"""Slot and unix seconds of the open slot."""


class Stated(msgspec.Struct, frozen=True):
    """One row that must come of an act.

    table: as the database calls it, "perps.trades". row: columns without the place; of perps.positions the
    lifecycle as the event leaves it, of perps.markets and perps.balances what is known from here on. A value that is a
    function is asked with the place of the row ("signature", "ordinal", …) once that is known. ordinal: of
    the event that it comes of, None where an account that the act wrote tells it. program: who said it. event, layout:
    which event of which of the program's IDLs (counted by the scenario), None for an account.
    """

    table: str
    row: Row
    program: str
    ordinal: int | None = None
    event: str | None = None
    layout: int = 0


class Act(msgspec.Struct, frozen=True):
    """One transaction. stated: in the order in which its events were said."""

    draft: Draft
    stated: tuple[Stated, ...] = ()


class Wait(msgspec.Struct, frozen=True):
    """The open slot closes, and `slots` - 1 empty ones after it. skip: they make no block; what was asked lands later.

    seconds: by which the clock of the cluster leaps ahead before the next slot, beside what the slots take.
    """

    slots: int = 1
    skip: bool = False
    seconds: int = 0


Step = Act | Wait


def together(*acts: Act) -> Act:
    """One transaction with the instructions of all, in this order; the first one's payer pays.

    Raises ValueError where one but the last fails: a transaction ends with its first failure.
    """
    first = acts[0].draft
    if any(act.draft.err is not None for act in acts[:-1]):
        raise ValueError("only the last instruction of a transaction can fail")
    instructions = tuple(instruction for act in acts for instruction in act.draft.instructions)
    stated: list[Stated] = []
    offset = 0
    for act in acts:
        stated += [
            each if each.ordinal is None else msgspec.structs.replace(each, ordinal=each.ordinal + offset)
            for each in act.stated
        ]
        offset += candidates(act.draft)
    err = acts[-1].draft.err
    if err is not None:
        stated = []
        err = {"InstructionError": [len(instructions) - 1, err["InstructionError"][1]]}  # type: ignore[index]
    return Act(
        Draft(
            fee_payer=first.fee_payer,
            instructions=instructions,
            logs=tuple(line for act in acts for line in act.draft.logs),
            err=err,
            compute_units=sum(act.draft.compute_units for act in acts),
            writes={
                address: written for act in acts for address, written in (act.draft.writes or {}).items()
            },
        ),
        tuple(stated),
    )


def candidates(draft: Draft) -> int:
    """How many ordinals a transaction takes: see RawEvent. Logs must be whole."""
    lines = sum(
        len(line.removeprefix("Program data: ").split(" ")) if line.startswith("Program data: ") else 1
        for line in draft.logs
        if line.startswith(("Program data: ", "Program log: "))
    )
    inner = (each for instruction in draft.instructions for each in instruction.inner)
    return lines + sum(each.data.startswith(EVENT_TAG) for each in inner)
