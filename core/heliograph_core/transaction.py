"""One transaction as the cluster recorded it."""

from __future__ import annotations

import msgspec


class InnerInstruction(msgspec.Struct, frozen=True, gc=False):
    """An instruction that another instruction invoked. `depth` is its stack height: 2 for a direct callee.

    `data` is raw bytes (base58 in JSON-RPC); `accounts` are addresses in base58, lookup tables resolved.
    """

    program: str
    accounts: tuple[str, ...]
    data: bytes
    depth: int


class Instruction(msgspec.Struct, frozen=True, gc=False):
    """A top-level instruction and, in execution order, everything that it invoked at any depth."""

    program: str
    accounts: tuple[str, ...]
    data: bytes
    inner: tuple[InnerInstruction, ...] = ()


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """One transaction that mentions a program of the stream, failed ones included.

    tx_index: position among all transactions of its block, from 0.
    err: the cluster's error as JSON value, None where it succeeded.
    logs: log lines in order; None where the cluster keeps none (then only inner instructions tell).
    instructions: None where the transaction was served from the log cache, which knows only the lines.
    fee, priority_fee: lamports; fee includes priority_fee. version: "legacy", "0", "1".
    These and fee_payer, compute_units are None where the source does not know them.
    """

    signature: str
    tx_index: int
    err: object | None
    logs: tuple[str, ...] | None
    instructions: tuple[Instruction, ...] | None
    fee: int | None = None
    fee_payer: str | None = None
    priority_fee: int | None = None
    compute_units: int | None = None
    version: str | None = None

    @property
    def failed(self) -> bool:
        return self.err is not None
