"""Compares the tables with what they ought to hold, row by row, and tells the differences readably.

In: rows by table name ("perps.trades"), each a mapping from column to value. Out: a text, empty where all is equal.
Values are equal when type and value are: a number stored as text, or true as 1, is a difference.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

_PLACE = ("slot", "tx_index", "ordinal")
_EVENT_KEY = (*_PLACE, "part")

KEYS: Mapping[str, tuple[str, ...]] = {
    "perps.position_changes": _EVENT_KEY,
    "perps.trades": _EVENT_KEY,
    "perps.funding_rates": _EVENT_KEY,
    "perps.funding_payments": _EVENT_KEY,
    "perps.liquidations": _EVENT_KEY,
    "perps.oracle_prices": _EVENT_KEY,
    "perps.transfers": _EVENT_KEY,
    "perps.markets": ("market",),
    "perps.positions": ("position_key", "opened_slot", "opened_tx_index", "opened_ordinal"),
    "perps.balances": ("wallet", "asset", "sub_account"),
    "heliograph.transactions": ("slot", "tx_index"),
}
"""Every canonical table, and the record of transactions, with what names a row in it."""

_QUERIES: Mapping[str, str] = {
    "perps.position_changes": "SELECT * FROM perps.position_changes WHERE stream = $1",
    "perps.trades": "SELECT * FROM perps.trades WHERE stream = $1",
    "perps.funding_rates": "SELECT * FROM perps.funding_rates WHERE stream = $1",
    "perps.funding_payments": "SELECT * FROM perps.funding_payments WHERE stream = $1",
    "perps.liquidations": "SELECT * FROM perps.liquidations WHERE stream = $1",
    "perps.oracle_prices": "SELECT * FROM perps.oracle_prices WHERE stream = $1",
    "perps.transfers": "SELECT * FROM perps.transfers WHERE stream = $1",
    "perps.markets": "SELECT * FROM perps.markets WHERE stream = $1",
    "perps.positions": "SELECT * FROM perps.positions WHERE stream = $1",
    "perps.balances": "SELECT * FROM perps.balances WHERE stream = $1",
    "heliograph.transactions": (
        "SELECT stream, block_time, slot, tx_index, signature, err FROM heliograph.transactions WHERE stream = $1"
    ),
}

_PLACES = """
SELECT string_agg(format(
    'SELECT %L AS event, block_time, slot, tx_index, ordinal, signature, program FROM %I.%I WHERE slot = ANY ($1)',
    stream || '.' || table_name, stream, table_name
), ' UNION ALL ')
FROM heliograph.typed_tables
WHERE stream = $1 AND kind = 'event'
"""
"""Makes the statement that reads the places of all events of a stream; NULL where it has no tables yet."""

_ABSENT = object()


async def read_tables(connection: Any, stream: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of one stream over an asyncpg connection; times as unix seconds.

    Of markets without account_slot, the context in which an account was read: nothing on the chain decides it. Of
    transactions only what every source knows: log lines tell no fee.
    """
    return {
        table: [_plain(record) for record in await connection.fetch(query, stream)]
        for table, query in _QUERIES.items()
    }


async def read_slots(
    connection: Any, stream: str, slots: Sequence[int]
) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """What stands in these slots, by slot and table: event-like rows, transactions, and of events the places."""
    found: dict[int, dict[str, list[dict[str, Any]]]] = {slot: {} for slot in slots}
    for table, key in KEYS.items():
        if key[0] == "slot":
            for record in await connection.fetch(f"{_QUERIES[table]} AND slot = ANY ($2)", stream, slots):
                found[record["slot"]].setdefault(table, []).append(_plain(record))
    places = await connection.fetchval(_PLACES, stream)
    for record in await connection.fetch(places, slots) if places is not None else ():
        row = _plain(record)
        found[row["slot"]].setdefault(row.pop("event"), []).append(row)
    return found


def as_stored(truth: Tables) -> dict[str, list[dict[str, Any]]]:
    """The truth as `read_tables` shows it: PostgreSQL stores no NUL, and of markets see there."""
    return {
        table: [
            {
                column: value.replace("\0", "\u2400") if isinstance(value, str) else value
                for column, value in row.items()
                if column != "account_slot"
            }
            for row in rows
        ]
        for table, rows in truth.items()
    }


def differences(expected: Tables, actual: Tables, *, most: int = 5) -> str:
    """The first `most` differing rows of each table, and how many there are. Empty where the tables are equal."""
    found = [
        text
        for table in sorted({*expected, *actual})
        if (text := _of_table(table, expected.get(table, ()), actual.get(table, ()), most))
    ]
    return "\n".join(found)


def wrong_positions(expected: Tables, actual: Tables) -> str:
    """Positions that are called complete and are not what they ought to be. Empty where none is."""
    table = "perps.positions"
    claimed = [row for row in actual[table] if row["complete"] and row["settled"]]
    names = {tuple(row[column] for column in KEYS[table]) for row in claimed}
    wanted = [row for row in expected[table] if tuple(row[column] for column in KEYS[table]) in names]
    return differences({table: wanted}, {table: claimed})


def _of_table(table: str, expected: Sequence[Row], actual: Sequence[Row], most: int) -> str:
    key = KEYS.get(table, _PLACE)
    wanted, wanted_twice = _by_key(expected, key)
    stored, stored_twice = _by_key(actual, key)
    found = [f"twice in what is expected: {_named(key, at)}" for at in wanted_twice]
    found += [f"twice in the table: {_named(key, at)}" for at in stored_twice]
    for at in sorted({*wanted, *stored}):
        if at not in stored:
            found.append(f"lost: {_named(key, at)}\n        {_shown(wanted[at])}")
        elif at not in wanted:
            found.append(f"invented: {_named(key, at)}\n        {_shown(stored[at])}")
        elif columns := _columns(wanted[at], stored[at]):
            found.append(f"differs: {_named(key, at)}" + "".join(columns))
    if not found:
        return ""
    counts = f"{len(expected)} rows expected, {len(actual)} stored, {len(found)} differences"
    shown = "".join(f"\n    {text}" for text in found[:most])
    return f"{table}: {counts}; the first {min(most, len(found))}:{shown}"


def _by_key(rows: Sequence[Row], key: tuple[str, ...]) -> tuple[dict[Any, Row], list[Any]]:
    by_key: dict[Any, Row] = {}
    twice = []
    for row in rows:
        at = tuple(row[column] for column in key)
        if at in by_key:
            twice.append(at)
        by_key[at] = row
    return by_key, twice


def _columns(wanted: Row, stored: Row) -> list[str]:
    lines = []
    for column in dict.fromkeys([*wanted, *stored]):
        one, other = wanted.get(column, _ABSENT), stored.get(column, _ABSENT)
        if type(one) is not type(other) or one != other:
            lines.append(f"\n        {column}: expected {_value(one)}, stored {_value(other)}")
    return lines


def _named(key: tuple[str, ...], at: tuple[Any, ...]) -> str:
    return ", ".join(f"{column} {value}" for column, value in zip(key, at, strict=True))


def _shown(row: Row) -> str:
    return ", ".join(f"{column} {_value(value)}" for column, value in row.items())


def _value(value: object) -> str:
    return "no such column" if value is _ABSENT else repr(value)


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {column: _value_of(column, value) for column, value in record.items() if column != "account_slot"}


def _value_of(column: str, value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return int(value.timestamp())
    return json.loads(value) if column == "err" and value is not None else value
