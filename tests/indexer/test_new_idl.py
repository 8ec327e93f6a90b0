"""An IDL that arrives late: what nothing could read is read then, and goes where it belongs."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import DatabaseError, IdlConflict, SettingsError
from heliograph_core.slot import Slot, Span
from heliograph_core.transaction import Transaction
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.event_layouts import layouts_of
from heliograph_indexer.event_store import open_event_tables, open_layouts
from heliograph_indexer.new_idl import Arrived, add_new_idl
from heliograph_indexer.pipeline import make_batch
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_sql.database import Database
from heliograph_sql.idls import list_idls
from heliograph_sql.streams import add_stream, read_coverage
from heliograph_sql.table_making import make_tables
from heliograph_sql.writer import Writer

GODARK = PROTOCOLS["godark"]
COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE (table_schema, table_name) = ('godark', 'oracle_price_updated')
"""
PROGRAM = GODARK.programs["godark_positions"]
CALLER = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"


class Rig:
    """A stream in which slots 1 and 2 hold the old layout, 3 and 4 the new one, 5 what nothing reads."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def write(self, chain: Any) -> None:
        await add_stream(
            self.database, "godark", protocol="godark", programs=list(GODARK.programs.values()), first_slot=1
        )
        layouts = Layouts.of(GODARK)
        tables = (await make_tables(self.database, "godark", layouts_of(layouts))).tables
        old = [chain.slot(number) for number in (1, 2)]
        new = [chain.slot(number, chain.event(number * 1_000_000) + b"\7") for number in (3, 4)]
        slots = (*old, *new, chain.slot(5, chain.event(1) + b"\7\7"))
        decoded = [decode_slot(slot, layouts) for slot in slots]
        batch = make_batch(
            "godark",
            Span(1, 5, slots, 1_700_000_005),
            decoded,
            project_slots("godark", decoded, GODARK),
            "live",
        )
        await Writer(self.database, "godark", "test", event_tables=tables).commit(batch, epoch=None)

    async def add(self, document: bytes, first_slot: int = 3) -> Arrived:
        return await add_new_idl(
            self.database,
            "godark",
            GODARK,
            program=PROGRAM,
            first_slot=first_slot,
            document=document,
            holder="test",
            page_rows=2,
        )

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.acquire() as connection:
            return [tuple(row) for row in await connection.fetch(query)]


@pytest.fixture
async def rig(database: Database, oracle_chain: Any) -> Rig:
    rig = Rig(database)
    await rig.write(oracle_chain)
    return rig


async def test_what_fits_the_new_idl_leaves_the_undecoded_and_nothing_else_does(rig: Rig, grown: Any) -> None:
    assert await rig.fetch("SELECT slot FROM heliograph.undecoded ORDER BY slot") == [(3,), (4,), (5,)]
    arrived = await rig.add(grown())
    assert (arrived.decoded, arrived.left) == (2, 1)
    assert await rig.fetch("SELECT slot FROM heliograph.undecoded") == [(5,)]
    assert await rig.fetch("SELECT slot, venue FROM godark.oracle_price_updated ORDER BY slot") == [
        (1, None),
        (2, None),
        (3, 7),
        (4, 7),
    ]
    assert await rig.fetch("SELECT slot FROM perps.oracle_prices ORDER BY slot") == [(1,), (2,), (3,), (4,)]


def called(slot: Slot) -> Slot:
    """The slot with its transaction's program invoked by another."""
    (transaction,) = slot.transactions
    lines = [line.replace("[1]", "[2]") for line in transaction.logs or ()]
    logs = (f"Program {CALLER} invoke [1]", *lines, f"Program {CALLER} success")
    return Slot(slot.number, slot.block_time, (Transaction(transaction.signature, 0, None, logs, None),))


async def test_late_rows_equal_those_that_the_new_idl_reads_at_once(
    rig: Rig, oracle_chain: Any, grown: Any
) -> None:
    def slots(first: int) -> list[Slot]:
        new = [oracle_chain.slot(number, oracle_chain.event(7) + b"\7") for number in (first, first + 1)]
        return [new[0], called(new[1])]

    async def write(first: int) -> None:
        layouts = await open_layouts(rig.database, "godark", GODARK)
        tables = await open_event_tables(rig.database, "godark", layouts)
        decoded = [decode_slot(slot, layouts) for slot in slots(first)]
        batch = make_batch(
            "godark",
            Span(first, first + 1, tuple(slots(first)), 1_700_000_000 + first + 1),
            decoded,
            project_slots("godark", decoded, GODARK),
            "live",
        )
        writer = Writer(rig.database, "godark", "test", event_tables=tables, idl_count=layouts.added)
        await writer.commit(batch, epoch=None)

    await write(10)
    assert await rig.fetch(
        "SELECT slot, caller FROM heliograph.undecoded WHERE slot >= 10 ORDER BY slot"
    ) == [
        (10, None),
        (11, CALLER),
    ]
    await rig.add(grown())
    await write(20)
    for table in ("godark.oracle_price_updated", "perps.oracle_prices"):
        late, at_once = [
            await rig.fetch(
                f"SELECT to_jsonb(t) - 'slot' - 'block_time' - 'signature' FROM {table} t"
                f" WHERE slot BETWEEN {first} AND {first + 1} ORDER BY slot"
            )
            for first in (10, 20)
        ]
        assert len(late) == 2 and late == at_once
    assert await rig.fetch("SELECT caller FROM godark.oracle_price_updated WHERE slot = 11") == [(CALLER,)]


