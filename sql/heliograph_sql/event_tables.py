"""Tables of decoded events: one an event of a stream's programs, one column a field of its IDL.

`<stream>.<event_name>` holds `block_time, slot, tx_index, ordinal, signature, program, caller` and then the fields.
Fields are NULL in rows that were written before the IDL had them, so that a layout may grow.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from heliograph_core.errors import DatabaseError
from heliograph_core.event import Event
from heliograph_sql.database import Database
from heliograph_sql.hypertables import cut_tables
from heliograph_sql.plan import Column, PgType, TablePlan
from heliograph_sql.queries import load

KEYS = (
    Column("block_time", PgType.TIMESTAMPTZ, False),
    Column("slot", PgType.BIGINT, False),
    Column("tx_index", PgType.INTEGER, False),
    Column("ordinal", PgType.INTEGER, False),
    Column("signature", PgType.TEXT, False),
    Column("program", PgType.TEXT, False),
    Column("caller", PgType.TEXT, True),
)
KEY_COMMENTS: Mapping[str, str] = {
    "block_time": "Time of the block; put a bound on it in every query.",
    "slot": "Slot of the block.",
    "tx_index": "Position of the transaction among all transactions of its block, from 0.",
    "ordinal": "Position of the event among all candidates of its transaction, from 0.",
    "signature": "Signature of the transaction, base58.",
    "program": "Address of the program that emitted the event, base58.",
    "caller": "Address of the program that invoked it; NULL where the transaction did.",
}
MOST_NAME_BYTES = 63
"""Of a name in PostgreSQL; longer ones would be cut."""


class EventLayout(msgspec.Struct, frozen=True):
    """What an IDL says of one event. fields: (name, column type) in order, as in ("size", "numeric(20,0)").

    program: its address; idl: the IDL's name, which tells equal event names of two programs apart.
    """

    program: str
    idl: str
    event: str
    fields: tuple[tuple[str, str], ...]


class EventTable(msgspec.Struct, frozen=True):
    """Where the events of one layout are stored. field_names: of the IDL, in the order of the columns after the keys.

    types: as declared, with precision.
    """

    layout: EventLayout
    plan: TablePlan
    types: tuple[str, ...]

    def row(self, event: Event) -> EventRow:
        """The event as its table takes it; a field that the event lacks is NULL."""
        fields = event.fields
        try:
            values = _getter(self.layout.fields)(fields)
        except KeyError:
            values = tuple([fields.get(name) for name, _ in self.layout.fields])
        return EventRow(_key_values(event) + values)


class EventRow(tuple[Any, ...]):
    """A row of an event table, by position; its place by name."""

    __slots__ = ()
    block_time = property(itemgetter(0))
    slot = property(itemgetter(1))
    tx_index = property(itemgetter(2))
    ordinal = property(itemgetter(3))
    signature = property(itemgetter(4))
    program = property(itemgetter(5))


_key_values = attrgetter(
    "key.block_time", "key.slot", "key.tx_index", "key.ordinal", "key.signature", "program", "caller"
)


@cache
def _getter(fields: tuple[tuple[str, str], ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    names = [name for name, _ in fields]
    if len(names) < 2:
        return lambda values: tuple([values[name] for name in names])
    return itemgetter(*names)


EventTables = Mapping[tuple[str, str], EventTable]
"""By (program address, event name)."""


def event_tables(stream: str, layouts: Iterable[EventLayout]) -> dict[tuple[str, str], EventTable]:
    """A table a layout. An event name that several programs have is preceded by its IDL's name."""
    known = list(layouts)
    uses = Counter(_snake(layout.event) for layout in known)
    tables = {}
    for layout in known:
        name = _snake(layout.event)
        if uses[name] > 1:
            name = f"{_snake(layout.idl)}_{name}"
        tables[layout.program, layout.event] = _table(stream, _cut(name), layout)
    names = Counter(table.plan.name for table in tables.values())
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        raise DatabaseError(
            f"stream {stream}: several events would share table {doubled[0]}: give the IDLs different names"
        )
    return tables


def _table(stream: str, name: str, layout: EventLayout) -> EventTable:
    taken = {column.name for column in KEYS}
    columns = []
    for field, declared in layout.fields:
        # A field that is called like a key, or like another field, gets a number.
        column, number = _cut(_snake(field)), 2
        while column in taken:
            column, number = _cut(f"{_snake(field)}_{number}"), number + 1
        taken.add(column)
        columns.append(Column(column, _base_type(declared), True))
    plan = TablePlan(stream, name, (*KEYS, *columns))
    return EventTable(layout, plan, tuple(declared for _, declared in layout.fields))


async def ensure_event_tables(database: Database, stream: str, tables: Iterable[EventTable]) -> None:
    """Makes what is missing: tables, and columns that a newer layout has. Several processes may call it at once.

    Raises DatabaseError where a column is stored with another type than its layout asks for.
    """
    queries = load("events.sql")
    async with database.acquire() as connection, connection.transaction():
        await connection.execute(queries["lock_tables"], stream)
        for table in tables:
            plan = table.plan
            names = [column.name for column in plan.columns[len(KEYS) :]]
            place = (plan.schema, plan.name)
            await connection.execute(await connection.fetchval(queries["write_create_table"], *place))
            others = await connection.fetch(queries["list_other_types"], *place, names, list(table.types))
            if others:
                other = others[0]
                raise DatabaseError(
                    f"{plan.full_name}.{other['name']} is stored as {other['stored']} and the IDL of {table.layout.idl} "
                    f"now asks for {other['wanted']}: index into a new stream, or alter the column"
                )
            added = await connection.fetchval(queries["write_add_columns"], *place, names, list(table.types))
            if added is not None:
                await connection.execute(added)
            comments = await connection.fetch(
                queries["write_comments"],
                *place,
                f"Event {table.layout.event} of {table.layout.idl}, decoded.",
                [*KEY_COMMENTS, *names],
                [
                    *KEY_COMMENTS.values(),
                    *(f"Field {field} of the event." for field, _ in table.layout.fields),
                ],
            )
            for row in comments:
                await connection.execute(row[0])
        await cut_tables(connection)
        await connection.execute(load("streams.sql")["grant_analyst"])


def _base_type(declared: str) -> PgType:
    """`numeric(20,0)` is numeric. ValueError for a type that rows are not encoded to."""
    return PgType(declared.partition("(")[0].strip())


def _snake(name: str) -> str:
    """`PositionOpened` and `positionOpened` are position_opened; what no name may hold becomes _."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9_]", "_", spaced.lower())


def _cut(name: str) -> str:
    if len(name) <= MOST_NAME_BYTES:
        return name
    return f"{name[: MOST_NAME_BYTES - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def rows_of(tables: EventTables, events: Sequence[Event]) -> dict[TablePlan, list[EventRow]]:
    """The events that have a table, as rows."""
    # By name: hashing a plan means hashing all its columns.
    named: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        named.setdefault((event.program, event.name), []).append(event)
    found: dict[TablePlan, list[EventRow]] = {}
    for name, those in named.items():
        table = tables.get(name)
        if table is not None:
            found.setdefault(table.plan, []).extend(map(table.row, those))
    return found
