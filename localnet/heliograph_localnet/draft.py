"""What a program wants to have happened: a transaction before the chain gives it a place. Values only.

A draft states the outcome (logs, inner instructions, account writes, error); the chain adds what a cluster
adds: a signature, a slot, a position in the block, fees, balances, truncated logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

Version = Literal["legacy", "0", "1"]

SYSTEM_PROGRAM = "11111111111111111111111111111111"
VOTE_PROGRAM = "Vote111111111111111111111111111111111111111"
COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111"
SIGNATURE_FEE = 5_000
"""Lamports a signature."""

NO_WRITES: Mapping[str, AccountData | None] = MappingProxyType({})


class AccountData(msgspec.Struct, frozen=True, gc=False):
    """One account's contents. owner: base58 address of the owning program; lamports: above 0 while alive."""

    owner: str
    lamports: int
    data: bytes = b""
    executable: bool = False


class DraftInner(msgspec.Struct, frozen=True, gc=False):
    """An inner instruction, in execution order. depth: its stack height, 2 for a direct callee, at most 9."""

    program: str
    accounts: tuple[str, ...]
    data: bytes
    depth: int


class DraftInstruction(msgspec.Struct, frozen=True, gc=False):
    """A top-level instruction and everything that it invoked, at any depth, in execution order."""

    program: str
    accounts: tuple[str, ...]
    data: bytes
    inner: tuple[DraftInner, ...] = ()


class Draft(msgspec.Struct, frozen=True, gc=False):
    """One transaction, addresses in base58.

    logs: every line as the runtime would print it, whole; the chain cuts them at 10,000 bytes as a node does.
    err: the cluster's error as JSON value (`{"InstructionError": [0, {"Custom": 6000}]}`), None on success.
    compute_units: what it consumed. priority_fee: lamports paid above the signatures' fee. writes: new
    contents by address, None closes the account; ignored where err is set, as a cluster rolls back. They
    stand as given: the fee is taken from the fee payer before, so that a write to it decides what it holds.
    signers: who signs beside the fee payer. loaded: accounts that come from a lookup table (version "0"
    only). wire: the serialized transaction as a client sent it; where None the chain builds one with
    signatures derived from its seed: plausible 64 bytes, which no key verifies.
    """

    fee_payer: str
    instructions: tuple[DraftInstruction, ...]
    logs: tuple[str, ...] = ()
    err: object | None = None
    compute_units: int = 0
    priority_fee: int = 0
    writes: Mapping[str, AccountData | None] = NO_WRITES
    version: Version = "legacy"
    signers: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    wire: bytes | None = None

    @property
    def vote(self) -> bool:
        """Whether it is a simple vote, which logsSubscribe's `all` leaves out."""
        return len(self.instructions) == 1 and self.instructions[0].program == VOTE_PROGRAM
