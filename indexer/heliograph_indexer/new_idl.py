"""An IDL that arrives late: what it reads of the bytes that nothing read until now goes where it belongs.

The new rows of a slot that is long covered are a correction of it: one commit of kind `correct` a page, which stamps
the slots, so that subscribers are sent these slots' rows again. Once the IDL is stored no writer gets a row in that was
decoded without it, so that what is found undecoded then is all there will be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from heliograph_core.errors import DecodeError
from heliograph_core.event import Channel, Event, EventKey, RawEvent
from heliograph_core.instruction import InstructionCall
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.decode import DecodedSlot, DecodedTransaction, Layouts
from heliograph_indexer.event_layouts import layouts_of
from heliograph_indexer.idl.versions import Choice
from heliograph_indexer.instruction_calls import read_stored
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocol import Protocol
from heliograph_sql.batch import Batch
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventTables
from heliograph_sql.idls import (
    StoredIdl,
    UndecodedEvent,
    UndecodedPlace,
    add_idl,
    find_rows,
    list_idls,
    list_undecoded,
)
from heliograph_sql.plan import TablePlan
from heliograph_sql.streams import get_stream
from heliograph_sql.table_making import make_tables
from heliograph_sql.writer import Writer

_Found = tuple[UndecodedEvent, Event, RawEvent, Choice | None]
_Call = tuple[UndecodedEvent, InstructionCall]

PAGE_ROWS = 2000
"""Undecoded rows that are read, and decoded again, at once."""


class Arrived(msgspec.Struct, frozen=True):
    """stored: the IDL. decoded: undecoded rows that it reads. left: those that still nothing reads.

    changes: a line for each field whose type it changes, and that therefore has a column more.
    """

    stored: StoredIdl
    decoded: int
    left: int
    changes: tuple[str, ...] = ()


async def add_new_idl(
    database: Database,
    stream: str,
    protocol: Protocol,
    *,
    program: str,
    first_slot: int,
    document: bytes,
    holder: str,
    page_rows: int = PAGE_ROWS,
) -> Arrived:
    """Stores the IDL as in force from `first_slot` and decodes again what fits it. Adding it again decodes again.

    A running indexer and other writers read it when they commit next. Raises SettingsError where another is there
    from that slot, IdlError, and DatabaseError where somebody altered a table.
    """
    stored = await list_idls(database, stream)
    others = [each for each in stored if (each.program, each.first_slot) != (program, first_slot)]
    given = StoredIdl(program, first_slot, "", document.decode())
    before = Layouts.of(protocol, others)
    row = await get_stream(database, stream)
    instructions = row is not None and row.instructions
    # The tables come first: an IDL that they cannot hold must not stop the indexer later.
    made = await make_tables(
        database, stream, layouts_of(Layouts.of(protocol, [*others, given], instructions=instructions))
    )
    tables = made.tables
    added = await add_idl(database, stream, program, first_slot, document)
    after = Layouts.of(protocol, [*others, added])
    writer = Writer(database, stream, holder, event_tables=tables)
    decoded = left = 0
    place = (0, 0, 0, 0)
    while page := await list_undecoded(database, stream, after=place, limit=page_rows):
        place = page[-1].place
        events = [event for row in page if (event := _read(row, before, after)) is not None]
        events = await _missing(database, tables, events)
        calls = [call for row in page if (call := _read_call(row, before, after)) is not None]
        batch = _batch(stream, protocol, events, calls)
        # What the new IDL reads and the protocol still cannot project lies there for another reason.
        failed = {(one.key.slot, one.key.tx_index, one.key.ordinal) for one in batch.undecoded}
        places = [each[0].place for each in events]
        places += [row.place for row, _ in calls if row.place[1:] not in failed]
        if places:
            batch = msgspec.structs.replace(
                batch, undecoded=[one for one in batch.undecoded if one.channel is not Channel.INSTRUCTION]
            )
            await writer.supply(batch, places)
        decoded += len(places)
        left += len(page) - len(places)
    return Arrived(added, decoded, left, made.changes)


def _read(row: UndecodedEvent, before: Layouts, after: Layouts) -> _Found | None:
    """The event, where only the new IDL reads it. What was read before lies there for another reason."""
    if row.channel not in list(Channel) or row.channel == Channel.INSTRUCTION:
        return None
    channel = Channel(row.channel)
    # How deep it stood is not kept, and no table has it.
    raw = RawEvent(row.program, row.caller, 1 if row.caller is None else 2, channel, row.ordinal, row.data)
    if _event(raw, row.slot, before) is not None:
        return None
    found = _event(raw, row.slot, after)
    if found is None:
        return None
    key = EventKey(row.block_time, row.slot, row.tx_index, row.ordinal, row.signature)
    name, fields, choice = found
    since = after.since(row.program, row.slot, choice)
    return row, Event(key, row.program, row.caller, raw.depth, channel, name, fields, since), raw, choice


def _read_call(row: UndecodedEvent, before: Layouts, after: Layouts) -> _Call | None:
    """The instruction, where only the new IDL reads it."""
    if row.channel != Channel.INSTRUCTION or row.accounts is None:
        return None
    key = EventKey(row.block_time, row.slot, row.tx_index, row.ordinal, row.signature)
    kept = key, row.program, row.caller, tuple(row.accounts), row.data
    if read_stored(*kept, before.decoders, before.versions) is not None:
        return None
    call = read_stored(*kept, after.decoders, after.versions)
    return None if call is None else (row, call)


async def _missing(database: Database, tables: EventTables, events: Sequence[_Found]) -> list[_Found]:
    """Without those whose row is there already: such an event lies there for another reason, NUL in a text say."""
    by_plan: dict[TablePlan, list[UndecodedPlace]] = {}
    for row, event, _, _ in events:
        by_plan.setdefault(tables[event.program, event.name].plan, []).append(row.place)
    there: set[UndecodedPlace] = set()
    for plan, places in by_plan.items():
        there |= await find_rows(database, plan, places)
    return [each for each in events if each[0].place not in there]


def _event(raw: RawEvent, slot: int, layouts: Layouts) -> tuple[str, dict[str, Any], Choice | None] | None:
    try:
        return layouts.event(raw, slot)
    except DecodeError:
        return None


def _batch(stream: str, protocol: Protocol, found: Sequence[_Found], calls: Sequence[_Call]) -> Batch:
    slots = []
    for row, event, raw, choice in found:
        transaction = Transaction(row.signature, row.tx_index, None, None, None)
        choices = () if choice is None else (choice,)
        decoded = DecodedTransaction(transaction, (event,), (raw,), (), None, False, choices)
        slots.append(DecodedSlot(Slot(row.slot, row.block_time, ()), (decoded,)))
    for row, call in calls:
        transaction = Transaction(row.signature, row.tx_index, None, None, None)
        decoded = DecodedTransaction(transaction, (), (), (), None, False, (), (call,))
        slots.append(DecodedSlot(Slot(row.slot, row.block_time, ()), (decoded,)))
    slots.sort(key=lambda slot: slot.slot.number)
    projected = project_slots(stream, slots, protocol)
    return Batch(
        stream=stream,
        first=min((slot.slot.number for slot in slots), default=0),
        last=max((slot.slot.number for slot in slots), default=0),
        origin="heal",
        events=[each[1] for each in found],
        undecoded=projected.undecoded,
        records=projected.records,
        states=projected.states,
        incidents=projected.incidents,
        originals={(row.slot, row.tx_index, row.ordinal): raw for row, _, raw, _ in found},
    )
