"""Decodes the instructions of one transaction: arguments, accounts by name, outer and inner. Pure; never raises on bytes.

In: a Transaction (its addresses are resolved, lookup tables included) and decoders by program. Out: in execution
order, what was asked of these programs. A program's self-invocations with the event tag are events, and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from heliograph_core.errors import DecodeError
from heliograph_core.transaction import InnerInstruction, Instruction, Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_indexer.idl.model import AccountMeta


class DecodedInstruction(msgspec.Struct, frozen=True, gc=False):
    """An instruction of a program whose IDL is known.

    index: position among the transaction's own instructions, from 0. inner: position among those that it invoked, None
    for itself. caller: the program that invoked it, None at depth 1 or where the record does not tell.
    name and args are None where no layout fits; reason then says why.
    accounts: address by the IDL's name, None for an optional account that was left out; others: what follows them.
    failed: the transaction failed, so this had no effect. position: among all instructions of the transaction in
    execution order, of any program, from 0. data: as sent.
    """

    program: str
    caller: str | None
    depth: int
    index: int
    inner: int | None
    name: str | None
    args: dict[str, Any] | None
    accounts: dict[str, str | None]
    others: tuple[str, ...]
    failed: bool
    reason: str | None = None
    position: int = 0
    data: bytes = b""


def decode_instructions(
    transaction: Transaction, decoders: Mapping[str, Decoder]
) -> tuple[DecodedInstruction, ...]:
    """Those of the programs in `decoders`; none where the source knows only log lines."""
    return tuple(
        msgspec.structs.replace(
            _decoded(index, inner, caller, instruction, decoders[instruction.program], transaction.failed),
            position=position,
            data=instruction.data,
        )
        for position, (index, inner, caller, instruction) in enumerate(_walk(transaction))
        if instruction.program in decoders and not instruction.data.startswith(EVENT_TAG)
    )


def read_again(undecoded: DecodedInstruction, decoder: Decoder) -> DecodedInstruction:
    """One that no layout fitted, by another IDL of its program."""
    given = InnerInstruction(undecoded.program, undecoded.others, undecoded.data, undecoded.depth)
    found = _decoded(undecoded.index, undecoded.inner, undecoded.caller, given, decoder, undecoded.failed)
    return msgspec.structs.replace(found, position=undecoded.position, data=undecoded.data)


def _walk(
    transaction: Transaction,
) -> Iterator[tuple[int, int | None, str | None, Instruction | InnerInstruction]]:
    for index, outer in enumerate(transaction.instructions or ()):
        yield index, None, None, outer
        stack = [outer.program]
        for number, inner in enumerate(outer.inner):
            del stack[max(inner.depth - 1, 0) :]
            # A record whose depths leap says nothing about who invoked whom.
            known = len(stack) == inner.depth - 1 > 0
            yield index, number, stack[-1] if known else None, inner
            if known:
                stack.append(inner.program)


def _decoded(
    index: int,
    inner: int | None,
    caller: str | None,
    instruction: Instruction | InnerInstruction,
    decoder: Decoder,
    failed: bool,
) -> DecodedInstruction:
    depth = instruction.depth if isinstance(instruction, InnerInstruction) else 1
    program, given = instruction.program, instruction.accounts
    try:
        name, args = decoder.instruction(instruction.data)
    except DecodeError as error:
        return DecodedInstruction(
            program, caller, depth, index, inner, None, None, {}, given, failed, str(error)
        )
    accounts, others, missing = _named(decoder.instruction_accounts(name), given, program)
    reason = f"{name} takes {missing} more accounts than it was given" if missing else None
    return DecodedInstruction(
        program, caller, depth, index, inner, name, args, accounts, others, failed, reason
    )


def _named(
    metas: Sequence[AccountMeta], given: tuple[str, ...], program: str
) -> tuple[dict[str, str | None], tuple[str, ...], int]:
    """Accounts by name, those beyond them, and how many that must be there are not.

    Anchor passes the program's own address for an optional account that is left out; at the end it may be absent.
    """
    accounts: dict[str, str | None] = {}
    for meta, address in zip(metas, given, strict=False):
        accounts[meta.name] = None if meta.optional and address == program else address
    absent = metas[len(given) :]
    accounts.update({meta.name: None for meta in absent})
    return accounts, given[len(metas) :], sum(not meta.optional for meta in absent)
