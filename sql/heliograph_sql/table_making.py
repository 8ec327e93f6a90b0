"""Makes the tables of event_tables.py: what is missing is added, what is there is never changed, and all of it is noted.

Nothing is rewritten or dropped: a new field is a new column, which is NULL in the rows before it; a changed type is a
column more; a field that an IDL loses keeps its column. Several processes may call it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from psycopg import sql

from heliograph_core.errors import DatabaseError
from heliograph_sql.database import Database
from heliograph_sql.event_tables import (
    KEYS_OF,
    PRIMARY_KEYS,
    EventLayout,
    EventTable,
    EventTables,
    Kind,
    Noted,
    TypedColumn,
    event_tables,
)
from heliograph_sql.hypertables import cut_tables
from heliograph_sql.queries import load

KEY_COMMENTS: Mapping[str, str] = {
    "block_time": "Time of the block; put a bound on it in every query.",
    "slot": "Slot of the block.",
    "tx_index": "Position of the transaction among all transactions of its block, from 0.",
    "ordinal": "Position of the event among all candidates of its transaction, from 0.",
    "position": "Position of the instruction among all of its transaction, outer and inner, in execution order from 0.",
    "signature": "Signature of the transaction, base58.",
    "program": "Address of the program, base58.",
    "caller": "Address of the program that invoked it; NULL where the transaction did.",
    "depth": "Stack height: 1 for the transaction's own instructions.",
    "outer_index": "Which of the transaction's own instructions this is or was invoked by, from 0.",
    "inner_index": "Position among the instructions that the outer one invoked, from 0; NULL for the outer one.",
    "failed": "The transaction failed, so that this had no effect.",
    "error": "The IDL's name of the error that the transaction failed with; NULL where it names none.",
    "other_accounts": "Addresses that it was given beyond those that the IDL names, base58.",
    "accounts": "Addresses that it was given, base58.",
    "data": "Its bytes.",
    "reason": "Why no IDL reads it.",
    "address": "Address of the account, base58.",
    "lamports": "What the account holds; 0 for one that is closed.",
    "name": "Type of the account by the IDL; NULL for one that is closed or that no IDL reads.",
    "fields": "The decoded account, names as in the IDL; NULL where name is.",
}
SLOT_COMMENTS: Mapping[Kind, str] = {
    "account": "Slot at which this state was seen.",
    "history": "Slot at which this state was seen.",
}
HISTORY_TIME = (
    "Time of the newest block that was known at or below the slot; put a bound on it in every query."
)

_log = structlog.get_logger(__name__)


class MadeTables(msgspec.Struct, frozen=True):
    """changes: what became of fields whose type the IDLs changed, one line each."""

    tables: EventTables
    changes: tuple[str, ...]


async def make_tables(database: Database, stream: str, layouts: Iterable[EventLayout]) -> MadeTables:
    """The tables for these layouts, made and noted as far as they were not.

    Raises DatabaseError where somebody altered a table so that rows no longer fit: nothing is done then.
    """
    queries = load("typed.sql")
    async with database.acquire() as connection, connection.transaction():
        await connection.execute(queries["lock_tables"], stream)
        noted, comments = await _read(connection, stream)
        tables = event_tables(stream, layouts, noted)
        statements: list[str] = []
        created = False
        # In name order, as writers take them.
        for table in sorted(tables.all, key=lambda table: table.plan.name):
            created |= table.plan.name not in noted.catalog
            statements += _definition(table, noted)
            statements += _comments(table, comments)
        if statements:
            await connection.execute(";\n".join(statements))
        changes = await _note(connection, stream, tables, noted)
        if created:
            await cut_tables(connection)
            await connection.execute(load("streams.sql")["grant_analyst"])
    for change in changes:
        _log.warning("column_added", stream=stream, change=change)
    return MadeTables(tables, tuple(changes))


class NotedTable(msgspec.Struct, frozen=True):
    """One table as `heliograph stream tables` lists it."""

    kind: Kind
    program: str
    item: str
    name: str
    columns: tuple[TypedColumn, ...]


async def list_noted_tables(database: Database, stream: str) -> list[NotedTable]:
    """Every table made from the stream's IDLs, by name."""
    async with database.acquire() as connection:
        noted = await _read_noted(connection, stream)
    return [
        NotedTable(kind, program, item, name, tuple(noted.columns.get(name, ())))
        for (kind, program, item), name in sorted(noted.tables.items(), key=lambda item: item[1])
    ]


async def _read_noted(connection: Any, stream: str) -> Noted:
    queries = load("typed.sql")
    columns: dict[str, list[TypedColumn]] = {}
    for row in await connection.fetch(queries["list_columns"], stream):
        columns.setdefault(row["table_name"], []).append(
            TypedColumn(row["column_name"], row["field"], row["type"], row["docs"])
        )
    rows = await connection.fetch(queries["list_tables"], stream)
    return Noted({(row["kind"], row["program"], row["item"]): row["table_name"] for row in rows}, columns)


async def _read(connection: Any, stream: str) -> tuple[Noted, dict[tuple[str, str | None], str | None]]:
    noted = await _read_noted(connection, stream)
    catalog: dict[str, dict[str, str]] = {}
    comments: dict[tuple[str, str | None], str | None] = {}
    for row in await connection.fetch(load("typed.sql")["read_catalog"], stream):
        columns = catalog.setdefault(row["table_name"], {})
        comments[row["table_name"], None] = row["table_comment"]
        if row["column_name"] is not None:
            columns[row["column_name"]] = row["type"]
            comments[row["table_name"], row["column_name"]] = row["comment"]
    return msgspec.structs.replace(noted, catalog=catalog), comments


