"""Writes the current state of objects: balances, markets, positions; one statement a table and commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from heliograph_core.records import Balance, Market, MarketState, Position, State
from heliograph_sql.copying import Refused, first_line, is_refusal
from heliograph_sql.plan import STATE_PLANS, PgType, TablePlan, plan_of
from heliograph_sql.queries import load

_NUL, _STANDIN = "\0", "\N{SYMBOL FOR NULL}"
MARKETS = plan_of(Market, "perps", "markets")


async def write_states(
    connection: Any, states: Sequence[State], account_slots: Mapping[str, int], *, careful: bool
) -> list[Refused]:
    """Upserts in name order of the tables, each in key order, so that two writers do not wait for each other.

    account_slots: the slot at which an account was seen, by address, for markets that an account describes.
    careful: find the rows that are refused and return them; else the first refusal is raised. Inside a transaction.
    """
    queries = load("states.sql")
    refused: list[Refused] = []
    balances = _latest(Balance, states, lambda b: (b.wallet, b.asset, b.sub_account), _when)
    refused += await _write(connection, queries["upsert_balances"], STATE_PLANS[Balance], balances, careful)
    markets = _latest(Market, states, lambda m: (m.market,), lambda _: ())
    slots = [account_slots.get(market.market) for market in markets]
    refused += await _write(connection, queries["upsert_markets"], MARKETS, markets, careful, slots)
    market_states = _latest(MarketState, states, lambda m: (m.market,), lambda m: (m.account_slot,))
    refused += await _write(
        connection, queries["update_market_states"], STATE_PLANS[MarketState], market_states, careful
    )
    positions = _latest(Position, states, _position_id, _when)
    return refused + await write_positions(connection, positions, careful=careful)


async def write_positions(connection: Any, positions: Sequence[Position], *, careful: bool) -> list[Refused]:
    """Upserts positions, one row each."""
    ordered = sorted(positions, key=_position_id)
    return await _write(
        connection, load("states.sql")["upsert_positions"], STATE_PLANS[Position], ordered, careful
    )


def columns_of(plan: TablePlan, rows: Sequence[Any]) -> list[list[Any]]:
    """The rows as one list a column, as `unnest` takes them; NUL in text becomes U+2400."""
    columns: list[list[Any]] = []
    for column in plan.columns:
        values = [getattr(row, column.name) for row in rows]
        columns.append([storable(value) for value in values] if column.type is PgType.TEXT else values)
    return columns


async def _write(
    connection: Any,
    statement: str,
    plan: TablePlan,
    rows: Sequence[Any],
    careful: bool,
    extra: Sequence[Any] | None = None,
) -> list[Refused]:
    beside = {id(row): value for row, value in zip(rows, extra, strict=True)} if extra is not None else None

    def arguments(some: Sequence[Any]) -> list[Any]:
        columns = columns_of(plan, some)
        return columns if beside is None else [*columns, [beside[id(row)] for row in some]]

    return await execute_careful(connection, statement, plan, rows, arguments, careful)


async def execute_careful(
    connection: Any, statement: str, plan: TablePlan, rows: Sequence[Any], arguments: Any, careful: bool
) -> list[Refused]:
    """Runs the statement on all rows at once; careful: finds those that are refused by halving, and returns them."""
    if not rows:
        return []
    if not careful:
        await connection.execute(statement, *arguments(rows))
        return []
    try:
        async with connection.transaction():
            await connection.execute(statement, *arguments(rows))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError, TypeError) as error:
        if not is_refusal(error):
            raise
        if len(rows) == 1:
            return [Refused(plan, rows[0], first_line(error))]
        middle = len(rows) // 2
        return [
            *await execute_careful(connection, statement, plan, rows[:middle], arguments, careful),
            *await execute_careful(connection, statement, plan, rows[middle:], arguments, careful),
        ]
    return []


def _latest(kind: type[Any], states: Iterable[State], key: Any, version: Any) -> list[Any]:
    found: dict[Any, Any] = {}
    for state in states:
        if isinstance(state, kind):
            known = found.get(key(state))
            if known is None or version(state) >= version(known):
                found[key(state)] = state
    return [found[each] for each in sorted(found)]


def _when(state: Balance | Position) -> tuple[int, int, int]:
    return (state.updated_slot, state.updated_tx_index, state.updated_ordinal)


def _position_id(position: Position) -> tuple[str, int, int, int]:
    return (
        position.position_key,
        position.opened_slot,
        position.opened_tx_index,
        position.opened_ordinal,
    )


def storable(value: str | None) -> str | None:
    """The text as PostgreSQL takes it: NUL becomes U+2400."""
    return value.replace(_NUL, _STANDIN) if value is not None and _NUL in value else value
