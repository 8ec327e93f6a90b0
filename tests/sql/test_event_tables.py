"""Event tables: made from layouts, grown with them, filled with every decoded event of the stream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from heliograph_core.event import Channel, Event, EventKey
from heliograph_sql.batch import Batch
from heliograph_sql.catalog import read_catalog
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout, EventTables, event_tables
from heliograph_sql.streams import StreamRow
from heliograph_sql.table_making import make_tables
from heliograph_sql.writer import Writer

LAYOUT = EventLayout(
    "Program",
    "dex",
    "OrderPlaced",
    (
        ("orderId", "numeric(20,0)"),
        ("owner", "text"),
        ("slot", "bigint"),
        ("legs", "jsonb"),
        ("raw", "bytea"),
    ),
)


def event(slot: int, ordinal: int = 0, **fields: Any) -> Event:
    key = EventKey(block_time=1_700_000_000, slot=slot, tx_index=0, ordinal=ordinal, signature="sig")
    values = {"orderId": 2**64 - 1, "owner": "O", "slot": 5, "legs": [{"n": 2**70}], "raw": b"\0"}
    return Event(key, "Program", None, 1, Channel.DATA, "OrderPlaced", {**values, **fields})


@pytest.fixture
async def tables(database: Database, stream: StreamRow) -> EventTables:
    return (await make_tables(database, "s", [LAYOUT])).tables


@pytest.fixture
def storing(database: Database, tables: EventTables) -> Writer:
    return Writer(database, "s", "holder", event_tables=tables)


async def test_every_decoded_event_is_stored_by_field(storing: Writer, make: Any, fetch: Any) -> None:
    foreign = Event(event(1).key, "Other", None, 1, Channel.DATA, "OrderPlaced", {})
    batch = make.batch(1, 1, events=[event(1), event(1, 1, owner=None), foreign])
    assert await storing.commit(batch, epoch=None) == 1
    rows = await fetch(
        "SELECT slot, ordinal, order_id, owner, slot_2, legs, raw FROM s.order_placed ORDER BY ordinal"
    )
    assert rows == [
        (1, 0, 2**64 - 1, "O", 5, f'[{{"n": {2**70}}}]', b"\0"),
        (1, 1, 2**64 - 1, None, 5, f'[{{"n": {2**70}}}]', b"\0"),
    ]
    assert await fetch("SELECT row_count FROM heliograph.commits") == [(2,)]


async def test_a_refused_event_is_set_aside(storing: Writer, make: Any, fetch: Any) -> None:
    batch = make.batch(
        1, 1, events=[event(1), event(1, 1, orderId=10**20), event(1, 2, owner=5), event(1, 3, owner="\0")]
    )
    await storing.commit(batch, epoch=None)
    assert await fetch("SELECT ordinal FROM s.order_placed ORDER BY ordinal") == [(0,), (3,)]
    rows = await fetch("SELECT ordinal, reason FROM heliograph.undecoded ORDER BY ordinal")
    assert [ordinal for ordinal, _ in rows] == [1, 2, 3]
    assert "numeric field overflow" in rows[0][1]


async def test_a_correction_takes_events_back(storing: Writer, make: Any, fetch: Any) -> None:
    await storing.commit(
        make.batch(1, 2, [make.trade(1), make.trade(2)], events=[event(1), event(2)]), epoch=None
    )
    make.time = lambda slot: 1_700_000_000
    await storing.rewrite_slots([1], make.batch(1, 1, [make.trade(1)], events=[event(1, 9)]), epoch=None)
    assert await fetch("SELECT slot, ordinal FROM s.order_placed ORDER BY slot") == [(1, 9), (2, 0)]


async def test_making_them_again_changes_nothing_and_a_newer_layout_adds_columns(
    database: Database, tables: EventTables, fetch: Any
) -> None:
    await make_tables(database, "s", [LAYOUT])
    grown = EventLayout("Program", "dex", "OrderPlaced", (*LAYOUT.fields, ("fee", "bigint")))
    made = await make_tables(database, "s", [grown])
    newer = made.tables
    assert made.changes == ()
    await Writer(database, "s", "h", event_tables=newer).commit(
        Batch(stream="s", first=1, last=2, events=[event(1), event(2, fee=7)]), epoch=None
    )
    assert await fetch("SELECT slot, fee FROM s.order_placed ORDER BY slot") == [(1, None), (2, 7)]


async def test_processes_that_make_them_at_once_do_not_collide(database: Database, stream: StreamRow) -> None:
    made = await asyncio.gather(*(make_tables(database, "s", [LAYOUT]) for _ in range(5)))
    assert {each.tables["Program", "OrderPlaced"].plan.full_name for each in made} == {"s.order_placed"}


async def test_tables_and_columns_are_described(tables: EventTables, database_url: str) -> None:
    [table] = read_catalog(database_url, ["s"])
    assert table.comment == "Event OrderPlaced of dex, decoded."
    assert all(column.comment for column in table.columns)
    assert [column.name for column in table.columns] == list(
        tables["Program", "OrderPlaced"].plan.column_names
    )


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("PositionOpened", "position_opened"),
        ("positionOpened", "position_opened"),
        ("LPMintRecord", "lp_mint_record"),
        ("swapV2Event", "swap_v2_event"),
        ("already_snake", "already_snake"),
        ("Odd-Name!", "odd_name_"),
    ],
)
def test_names_become_snake_case(name: str, table: str) -> None:
    [found] = event_tables("s", [EventLayout("P", "dex", name, ())]).values()
    assert found.plan.full_name == f"s.{table}"


def test_an_event_name_of_two_programs_is_told_apart_by_the_idl() -> None:
    tables = event_tables(
        "s", [EventLayout("A", "spot", "TradeEvent", ()), EventLayout("B", "perps", "TradeEvent", ())]
    )
    assert {key: table.plan.name for key, table in tables.items()} == {
        ("A", "TradeEvent"): "spot_trade_event",
        ("B", "TradeEvent"): "perps_trade_event",
    }


def test_events_that_differ_in_case_alone_have_tables_of_their_own() -> None:
    tables = event_tables("s", [EventLayout("A", "dex", "Trade", ()), EventLayout("B", "dex", "trade", ())])
    assert [table.plan.name for table in tables.all] == ["dex_trade", "dex_trade_2"]


def test_doubled_and_overlong_field_names_get_columns_of_their_own() -> None:
    long = "a" * 70
    layout = EventLayout(
        "A", "dex", "E", (("x", "text"), ("x", "text"), (long, "text"), (f"{long}b", "text"))
    )
    [table] = event_tables("s", [layout]).values()
    names = table.plan.column_names[7:]
    assert names[:2] == ("x", "x_2")
    assert len(set(names)) == 4 and all(len(name) <= 63 for name in names)


def test_a_type_without_an_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="uuid"):
        event_tables("s", [EventLayout("A", "dex", "E", (("x", "uuid"),))])