def _definition(table: EventTable, noted: Noted) -> list[str]:
    """What makes the table, or the columns that it lacks. Raises DatabaseError for one that is altered."""
    plan, kind = table.plan, table.layout.kind
    place = sql.Identifier(plan.schema, plan.name)
    found = noted.catalog.get(plan.name)
    keys = KEYS_OF[kind]
    typed = [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in table.columns]
    if found is None:
        columns = [
            sql.SQL("{} {}{}").format(
                sql.Identifier(key.name),
                sql.SQL(key.type.value),
                sql.SQL("" if key.nullable else " NOT NULL"),
            )
            for key in keys
        ]
        primary = sql.SQL("PRIMARY KEY ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, PRIMARY_KEYS[kind]))
        )
        body = sql.SQL(", ").join([*columns, *typed, primary])
        return [sql.SQL("CREATE TABLE {} ({})").format(place, body).as_string()]
    wanted = [(key.name, key.type.value) for key in keys]
    wanted += [(column.name, column.type) for column in table.columns if column.name in found]
    for name, type_ in wanted:
        stored = found.get(name)
        if stored != type_.replace(" ", ""):
            state = "is gone" if stored is None else f"is stored as {stored}"
            raise DatabaseError(
                f"{plan.full_name}.{name} {state} and was made as {type_}: somebody altered the table; alter it back, "
                "or index into a new stream"
            )
    return [
        sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(place, column).as_string()
        for column, each in zip(typed, table.columns, strict=True)
        if each.name not in found
    ]


def _comments(table: EventTable, stored: Mapping[tuple[str, str | None], str | None]) -> list[str]:
    """Those that are not there as they should be."""
    plan, layout = table.plan, table.layout
    wanted: list[tuple[str | None, str]] = [(None, table_comment(layout))]
    wanted += [(key.name, _key_comment(layout.kind, key.name)) for key in KEYS_OF[layout.kind]]
    fields = Counter(column.field for column in table.columns)
    wanted += [
        (column.name, column_comment(layout, column, several=fields[column.field] > 1))
        for column in table.columns
    ]
    place = sql.Identifier(plan.schema, plan.name)
    statements = []
    for name, text in wanted:
        if stored.get((plan.name, name)) == text:
            continue
        target = (
            sql.SQL("TABLE {}").format(place)
            if name is None
            else sql.SQL("COLUMN {}").format(sql.Identifier(plan.schema, plan.name, name))
        )
        statements.append(sql.SQL("COMMENT ON {} IS {}").format(target, sql.Literal(text)).as_string())
    return statements


def table_comment(layout: EventLayout) -> str:
    """What the IDL says, behind what it is."""
    docs = f" {layout.docs}" if layout.docs else ""
    match layout.kind:
        case "event":
            return f"Event {layout.event} of {layout.idl}, decoded.{docs}"
        case "account":
            return f"Open accounts of type {layout.event} of {layout.idl}, as last seen.{docs}"
        case "instruction":
            return (
                f"Instruction {layout.event} of {layout.idl}: every call, of failed transactions too.{docs}"
            )
        case "history":
            return "States of the programs' accounts as they were seen: a sample, not every change."
        case "unknown":
            return "Instructions of the programs that no IDL reads."


def column_comment(layout: EventLayout, column: TypedColumn, *, several: bool) -> str:
    """Which field it is, and the IDL's docs. several: the field has columns of several types."""
    what = {"event": "the event", "account": "the account", "instruction": "the instruction"}.get(
        layout.kind, ""
    )
    field = column.field.partition("#")[0]
    if field.startswith("account:"):
        text = f"Address of the account {field.removeprefix('account:')}, base58; NULL where it was left out."
    else:
        text = f"Field {field} of {what}."
    if several:
        text = f"{text[:-1]}, where the IDL has it as {column.type}."
    return f"{text} {column.docs}" if column.docs else text


def _key_comment(kind: Kind, name: str) -> str:
    if name == "slot":
        return SLOT_COMMENTS.get(kind, KEY_COMMENTS["slot"])
    if kind == "history" and name == "block_time":
        return HISTORY_TIME
    if kind == "event" and name == "program":
        return "Address of the program that emitted the event, base58."
    return KEY_COMMENTS[name]


async def _note(connection: Any, stream: str, tables: EventTables, noted: Noted) -> list[str]:
    """Writes down what is new; what to tell of it."""
    queries = load("typed.sql")
    new = [
        (layout.kind, layout.program, layout.event, table.plan.name)
        for table in tables.all
        if (layout := table.layout) and (layout.kind, layout.program, layout.event) not in noted.tables
    ]
    if new:
        await connection.execute(queries["note_tables"], stream, *_turned(new))
    columns: list[Sequence[str]] = []
    changes: list[str] = []
    for table in tables.all:
        before = {column.name: column for column in noted.columns.get(table.plan.name, ())}
        for column in table.columns:
            known = before.get(column.name)
            if known is None or known.docs != column.docs:
                columns.append((table.plan.name, column.name, column.field, column.type, column.docs))
            if known is None and column.change is not None:
                changes.append(
                    f"{table.plan.full_name}: field {column.field} changes from {column.change}, and goes to column "
                    f"{column.name}; what is stored stays"
                )
    if columns:
        await connection.execute(queries["note_columns"], stream, *_turned(columns))
    return changes


def _turned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]