async def test_rows_that_were_decoded_without_the_new_idl_do_not_get_in(
    rig: Rig, oracle_chain: Any, grown: Any
) -> None:
    layouts = await open_layouts(rig.database, "godark", GODARK)
    tables = await open_event_tables(rig.database, "godark", layouts)
    writer = Writer(rig.database, "godark", "test", event_tables=tables, idl_count=layouts.added)
    decoded = [decode_slot(oracle_chain.slot(6), layouts)]
    batch = make_batch(
        "godark", oracle_chain.span(6, 6), decoded, project_slots("godark", decoded, GODARK), "live"
    )
    await rig.add(grown())
    with pytest.raises(IdlConflict, match="an IDL was added"):
        await writer.commit(batch, epoch=None)
    assert (await read_coverage(rig.database, "godark")).ranges == ((1, 5),)
    # The same IDL again is nothing new.
    opened = await open_layouts(rig.database, "godark", GODARK)
    await rig.add(grown())
    assert (layouts.added, opened.added) == (0, 1)
    assert (await open_layouts(rig.database, "godark", GODARK)).added == 1


async def test_late_rows_are_a_correction_of_their_slots(rig: Rig, grown: Any) -> None:
    await rig.add(grown())
    commits = await rig.fetch("SELECT seq, kind, first_slot, last_slot FROM heliograph.commits ORDER BY seq")
    assert commits == [(1, "apply", 1, 5), (2, "correct", 3, 4)]
    assert await rig.fetch("SELECT slot, seq FROM heliograph.slots ORDER BY slot") == [
        (1, 1),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 1),
    ]


async def test_adding_it_again_changes_nothing_and_another_from_that_slot_is_refused(
    rig: Rig, grown: Any
) -> None:
    first = await rig.add(grown())
    again = await rig.add(grown())
    assert (again.stored, again.decoded, again.left) == (first.stored, 0, 1)
    with pytest.raises(SettingsError, match="another IDL from slot 3"):
        await rig.add(grown("i8"))


async def test_a_later_start_decodes_the_same_and_tells_the_choice(rig: Rig, grown: Any) -> None:
    assert (await rig.add(grown(), first_slot=4)).decoded == 2
    choices = await rig.fetch("SELECT slot, detail FROM heliograph.incidents WHERE kind = 'idl_choice'")
    assert [slot for slot, _ in choices] == [3]
    assert "the IDL from slot 4" in choices[0][1]


async def test_an_idl_that_the_tables_cannot_hold_is_not_stored(rig: Rig, grown: Any) -> None:
    await rig.fetch("ALTER TABLE godark.oracle_price_updated ALTER price TYPE text")
    with pytest.raises(
        DatabaseError, match=r"oracle_price_updated\.price is stored as text .* alter it back"
    ):
        await rig.add(grown())
    assert await list_idls(rig.database, "godark") == []
    assert "venue" not in dict(await rig.fetch(COLUMNS))


async def test_a_changed_type_is_a_column_more_and_each_row_stands_in_its_own(
    rig: Rig, oracle_chain: Any, grown: Any
) -> None:
    assert (await rig.add(grown())).changes == ()
    arrived = await rig.add(grown("string"), first_slot=9)
    [told] = arrived.changes
    assert told == (
        "godark.oracle_price_updated: field venue changes from smallint to text, and goes to column venue_text; "
        "what is stored stays"
    )
    layouts = await open_layouts(rig.database, "godark", GODARK)
    tables = await open_event_tables(rig.database, "godark", layouts)
    slots = (
        oracle_chain.slot(8, oracle_chain.event(8) + b"\7"),
        oracle_chain.slot(9, oracle_chain.event(9) + b"\2\0\0\0ab"),
    )
    decoded = [decode_slot(slot, layouts) for slot in slots]
    projected = project_slots("godark", decoded, GODARK)
    batch = make_batch("godark", Span(8, 9, slots), decoded, projected, "live")
    await Writer(rig.database, "godark", "test", event_tables=tables).commit(batch, epoch=None)
    rows = "SELECT slot, venue, venue_text FROM godark.oracle_price_updated WHERE slot > 2 ORDER BY slot"
    assert await rig.fetch(rows) == [(3, 7, None), (4, 7, None), (8, 7, None), (9, None, "ab")]


async def test_a_field_that_the_new_idl_lacks_keeps_its_column_and_its_rows(rig: Rig, grown: Any) -> None:
    await rig.add(grown())
    await rig.add(GODARK.idls()[PROGRAM], first_slot=9)
    layouts = await open_layouts(rig.database, "godark", GODARK)
    tables = await open_event_tables(rig.database, "godark", layouts)
    assert "venue" in tables[PROGRAM, "OraclePriceUpdated"].plan.column_names
    rows = "SELECT slot, venue FROM godark.oracle_price_updated WHERE slot > 2 ORDER BY slot"
    assert await rig.fetch(rows) == [(3, 7), (4, 7)]


async def test_the_decoder_of_a_slot_is_the_one_in_force_there(
    rig: Rig, oracle_chain: Any, grown: Any
) -> None:
    await rig.add(grown())
    layouts = Layouts.of(GODARK, await list_idls(rig.database, "godark"))
    for number, extra in ((2, b""), (3, b"\7")):
        slot = oracle_chain.slot(number, oracle_chain.event(1) + extra)
        (transaction,) = decode_slot(slot, layouts).transactions
        assert ("venue" in transaction.events[0].fields) == bool(extra)
        assert transaction.choices == ()
    # Each layout out of its time: read all the same, and told.
    (transaction,) = decode_slot(oracle_chain.slot(9, oracle_chain.event(1)), layouts).transactions
    assert len(transaction.choices) == 1
