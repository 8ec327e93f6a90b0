"""From a slot to its decoded events. Pure: a Slot and the stream's layouts in, DecodedSlot out; never raises on bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from heliograph_core.account import AccountState, AccountUpdate
from heliograph_core.errors import DecodeError
from heliograph_core.event import Channel, Event, EventKey, RawEvent, Undecoded
from heliograph_core.instruction import InstructionCall
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.idl.versions import Choice, Version, Versions
from heliograph_indexer.instruction_calls import decode_calls
from heliograph_indexer.protocol import Protocol, reads_instructions
from heliograph_indexer.walk import walk
from heliograph_sql.idls import StoredIdl

_FAILED = re.compile(r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: custom program error: 0x([0-9a-f]+)")


class Layouts(msgspec.Struct, frozen=True):
    """How the programs of one stream speak: address to channels, address to the decoder of the latest IDL.

    versions: of the programs that have more than one IDL, all of them. only: of the others, the one, where it is known
    since when and of which document. added: how many IDLs were added to the stream, which a writer has to tell.
    instructions: the stream wants them in tables. calls: they are decoded, for the tables or for the protocol.
    """

    channels: Mapping[str, frozenset[Channel]]
    decoders: Mapping[str, Decoder]
    versions: Mapping[str, Versions] = {}
    only: Mapping[str, Version] = {}
    added: int = 0
    instructions: bool = False
    calls: bool = False

    @classmethod
    def of(
        cls,
        protocol: Protocol,
        stored: Iterable[StoredIdl] = (),
        added: int = 0,
        *,
        instructions: bool = False,
    ) -> Layouts:
        """What ships with a protocol, in force from slot 0, and what was added since. Raises IdlError."""
        found: dict[str, dict[int, Version]] = {}
        for address, document in protocol.idls().items():
            digest = hashlib.sha256(document).hexdigest()
            found[address] = {0: Version(0, digest, Decoder(read_idl(document)))}
        for each in stored:
            version = Version(each.first_slot, each.sha256, Decoder(read_idl(each.document)))
            found.setdefault(each.program, {})[each.first_slot] = version
        versions = {address: Versions(tuple(each.values())) for address, each in found.items()}
        return cls(
            protocol.channels(),
            {address: each.latest.decoder for address, each in versions.items()},
            {address: each for address, each in versions.items() if len(each.versions) > 1},
            {address: each.latest for address, each in versions.items() if len(each.versions) == 1},
            added,
            instructions,
            instructions or reads_instructions(protocol),
        )

    def history(self, program: str) -> tuple[Version, ...]:
        """Every IDL of the program, the earliest first."""
        if program in self.versions:
            return self.versions[program].versions
        return (self.only[program],) if program in self.only else ()

    def at(self, slot: int) -> Mapping[str, Decoder]:
        """The decoders in force at a slot."""
        if not self.versions:
            return self.decoders
        return {
            **self.decoders,
            **{address: each.at(slot).decoder for address, each in self.versions.items()},
        }

    def event(self, raw: RawEvent, slot: int) -> tuple[str, dict[str, Any], Choice | None]:
        """Raises DecodeError where no IDL of the program fits, or is known."""
        versions = self.versions.get(raw.program)
        if versions is not None:
            return versions.event(raw.data, slot)
        return *self._decoder(raw.program).event(raw.data), None

    def account(self, program: str, data: bytes, slot: int) -> tuple[str, dict[str, Any], Choice | None]:
        """As event()."""
        versions = self.versions.get(program)
        if versions is not None:
            return versions.account(data, slot)
        return *self._decoder(program).account(data), None

    def since(self, program: str, slot: int, choice: Choice | None) -> int:
        """First slot of the IDL that read some bytes at `slot`; 0 for a program that has only one."""
        if choice is not None:
            return choice.taken.first_slot
        versions = self.versions.get(program)
        return 0 if versions is None else versions.at(slot).first_slot

    def knows_event(self, program: str, data: bytes) -> bool:
        """Whether the bytes begin as an event of the program, or nothing is known of it."""
        versions = self.versions.get(program)
        if versions is not None:
            return versions.knows_event(data)
        decoder = self.decoders.get(program)
        return decoder is None or decoder.knows_event(data)

    def _decoder(self, program: str) -> Decoder:
        decoder = self.decoders.get(program)
        if decoder is None:
            raise DecodeError(f"no IDL of {program} is known")
        return decoder


class DecodedTransaction(msgspec.Struct, frozen=True, gc=False):
    """One transaction and what its programs said. Events and undecoded are in execution order.

    raw: what each of `events` was decoded from, in the same order.
    error_name: the IDL's name of a custom error, None where it succeeded or the IDL does not name it.
    truncated: the cluster cut the log lines, so events by log may be missing.
    choices: where more than one IDL of a program had a say, who read the bytes. calls: where the stream wants them.
    """

    transaction: Transaction
    events: tuple[Event, ...]
    raw: tuple[RawEvent, ...]
    undecoded: tuple[Undecoded, ...]
    error_name: str | None
    truncated: bool
    choices: tuple[Choice, ...] = ()
    calls: tuple[InstructionCall, ...] = ()


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
    name = error_name(transaction, layouts.at(slot.number))
    walked = walk(transaction, layouts.channels)
    events: list[Event] = []
    originals: list[RawEvent] = []
    undecoded: list[Undecoded] = []
    choices: list[Choice] = []
    for raw in walked.events:
        key = EventKey(slot.block_time, slot.number, transaction.tx_index, raw.ordinal, transaction.signature)
        try:
            event, fields, choice = layouts.event(raw, slot.number)
        except DecodeError as error:
            # The LOG channel carries text too, some of which happens to be base64.
            if raw.channel is not Channel.LOG or layouts.knows_event(raw.program, raw.data):
                undecoded.append(Undecoded(key, raw.program, raw.channel, raw.data, str(error), raw.caller))
            continue
        since = layouts.since(raw.program, slot.number, choice) if layouts.versions else 0
        events.append(Event(key, raw.program, raw.caller, raw.depth, raw.channel, event, fields, since))
        originals.append(raw)
        if choice is not None:
            choices.append(choice)
    return DecodedTransaction(
        transaction,
        tuple(events),
        tuple(originals),
        tuple(undecoded),
        name,
        walked.truncated,
        tuple(choices),
        decode_calls(transaction, slot, layouts.at(slot.number), layouts.versions, name)
        if layouts.calls
        else (),
    )


def decode_account(update: AccountUpdate, program: str, layouts: Layouts) -> AccountState:
    """program: the stream's program whose account it is or was. A closed account has neither name nor fields."""
    name, fields, reason, since = None, None, None, 0
    if not update.closed:
        try:
            name, fields, choice = layouts.account(program, update.data, update.slot)
            since = layouts.since(program, update.slot, choice)
        except DecodeError as error:
            reason = str(error)
    return AccountState(
        update.address, program, update.slot, update.lamports, update.data, name, fields, reason, since
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
