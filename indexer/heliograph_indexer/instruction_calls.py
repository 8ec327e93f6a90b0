"""From a transaction to the rows of its instructions: read by the IDL in force, else by another of the program. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph_core.event import EventKey
from heliograph_core.instruction import ACCOUNT_PREFIX, FIRST_ORDINAL, InstructionCall
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.versions import Versions
from heliograph_indexer.instructions import DecodedInstruction, decode_instructions, read_again


def decode_calls(
    transaction: Transaction,
    slot: Slot,
    decoders: Mapping[str, Decoder],
    versions: Mapping[str, Versions],
    error: str | None,
) -> tuple[InstructionCall, ...]:
    """What was asked of the programs in `decoders`, which are those in force at the slot.

    versions: of programs that have several IDLs. error: the IDL's name of what the transaction failed with.
    """
    calls = []
    for found in decode_instructions(transaction, decoders):
        since = 0
        several = versions.get(found.program)
        if several is not None:
            found, since = _read(found, several, slot.number)
        calls.append(_call(found, transaction, slot, since, error))
    return tuple(calls)


def read_stored(
    key: EventKey,
    program: str,
    caller: str | None,
    accounts: tuple[str, ...],
    data: bytes,
    decoders: Mapping[str, Decoder],
    versions: Mapping[str, Versions],
) -> InstructionCall | None:
    """An instruction that nothing read and that was kept, by the IDLs that there are now; None where none reads it.

    key: its ordinal is that of what instructions mean. How deep it stood is not kept, and no record has it.
    """
    decoder = decoders.get(program)
    if decoder is None:
        return None
    transaction = Transaction(key.signature, key.tx_index, None, None, None)
    slot = Slot(key.slot, key.block_time, ())
    position = key.ordinal - FIRST_ORDINAL
    kept = DecodedInstruction(
        program, caller, 1, position, None, None, None, {}, accounts, False, None, position, data
    )
    found, since = read_again(kept, decoder), 0
    several = versions.get(program)
    if several is not None:
        found, since = _read(read_again(kept, several.at(key.slot).decoder), several, key.slot)
    return None if found.name is None else _call(found, transaction, slot, since, None)


def _read(found: DecodedInstruction, versions: Versions, slot: int) -> tuple[DecodedInstruction, int]:
    force = versions.at(slot)
    if found.name is not None:
        return found, force.first_slot
    # A layout may be in force earlier or later than somebody said. The latest that fits is taken.
    for version in reversed(versions.versions):
        other = read_again(found, version.decoder)
        if other.name is not None:
            return other, version.first_slot
    return found, force.first_slot


def _call(
    found: DecodedInstruction, transaction: Transaction, slot: Slot, since: int, error: str | None
) -> InstructionCall:
    accounts = {f"{ACCOUNT_PREFIX}{name}": address for name, address in found.accounts.items()}
    return InstructionCall(
        block_time=slot.block_time,
        slot=slot.number,
        tx_index=transaction.tx_index,
        position=found.position,
        signature=transaction.signature,
        program=found.program,
        caller=found.caller,
        depth=found.depth,
        outer_index=found.index,
        inner_index=found.inner,
        failed=found.failed,
        error=error,
        name=found.name,
        fields={**(found.args or {}), **accounts},
        others=found.others,
        data=found.data,
        reason=found.reason,
        since=since,
    )
