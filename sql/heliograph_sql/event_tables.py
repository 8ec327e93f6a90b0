"""Tables made from IDLs: one an event, account type and instruction, one column a field. Pure; table_making.py makes them.

`<stream>.<event>` holds `block_time, slot, tx_index, ordinal, signature, program, caller` and then the fields;
`<stream>.account_<type>` the current state of each open account; `<stream>.instruction_<name>` every call. Fields are
NULL in rows that were written before the IDL had them, so that a layout may grow. Names: typed_names.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Literal

import msgspec

from heliograph_core.account import AccountState
from heliograph_core.event import Event
from heliograph_core.instruction import InstructionCall
from heliograph_sql.copy_encoder import Columns
from heliograph_sql.plan import Column, PgType, TablePlan
from heliograph_sql.typed_names import column_name, free_name, snake, type_suffix

Kind = Literal["event", "account", "instruction", "history", "unknown"]

_WHEN = (
    Column("block_time", PgType.TIMESTAMPTZ, False),
    Column("slot", PgType.BIGINT, False),
    Column("tx_index", PgType.INTEGER, False),
)
_WHO = (
    Column("signature", PgType.TEXT, False),
    Column("program", PgType.TEXT, False),
    Column("caller", PgType.TEXT, True),
)
_CALL = (
    *_WHEN,
    Column("position", PgType.INTEGER, False),
    *_WHO,
    Column("depth", PgType.INTEGER, False),
    Column("outer_index", PgType.INTEGER, False),
    Column("inner_index", PgType.INTEGER, True),
    Column("failed", PgType.BOOLEAN, False),
    Column("error", PgType.TEXT, True),
)
KEYS = (*_WHEN, Column("ordinal", PgType.INTEGER, False), *_WHO)
"""Of a table of events."""
KEYS_OF: Mapping[Kind, tuple[Column, ...]] = {
    "event": KEYS,
    "account": (
        Column("address", PgType.TEXT, False),
        Column("program", PgType.TEXT, False),
        Column("slot", PgType.BIGINT, False),
        Column("lamports", PgType.BIGINT, False),
    ),
    "instruction": (*_CALL, Column("other_accounts", PgType.TEXT_ARRAY, False)),
    "history": (
        Column("block_time", PgType.TIMESTAMPTZ, False),
        Column("slot", PgType.BIGINT, False),
        Column("address", PgType.TEXT, False),
        Column("program", PgType.TEXT, False),
        Column("name", PgType.TEXT, True),
        Column("lamports", PgType.BIGINT, False),
        Column("fields", PgType.JSONB, True),
    ),
    "unknown": (
        *_CALL,
        Column("accounts", PgType.TEXT_ARRAY, False),
        Column("data", PgType.BYTEA, False),
        Column("reason", PgType.TEXT, False),
    ),
}
"""The columns that stand before the fields."""
PRIMARY_KEYS: Mapping[Kind, tuple[str, ...]] = {
    "event": ("block_time", "slot", "tx_index", "ordinal"),
    "account": ("address",),
    "instruction": ("block_time", "slot", "tx_index", "position"),
    "history": ("block_time", "slot", "address"),
    "unknown": ("block_time", "slot", "tx_index", "position"),
}
_EVENT_GETTERS = [attrgetter(name) for name in ("block_time", "slot", "tx_index", "ordinal", "signature")]
"""Of an event's key; what else stands before the fields is the event's own."""
_CALL_GETTERS = [attrgetter(column.name) for column in _CALL]
_ACCOUNT_GETTERS = [attrgetter(column.name) for column in KEYS_OF["account"]]
_PREFIXES: Mapping[Kind, str] = {
    "event": "",
    "account": "account_",
    "instruction": "instruction_",
    "history": "account_history",
    "unknown": "instructions_unknown",
}


class EventLayout(msgspec.Struct, frozen=True):
    """What an IDL says of one event, account type or instruction, whose name `event` is.

    program: its address; idl: the IDL's name, which tells equal names of two programs apart. fields: (name, column
    type) in order, as in ("size", "numeric(20,0)"). docs: of the whole; field_docs: by field. since: first slot of the
    IDL; of several layouts of one event the highest is the latest.
    """

    program: str
    idl: str
    event: str
    fields: tuple[tuple[str, str], ...]
    kind: Kind = "event"
    docs: str = ""
    field_docs: Mapping[str, str] = {}
    since: int = 0


class TypedColumn(msgspec.Struct, frozen=True):
    """A column of a field. type: as declared, with precision. change: of type, for which this column is made now."""

    name: str
    field: str
    type: str
    docs: str = ""
    change: str | None = None


class EventTable(msgspec.Struct, frozen=True):
    """Where one event, account type or instruction is stored. columns: those after the keys.

    orders: by the first slot of an IDL, which field each column takes, None for a column that is another IDL's.
    """

    layout: EventLayout
    plan: TablePlan
    columns: tuple[TypedColumn, ...]
    orders: Mapping[int, tuple[str | None, ...]]

    @property
    def types(self) -> tuple[str, ...]:
        """As declared, with precision."""
        return tuple(column.type for column in self.columns)

    def turn_events(self, events: Sequence[Event]) -> Columns:
        """The columns of events that are stored here: keys, then a value a field, NULL for what an event lacks."""
        keys = [event.key for event in events]
        return [
            *(list(map(get, keys)) for get in _EVENT_GETTERS),
            [event.program for event in events],
            [event.caller for event in events],
            *self._values([event.fields for event in events], [event.since for event in events]),
        ]

    def turn_calls(self, calls: Sequence[InstructionCall]) -> Columns:
        """The columns of instructions, here or in the table of unknown ones."""
        keys = [*(list(map(get, calls)) for get in _CALL_GETTERS), [call.others for call in calls]]
        if self.layout.kind == "unknown":
            return [*keys, [call.data for call in calls], [call.reason for call in calls]]
        return [*keys, *self._values([call.fields for call in calls], [call.since for call in calls])]

    def turn_accounts(self, states: Sequence[AccountState]) -> Columns:
        """The columns of accounts that are open and decoded."""
        return [
            *(list(map(get, states)) for get in _ACCOUNT_GETTERS),
            *self._values([state.fields or {} for state in states], [state.since for state in states]),
        ]

    def _values(self, rows: Sequence[Mapping[Any, Any]], since: Sequence[int]) -> Columns:
        found = [self.orders.get(each, self.orders[self.layout.since]) for each in set(since)]
        if rows and len(found) == 1 and len(found[0]) > 1:
            try:
                # A row at a time: its values lie together.
                return list(zip(*map(itemgetter(*found[0]), rows), strict=True))
            except KeyError:
                # A column of another IDL asks for None, which no field is called.
                return [[row.get(name) for row in rows] for name in found[0]]
        orders = dict(zip(set(since), found, strict=True))
        return [
            [row.get(orders[each][place]) for row, each in zip(rows, since, strict=True)]
            for place in range(len(self.columns))
        ]


class EventTables(Mapping[tuple[str, str], EventTable]):
    """The tables of a stream. As a mapping: those of events by (program address, event name)."""

    def __init__(self, tables: Iterable[EventTable] = ()) -> None:
        self.all = tuple(tables)
        by_kind: dict[Kind, dict[tuple[str, str], EventTable]] = {}
        for table in self.all:
            layout = table.layout
            by_kind.setdefault(layout.kind, {})[layout.program, layout.event] = table
        self.events = by_kind.get("event", {})
        self.accounts = by_kind.get("account", {})
        self.instructions = by_kind.get("instruction", {})
        self.history = by_kind.get("history", {}).get(("", ""))
        self.unknown = by_kind.get("unknown", {}).get(("", ""))

    def __getitem__(self, key: tuple[str, str]) -> EventTable:
        return self.events[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)


NO_TABLES = EventTables()


class Noted(msgspec.Struct, frozen=True):
    """What was made before. tables: by (kind, program, item). columns: by table, in the order of their making.

    catalog: every name in the schema, with the columns and their types, whoever made it.
    """

    tables: Mapping[tuple[Kind, str, str], str] = {}
    columns: Mapping[str, Sequence[TypedColumn]] = {}
    catalog: Mapping[str, Mapping[str, str]] = {}


def event_tables(stream: str, layouts: Iterable[EventLayout], noted: Noted | None = None) -> EventTables:
    """A table an event, account type and instruction; several layouts of one (of several IDLs) share it.

    A name that several programs have is preceded by the IDL's name. What `noted` has keeps its name.
    """
    noted = noted or Noted()
    groups: dict[tuple[Kind, str, str], list[EventLayout]] = {}
    for layout in layouts:
        groups.setdefault((layout.kind, layout.program, layout.event), []).append(layout)
    uses = Counter(_table_base(key) for key in groups)
    taken = set(noted.tables.values())
    tables = []
    for key, versions in groups.items():
        versions.sort(key=lambda layout: layout.since, reverse=True)
        name = noted.tables.get(key)
        if name is None:
            name = _new_table(versions[0], uses[_table_base(key)] > 1, taken, noted)
            taken.add(name)
        tables.append(_table(stream, name, versions, noted))
    return EventTables(tables)


def _table_base(key: tuple[Kind, str, str]) -> str:
    return _PREFIXES[key[0]] + (snake(key[2]) if key[2] else "")


def _new_table(layout: EventLayout, shared: bool, taken: set[str], noted: Noted) -> str:
    kind = layout.kind
    base = _table_base((kind, layout.program, layout.event))
    if layout.idl and (shared or base in taken):
        base = f"{_PREFIXES[kind]}{snake(layout.idl)}_{snake(layout.event)}"
    keys = {column.name for column in KEYS_OF[kind]}
    # A table that stands there with our keys was made before names were written down.
    ours = {name for name, columns in noted.catalog.items() if keys <= columns.keys()}
    return free_name(base, taken | (noted.catalog.keys() - ours))


def _table(stream: str, name: str, versions: Sequence[EventLayout], noted: Noted) -> EventTable:
    keys = KEYS_OF[versions[0].kind]
    columns = _Columns(
        {column.name for column in keys}, noted.columns.get(name, ()), noted.catalog.get(name, {})
    )
    placed = [[columns.of(layout, *field) for field in layout.fields] for layout in versions]
    used = list({column.name: column for row in placed for column in row}.values())
    fields: dict[int, dict[str, str]] = {}
    for layout, row in zip(versions, placed, strict=True):
        # An IDL may have two events of one name: they share the table and its columns.
        known = fields.setdefault(layout.since, {})
        known.update((column.name, field) for column, (field, _) in zip(row, layout.fields, strict=True))
    orders = {since: tuple(known.get(column.name) for column in used) for since, known in fields.items()}
    typed = [Column(column.name, base_type(column.type), True) for column in used]
    return EventTable(versions[0], TablePlan(stream, name, (*keys, *typed)), tuple(used), orders)


class _Columns:
    """Gives the fields of one table their columns: the one that was noted, else a new one with a free name."""

    def __init__(self, keys: set[str], noted: Iterable[TypedColumn], catalog: Mapping[str, str]) -> None:
        self._known = {(column.field, column.type): column for column in noted}
        self._fields: dict[str, str] = {}
        for column in noted:
            self._fields.setdefault(column.field, column.type)
        self._taken = keys | {column.name for column in noted}
        self._catalog = catalog
        self._layout: EventLayout | None = None
        self._seen: dict[str, int] = {}
        self._described: set[tuple[str, str]] = set()

    def of(self, layout: EventLayout, field: str, declared: str) -> TypedColumn:
        # Nothing tells two fields of one name of one layout apart but their order; the second is field#2.
        if layout is not self._layout:
            self._layout, self._seen = layout, {}
        self._seen[field] = self._seen.get(field, 0) + 1
        key = field if self._seen[field] == 1 else f"{field}#{self._seen[field]}"
        found = self._known.get((key, declared))
        docs = layout.field_docs.get(field, "")
        if found is None:
            found = self._made(key, field, declared, docs)
            self._known[key, declared] = found
            self._fields.setdefault(key, declared)
            self._taken.add(found.name)
        elif docs and docs != found.docs and (key, declared) not in self._described:
            # The latest layout comes first, and its words count.
            found = self._known[key, declared] = msgspec.structs.replace(found, docs=docs)
        if docs:
            self._described.add((key, declared))
        return found

    def _made(self, key: str, field: str, declared: str, docs: str) -> TypedColumn:
        base = column_name(field)
        first = self._fields.get(key)
        change = None if first is None else f"{first} to {declared}"
        if first is not None:
            base = f"{base}_{type_suffix(declared)}"
        plain = declared.replace(" ", "")
        for name in (snake(field), free_name(base, self._taken)):
            # Made before names were written down.
            if first is None and name not in self._taken and self._catalog.get(name) == plain:
                return TypedColumn(name, key, declared, docs)
        return TypedColumn(free_name(base, self._taken | self._catalog.keys()), key, declared, docs, change)


def base_type(declared: str) -> PgType:
    """`numeric(20,0)` is numeric. ValueError for a type that rows are not encoded to."""
    return PgType(declared.partition("(")[0].strip())
