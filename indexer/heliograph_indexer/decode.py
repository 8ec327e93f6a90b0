"""From a slot to its decoded events. Pure: a Slot and the stream's layouts in, DecodedSlot out; never raises on bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from heliograph_core.account import AccountState, AccountUpdate
from heliograph_core.errors import DecodeError
from heliograph_core.event import Channel, Event, EventKey, RawEvent, Undecoded
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.walk import walk

_FAILED = re.compile(r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: custom program error: 0x([0-9a-f]+)")


class Layouts(msgspec.Struct, frozen=True):
    """How the programs of one stream speak: address to channels, address to decoder."""

    channels: Mapping[str, frozenset[Channel]]
    decoders: Mapping[str, Decoder]

    @classmethod
    def of(cls, protocol: Protocol) -> Layouts:
        """Those that ship with a protocol. Raises IdlError."""
        decoders = {address: Decoder(read_idl(document)) for address, document in protocol.idls().items()}
        return cls(protocol.channels(), decoders)


class DecodedTransaction(msgspec.Struct, frozen=True, gc=False):
    """One transaction and what its programs said. Events and undecoded are in execution order.

    raw: what each of `events` was decoded from, in the same order.
    error_name: the IDL's name of a custom error, None where it succeeded or the IDL does not name it.
    truncated: the cluster cut the log lines, so events by log may be missing.
    """

    transaction: Transaction
    events: tuple[Event, ...]
    raw: tuple[RawEvent, ...]
    undecoded: tuple[Undecoded, ...]
    error_name: str | None
    truncated: bool


class DecodedSlot(msgspec.Struct, frozen=True, gc=False):
    """A slot's transactions, decoded, in block order."""

    slot: Slot
    transactions: tuple[DecodedTransaction, ...]


def decode_slot(slot: Slot, layouts: Layouts) -> DecodedSlot:
    """Every event of the slot; what fits no layout is kept as Undecoded with the reason."""
    return DecodedSlot(
        slot, tuple(decode_transaction(transaction, slot, layouts) for transaction in slot.transactions)
    )


def decode_transaction(transaction: Transaction, slot: Slot, layouts: Layouts) -> DecodedTransaction:
    """The events of one transaction that stands in `slot`."""
    name = error_name(transaction, layouts.decoders)
    walked = walk(transaction, layouts.channels)
    events: list[Event] = []
    originals: list[RawEvent] = []
    undecoded: list[Undecoded] = []
    for raw in walked.events:
        key = EventKey(slot.block_time, slot.number, transaction.tx_index, raw.ordinal, transaction.signature)
        made = _decoded(raw, key, layouts.decoders.get(raw.program))
        if isinstance(made, Event):
            events.append(made)
            originals.append(raw)
        elif made is not None:
            undecoded.append(made)
    return DecodedTransaction(
        transaction, tuple(events), tuple(originals), tuple(undecoded), name, walked.truncated
    )


def decode_account(update: AccountUpdate, program: str, layouts: Layouts) -> AccountState:
    """program: the stream's program whose account it is or was. A closed account has neither name nor fields."""
    name, fields, reason = None, None, None
    decoder = layouts.decoders.get(program)
    if not update.closed:
        if decoder is None:
            reason = f"no IDL of {program} is known"
        else:
            try:
                name, fields = decoder.account(update.data)
            except DecodeError as error:
                reason = str(error)
    return AccountState(
        update.address, program, update.slot, update.lamports, update.data, name, fields, reason
    )


def error_name(transaction: Transaction, decoders: Mapping[str, Decoder]) -> str | None:
    """The IDL's name of a custom error: of the program that failed first, which is the innermost one."""
    found = _custom_code(transaction.err)
    if found is None:
        return None
    instruction, code = found
    program = _failed_program(transaction, code)
    if (
        program is None
        and transaction.instructions is not None
        and instruction < len(transaction.instructions)
    ):
        program = transaction.instructions[instruction].program
    decoder = decoders.get(program) if program is not None else None
    definition = decoder.idl.error(code) if decoder is not None else None
    return definition.name if definition is not None else None


def _custom_code(err: object | None) -> tuple[int, int] | None:
    """(instruction, code) of {"InstructionError": [instruction, {"Custom": code}]}."""
    match err:
        case {"InstructionError": [int(instruction), {"Custom": int(code)}]}:
            return instruction, code
    return None


def _failed_program(transaction: Transaction, code: int) -> str | None:
    for line in transaction.logs or ():
        if (found := _FAILED.fullmatch(line)) is not None:
            return found[1] if int(found[2], 16) == code else None
    return None


def _decoded(raw: RawEvent, key: EventKey, decoder: Decoder | None) -> Event | Undecoded | None:
    """None for a line of text on the LOG channel, which carries both."""
    if decoder is None:
        return Undecoded(key, raw.program, raw.channel, raw.data, f"no IDL of {raw.program} is known")
    try:
        name, fields = decoder.event(raw.data)
    except DecodeError as error:
        if raw.channel is Channel.LOG and not _begins_like_an_event(raw.data, decoder):
            return None
        return Undecoded(key, raw.program, raw.channel, raw.data, str(error))
    return Event(key, raw.program, raw.caller, raw.depth, raw.channel, name, fields)


def _begins_like_an_event(data: bytes, decoder: Decoder) -> bool:
    return any(data.startswith(layout.discriminator) for layout in decoder.idl.events)
