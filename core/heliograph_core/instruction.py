"""Instructions: what a transaction asked of a program, decoded."""

from __future__ import annotations

from typing import Any

import msgspec

FIRST_ORDINAL = 1_000_000
"""ordinal of a transaction's first instruction in what is made of instructions: behind every event of the transaction,
of which there cannot be as many."""

ACCOUNT_PREFIX = "account:"
"""In front of the name of an account among the fields of an InstructionCall: it may have an argument of the same name."""


class InstructionCall(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One instruction of a stream's program, outer or inner, of a transaction that succeeded or failed.

    position: among all instructions of the transaction, of any program, in execution order from 0. outer_index: among
    the transaction's own from 0; inner_index: among those that the outer one invoked, None for itself. caller: the
    program that invoked it, None at depth 1 or where the record does not tell.
    failed: the transaction failed, so this had no effect; error: the IDL's name of its error.
    name and fields: None where no layout fits, and `reason` says why. fields: arguments by the IDL's names, and under
    `account:NAME` the address of each account, None for an optional one that was left out. others: addresses beyond
    those that the IDL names. data: as sent. since: first slot of the IDL that read it, 0 where there is only one.
    """

    block_time: int
    slot: int
    tx_index: int
    position: int
    signature: str
    program: str
    caller: str | None
    depth: int
    outer_index: int
    inner_index: int | None
    failed: bool
    error: str | None
    name: str | None
    fields: dict[str, Any]
    others: tuple[str, ...]
    data: bytes
    reason: str | None = None
    since: int = 0

    @property
    def ordinal(self) -> int:
        """Of what is made of it."""
        return FIRST_ORDINAL + self.position
