"""Tables made from IDLs keep their names and their rows through every later IDL."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import DatabaseError
from heliograph_core.event import Channel, Event, EventKey
from heliograph_sql.batch import Batch
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout, EventTables
from heliograph_sql.streams import StreamRow
from heliograph_sql.table_making import list_noted_tables, make_tables
from heliograph_sql.writer import Writer


def layout(*fields: tuple[str, str], since: int = 0, event: str = "Said", **more: Any) -> EventLayout:
    return EventLayout("P", "dex", event, fields, since=since, **more)


def said(at: int, since: int = 0, /, **fields: Any) -> Event:
    """In slot `at`."""
    key = EventKey(1_700_000_000, at, 0, 0, "sig")
    return Event(key, "P", None, 1, Channel.DATA, "Said", fields, since)


class Tables:
    """Makes tables of stream `s` and writes to them."""

    def __init__(self, database: Database, fetch: Any) -> None:
        self._database, self._fetch = database, fetch

    async def make(self, *layouts: EventLayout) -> tuple[EventTables, tuple[str, ...]]:
        made = await make_tables(self._database, "s", layouts)
        return made.tables, made.changes

    async def write(self, tables: EventTables, *events: Event) -> None:
        slots = [event.key.slot for event in events]
        batch = Batch(stream="s", first=min(slots), last=max(slots), events=events)
        await Writer(self._database, "s", "h", event_tables=tables).commit(batch, epoch=None)

    async def columns(self, table: str = "said") -> list[tuple[str, str, str]]:
        """(column, type, comment) after the keys."""
        rows: list[tuple[str, str, str]] = await self._fetch(
            "SELECT attname::text, format_type(atttypid, atttypmod), col_description(attrelid, attnum) "
            "FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 7 ORDER BY attnum",
            f"s.{table}",
        )
        return rows


@pytest.fixture
def made(database: Database, stream: StreamRow, fetch: Any) -> Tables:
    return Tables(database, fetch)


async def test_an_appended_field_is_a_column_more_and_a_lost_one_stays(made: Tables, fetch: Any) -> None:
    old, new = layout(("a", "bigint"), ("gone", "text")), layout(("a", "bigint"), ("b", "text"), since=5)
    tables, _ = await made.make(old)
    await made.write(tables, said(1, a=1, gone="x"))
    tables, changes = await made.make(old, new)
    await made.write(tables, said(2, 5, a=2, b="y"), said(3, 0, a=3, gone="z"))
    assert changes == ()
    rows = await fetch("SELECT slot, a, gone, b FROM s.said ORDER BY slot")
    assert rows == [(1, 1, "x", None), (2, 2, None, "y"), (3, 3, "z", None)]
    # Of an IDL that is not there any more the rows stay too.
    tables, _ = await made.make(new)
    await made.write(tables, said(4, 5, a=4, b="w"))
    assert await fetch("SELECT gone FROM s.said WHERE slot IN (1, 4) ORDER BY slot") == [("x",), (None,)]


async def test_a_changed_type_is_a_column_more_that_is_told_once(made: Tables, fetch: Any) -> None:
    old, new = layout(("a", "numeric(20,0)")), layout(("a", "numeric(39,0)"), since=5)
    await made.make(old)
    tables, changes = await made.make(old, new)
    [told] = changes
    assert (
        "s.said: field a changes from numeric(20,0) to numeric(39,0), and goes to column a_numeric39" in told
    )
    assert (await made.make(old, new))[1] == ()
    await made.write(tables, said(1, 0, a=2**64 - 1), said(2, 5, a=2**128 - 1))
    assert await fetch("SELECT a, a_numeric39 FROM s.said ORDER BY slot") == [
        (2**64 - 1, None),
        (None, 2**128 - 1),
    ]
    back = layout(("a", "numeric(20,0)"), since=9)
    tables, changes = await made.make(old, new, back)
    assert changes == ()
    await made.write(tables, said(3, 9, a=7))
    assert await fetch("SELECT a FROM s.said WHERE slot = 3") == [(7,)]


async def test_names_stay_where_fields_come_in_another_order(made: Tables) -> None:
    await made.make(layout(("userId", "text"), ("user_id", "text"), ("slot", "bigint"), ("user", "text")))
    before = [name for name, _, _ in await made.columns()]
    assert before == ["user_id", "user_id_2", "slot_2", "user_"]
    tables, _ = await made.make(
        layout(("user_id", "text"), ("new", "text"), ("userId", "text"), ("slot", "bigint"))
    )
    order = tables["P", "Said"].orders[0]
    columns = [column.name for column in tables["P", "Said"].columns]
    assert dict(zip(columns, order, strict=True)) == {
        "user_id_2": "user_id",
        "new": "new",
        "user_id": "userId",
        "slot_2": "slot",
    }


async def test_two_events_of_one_name_share_a_table(made: Tables, fetch: Any) -> None:
    tables, _ = await made.make(layout(("a", "bigint")), layout(("b", "text")))
    await made.write(tables, said(1, a=1), said(2, b="x"))
    assert await fetch("SELECT a, b FROM s.said ORDER BY slot") == [(1, None), (None, "x")]


async def test_an_event_that_is_called_like_the_history_gives_way(made: Tables) -> None:
    tables, _ = await made.make(layout(event="AccountHistory"), EventLayout("", "", "", (), kind="history"))
    assert [table.plan.name for table in tables.all] == ["dex_account_history", "account_history"]


async def test_a_table_keeps_its_name_when_another_program_has_such_an_event(made: Tables) -> None:
    await made.make(layout(("a", "text")))
    other = EventLayout("Q", "amm", "Said", (("a", "text"),))
    tables, _ = await made.make(layout(("a", "text")), other, EventLayout("Q", "amm", "said", ()))
    assert {key: table.plan.name for key, table in tables.items()} == {
        ("P", "Said"): "said",
        ("Q", "Said"): "amm_said",
        ("Q", "said"): "amm_said_2",
    }


async def test_tables_from_before_names_were_noted_are_taken_over(made: Tables, fetch: Any) -> None:
    await fetch(
        "CREATE TABLE s.said (block_time timestamptz NOT NULL, slot bigint NOT NULL, tx_index integer NOT NULL, "
        "ordinal integer NOT NULL, signature text NOT NULL, program text NOT NULL, caller text, a bigint, slot_2 text, "
        '"user" text, b smallint, PRIMARY KEY (block_time, slot, tx_index, ordinal))'
    )
    await fetch("INSERT INTO s.said VALUES (to_timestamp(1), 1, 0, 0, 'sig', 'P', NULL, 7, 'x', 'u', 3)")
    tables, _ = await made.make(layout(("a", "bigint"), ("slot", "text"), ("user", "text"), ("b", "integer")))
    assert [column.name for column in tables["P", "Said"].columns] == ["a", "slot_2", "user", "b_2"]
    await made.write(tables, said(2, a=8, slot="y", user="v", b=70_000))
    rows = await fetch('SELECT a, slot_2, "user", b, b_2 FROM s.said ORDER BY slot')
    assert rows == [(7, "x", "u", 3, None), (8, "y", "v", None, 70_000)]


@pytest.mark.parametrize(
    ("alteration", "words"),
    [
        ("ALTER TABLE s.said ALTER a TYPE text", r"s\.said\.a is stored as text and was made as bigint"),
        ("ALTER TABLE s.said DROP COLUMN signature", r"s\.said\.signature is gone"),
    ],
)
async def test_a_table_that_somebody_altered_is_named_and_nothing_is_done(
    made: Tables, fetch: Any, alteration: str, words: str
) -> None:
    await made.make(layout(("a", "bigint")))
    await fetch(alteration)
    with pytest.raises(DatabaseError, match=words):
        await made.make(layout(("a", "bigint"), ("b", "text")), layout(event="Born"))
    assert "b" not in [name for name, _, _ in await made.columns()]
    assert await fetch("SELECT to_regclass('s.born')") == [(None,)]


async def test_comments_are_the_words_of_the_latest_idl(made: Tables, fetch: Any) -> None:
    old = layout(("a", "bigint"), docs="Old.", field_docs={"a": "In cents."})
    await made.make(old)
    new = layout(("a", "bigint"), ("b", "text"), since=5, docs="New.", field_docs={"a": "In mills."})
    await made.make(old, new)
    assert [comment for _, _, comment in await made.columns()] == [
        "Field a of the event. In mills.",
        "Field b of the event.",
    ]
    [(comment,)] = await fetch("SELECT obj_description('s.said'::regclass)")
    assert comment == "Event Said of dex, decoded. New."


async def test_what_was_made_is_listed(made: Tables, database: Database) -> None:
    await made.make(layout(("a", "bigint"), field_docs={"a": "In cents."}), layout(event="Born"))
    listed = await list_noted_tables(database, "s")
    assert [(table.kind, table.program, table.item, table.name) for table in listed] == [
        ("event", "P", "Born", "born"),
        ("event", "P", "Said", "said"),
    ]
    [column] = listed[1].columns
    assert (column.name, column.field, column.type, column.docs) == ("a", "a", "bigint", "In cents.")
