"""Any program's IDL is enough: its schema, its tables, and every event stored as it was encoded."""

from __future__ import annotations

import base64
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.peers.made_values import MadeValues
from tests.peers.stored_rows import as_stored, stored, tables_by_item

from heliograph_core.account import AccountUpdate
from heliograph_core.slot import Slot, Span
from heliograph_core.transaction import Instruction, Transaction
from heliograph_indexer.decode import decode_account, decode_slot
from heliograph_indexer.event_store import open_layouts
from heliograph_indexer.idl.encoder import Encoder
from heliograph_indexer.idl.model import Defined, Idl, Pubkey, Struct, Type
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.pipeline import make_batch
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocols import ANCHOR, protocol_of
from heliograph_sql.database import Database
from heliograph_sql.removal import remove_stream
from heliograph_sql.streams import get_stream
from heliograph_sql.writer import Writer

SHARED = Path(__file__).resolve().parents[3] / "shared" / "idl"
PROGRAM = "BifeNpFVFxQy9RnUkgbi1u2daTDbWJ1ZPUeZVSwtf7Qg"
SEED = 20_261_122
TIME = 1_790_000_000
KEY = Pubkey()
DOCUMENTS = {file.stem: file.read_bytes() for file in sorted(SHARED.glob("*.json"))}
needs_idls = pytest.mark.skipif(not DOCUMENTS, reason="the real IDLs of ../shared are absent")


def slots_of(
    idl: Idl, encoder: Encoder, values: MadeValues
) -> tuple[list[Slot], list[dict[str, Any]], list[Any]]:
    """A slot an event, a slot an instruction."""
    slots, events, calls = [], [], []
    for number, event in enumerate(idl.events, 1):
        fields = values.struct(event.type)
        events.append(fields)
        said = base64.b64encode(encoder.event(event.name, fields)).decode()
        logs = (f"Program {PROGRAM} invoke [1]", f"Program data: {said}", f"Program {PROGRAM} success")
        slots.append(Slot(number, TIME, (Transaction(f"s{number}", 0, None, logs, None),)))
    for number, instruction in enumerate(idl.instructions, len(slots) + 1):
        args = values.struct(instruction.args)
        accounts = tuple(str(values.of(KEY)) for _ in range(len(instruction.accounts) + 1))
        calls.append((args, accounts))
        data = encoder.instruction(instruction.name, args)
        asked = Instruction(PROGRAM, accounts, data)
        slots.append(Slot(number, TIME, (Transaction(f"s{number}", 0, None, (), (asked,)),)))
    return slots, events, calls


def is_struct(idl: Idl, type_: Type) -> bool:
    while isinstance(type_, Defined):
        type_ = idl.types[type_.name].type
    return isinstance(type_, Struct)


@needs_idls
@pytest.mark.parametrize("file", DOCUMENTS)
async def test_every_item_of_a_real_idl_is_stored_as_it_was_encoded(database: Database, file: str) -> None:
    print("seed", SEED)
    document = DOCUMENTS[file]
    encoder = Encoder(document)
    idl, values = encoder.idl, MadeValues(encoder.idl, Random(SEED))
    stream, tables = await add_new_stream(
        database,
        "any",
        protocol=ANCHOR,
        programs=[PROGRAM],
        documents={PROGRAM: document},
        first_slot=1,
        instructions=True,
    )
    protocol = protocol_of(stream)
    layouts = await open_layouts(database, "any", protocol)
    slots, events, calls = slots_of(idl, encoder, values)
    decoded = [decode_slot(slot, layouts) for slot in slots]
    projected = project_slots("any", decoded, protocol)
    writer = Writer(database, "any", "test", event_tables=tables)
    span = Span(1, max(len(slots), 1), tuple(slots))
    await writer.commit(make_batch("any", span, decoded, projected, "live"), epoch=None)
    states = {}
    for account in idl.accounts:
        fields = values.of(account.type)
        address = values.of(KEY)
        data = encoder.account(account.name, fields) + bytes(5)
        update = AccountUpdate(address, PROGRAM, 7, 1_000, data)
        state = decode_account(update, PROGRAM, layouts)
        assert state.name == account.name, state.reason
        states[account.name] = fields
        await writer.commit_accounts([state], [], through=None, epoch=None)

    assert projected.undecoded == []
    places = await tables_by_item(database, "any")
    for event, fields in zip(idl.events, events, strict=True):
        table = places["event", PROGRAM, event.name]
        assert [row["fields"] for row in await stored(database, "any", table, "slot")] == [
            as_stored(fields, table)
        ]
    for instruction, (args, accounts) in zip(idl.instructions, calls, strict=True):
        table = places["instruction", PROGRAM, instruction.name]
        [row] = await stored(database, "any", table, "slot")
        named = {
            f"account:{meta.name}": key for meta, key in zip(instruction.accounts, accounts, strict=False)
        }
        assert row["fields"] == as_stored({**args, **named}, table)
        assert row["other_accounts"] == [accounts[-1]]
    for name, fields in states.items():
        if not is_struct(idl, next(each.type for each in idl.accounts if each.name == name)):
            continue
        table = places["account", PROGRAM, name]
        [row] = await stored(database, "any", table, "address")
        assert (row["slot"], row["fields"]) == (7, as_stored(fields, table))
    async with database.acquire() as connection:
        assert await connection.fetch("SELECT * FROM heliograph.undecoded") == []
        assert await connection.fetch("SELECT * FROM heliograph.incidents") == []
        bare = await connection.fetch(BARE)
    assert bare == []
    again, _ = await add_new_stream(
        database,
        "any",
        protocol=ANCHOR,
        programs=[PROGRAM],
        documents={PROGRAM: document},
        first_slot=1,
        instructions=True,
    )
    assert again.programs == stream.programs
    await remove_stream(database, "any")
    assert await get_stream(database, "any") is None


BARE = """
SELECT c.relname, a.attname
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'any'::regnamespace
  AND c.relkind = 'r'
  AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL
       OR length(c.relname) = 64)
"""
