"""Writes account states: what every stream keeps (`heliograph.accounts`), and the typed tables of open accounts and of the past.

`heliograph.accounts` decides: a state older than the stored one is ignored in all of them. Its rows stay locked until the
transaction ends, so that writers who meet on an account take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from heliograph_core.account import AccountState
from heliograph_core.errors import DatabaseError
from heliograph_sql.copy_encoder import RowRefused, Turn, by_position
from heliograph_sql.copying import Refused, copy_rows, copy_what_fits
from heliograph_sql.event_tables import EventTables
from heliograph_sql.json_text import json_text
from heliograph_sql.plan import TablePlan
from heliograph_sql.queries import load
from heliograph_sql.states import execute_careful, storable

ACCOUNTS = TablePlan("heliograph", "accounts", ())


async def write_accounts(
    connection: Any, stream: str, accounts: Sequence[AccountState], tables: EventTables, *, careful: bool
) -> tuple[dict[str, int], list[Refused]]:
    """Stores what is not older than what is there: the slot by address of what was stored, and what was refused.

    careful: return the rows that are refused instead of raising.
    """
    latest: dict[str, AccountState] = {}
    for account in accounts:
        known = latest.get(account.address)
        if known is None or account.slot >= known.slot:
            latest[account.address] = account
    rows = [latest[address] for address in sorted(latest)]
    if not rows:
        return {}, []
    typed = load("typed.sql")
    stored = {
        row["address"]: row for row in await connection.fetch(typed["lock_accounts"], stream, list(latest))
    }
    refused = await execute_careful(
        connection,
        load("states.sql")["upsert_accounts"],
        ACCOUNTS,
        rows,
        lambda some: _arguments(stream, some),
        careful,
    )
    left_out = {id(one.row) for one in refused}
    newer = [
        row
        for row in rows
        if id(row) not in left_out and (row.address not in stored or row.slot >= stored[row.address]["slot"])
    ]
    before = [(row["program"], row["name"], row["address"]) for row in stored.values() if row["name"]]
    refused += await _write_typed(connection, newer, before, tables, careful)
    # A scan repeats what is long known.
    changed = [row for row in newer if _differs(row, stored.get(row.address))]
    refused += await _write_history(connection, stream, changed, tables, careful)
    return {row.address: row.slot for row in newer}, refused


def _differs(account: AccountState, stored: Any | None) -> bool:
    if stored is None:
        return True
    return (account.lamports, sha256(account.data).digest()) != (stored["lamports"], stored["digest"])


def _arguments(stream: str, some: Sequence[AccountState]) -> list[Any]:
    return [
        stream,
        [account.address for account in some],
        [account.program for account in some],
        [storable(account.name) for account in some],
        [account.slot for account in some],
        [account.lamports for account in some],
        [account.data for account in some],
        [None if account.fields is None else json_text(account.fields) for account in some],
        [storable(account.reason) for account in some],
    ]


async def _write_typed(
    connection: Any,
    accounts: Sequence[AccountState],
    before: Iterable[tuple[str, str, str]],
    tables: EventTables,
    careful: bool,
) -> list[Refused]:
    """Replaces the rows of these accounts; one that closed, or became another type, leaves its table."""
    changed = {account.address for account in accounts}
    gone: dict[TablePlan, set[str]] = {}
    for program, name, address in before:
        table = tables.accounts.get((program, name))
        if table is not None and address in changed:
            gone.setdefault(table.plan, set()).add(address)
    rows: dict[str, tuple[Turn, list[AccountState]]] = {}
    for account in accounts:
        table = tables.accounts.get((account.program, account.name)) if account.name is not None else None
        if table is not None and account.lamports:
            rows.setdefault(table.plan.name, (table.turn_accounts, []))[1].append(account)
            gone.setdefault(table.plan, set()).add(account.address)
    refused: list[Refused] = []
    for plan in sorted(gone, key=lambda plan: plan.full_name):
        delete = await connection.fetchval(load("typed.sql")["write_delete_accounts"], plan.schema, plan.name)
        await connection.execute(delete, sorted(gone[plan]))
        if plan.name in rows:
            turn, those = rows[plan.name]
            refused += await _copy(connection, plan, those, turn, careful)
    return refused


async def _write_history(
    connection: Any, stream: str, accounts: Sequence[AccountState], tables: EventTables, careful: bool
) -> list[Refused]:
    if tables.history is None or not accounts:
        return []
    rows = []
    times: dict[int, int] = {}
    for account in accounts:
        if account.slot not in times:
            find = load("typed.sql")["find_time"]
            times[account.slot] = await connection.fetchval(find, stream, account.slot)
        time = times[account.slot]
        rows.append(
            (
                time,
                account.slot,
                account.address,
                account.program,
                account.name,
                account.lamports,
                account.fields,
            )
        )
    plan = tables.history.plan
    # The same state may be seen twice in one slot: the later word counts.
    delete = await connection.fetchval(load("typed.sql")["write_delete_seen"], plan.schema, plan.name)
    await connection.execute(delete, *[[row[place] for row in rows] for place in range(3)])
    return await _copy(connection, plan, rows, by_position, careful)


async def _copy(
    connection: Any, plan: TablePlan, rows: Sequence[Any], turn: Turn, careful: bool
) -> list[Refused]:
    if careful:
        return await copy_what_fits(connection, plan, rows, turn=turn)
    try:
        await copy_rows(connection, plan, rows, turn=turn)
    except RowRefused as error:
        raise DatabaseError(str(error)) from error
    return []
