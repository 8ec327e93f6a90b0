"""What is stored of positions' keys, in chain order: the changes of a key, or its flows, from which changes follow.

A key has flows or it has not: a program's events tell sides or they do not. What is past its retention is not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from heliograph_core.flow_fold import find_start, fold_flows
from heliograph_core.fold import fold
from heliograph_core.records import Flow, Position, PositionChange
from heliograph_core.showing import Mark, fold_shown, shown_bases
from heliograph_sql.queries import load

Entry = PositionChange | Flow
Place = tuple[int, int, int, int, int]
"""block_time, slot, tx_index, ordinal, part."""


class Outcome(NamedTuple):
    """What a history comes to. changes: those that follow from flows. surprised: see heliograph_core.flow_fold."""

    positions: list[Position]
    changes: list[PositionChange]
    surprised: bool


def fold_history(
    current: Position | None,
    entries: Sequence[Entry],
    marks: Sequence[Mark] = (),
    *,
    through: int | None = None,
) -> Outcome:
    """Folds entries of one key, all of them behind `current`, and what accounts showed of it.

    through: only up to the end of that slot; what is behind it tells no more than how the key began.
    """
    changes: list[PositionChange] = []
    surprised = False
    flows = [entry for entry in entries if isinstance(entry, Flow)]
    start = find_start(flows, shown_bases(marks)) if flows and current is None else None
    if through is not None:
        entries = [entry for entry in entries if entry.slot <= through]
        marks = [mark for mark in marks if mark.slot <= through]

    def fold_run(position: Position | None, run: Sequence[Entry]) -> Sequence[Position]:
        nonlocal surprised
        outcome = _fold_run(position, run, start if run and run[0] is entries[0] else None)
        changes.extend(outcome.changes)
        surprised = surprised or outcome.surprised
        return outcome.positions

    return Outcome(fold_shown(current, entries, marks, fold_run), changes, surprised)


def _fold_run(current: Position | None, entries: Sequence[Entry], start: Decimal | None) -> Outcome:
    flows = [entry for entry in entries if isinstance(entry, Flow)]
    if not flows:
        return Outcome(fold(current, [one for one in entries if isinstance(one, PositionChange)]), [], False)
    return Outcome(*fold_flows(current, flows, start))


def chain_order(entry: Entry) -> tuple[int, int, int, int]:
    return (entry.slot, entry.tx_index, entry.ordinal, entry.part)


def place_of(entry: Entry) -> Place:
    return (entry.block_time, *chain_order(entry))


async def find_flowing(connection: Any, stream: str, keys: Sequence[str]) -> list[str]:
    """Those of the keys that have flows."""
    rows = await connection.fetch(load("folding.sql")["find_flowing"], stream, keys)
    return sorted(row["position_key"] for row in rows)


async def find_flowed(connection: Any, stream: str, places: Mapping[str, Place]) -> set[str]:
    """Those of the keys that have flows before their place, stored or kept of what is past its retention."""
    if not places:
        return set()
    rows = await connection.fetch(
        load("folding.sql")["find_flowed"], stream, *_columns(sorted(places), places)
    )
    return {row["position_key"] for row in rows}


async def count_entries(connection: Any, stream: str, keys: Sequence[str]) -> dict[str, int]:
    """How many entries each key has; absent: none."""
    flowing = await find_flowing(connection, stream, keys)
    rows = await connection.fetch(load("folding.sql")["count_changes"], stream, keys, flowing)
    return {row["position_key"]: row["changes"] for row in rows}


async def fetch_entries(
    connection: Any, stream: str, keys: Sequence[str]
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Rows for `entries_by_key`."""
    flowing = await find_flowing(connection, stream, keys)
    others = sorted(set(keys) - set(flowing))
    queries = load("folding.sql")
    return (
        await connection.fetch(queries["list_changes"], stream, others) if others else (),
        await connection.fetch(queries["list_flows"], stream, flowing) if flowing else (),
    )


async def fetch_entries_behind(
    connection: Any, stream: str, places: Mapping[str, Place]
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Rows for `entries_by_key`: of each key those behind its place."""
    flowing = await find_flowing(connection, stream, list(places))
    others = sorted(set(places) - set(flowing))
    queries = load("folding.sql")
    return (
        await connection.fetch(queries["list_changes_behind"], stream, *_columns(others, places))
        if others
        else (),
        await connection.fetch(queries["list_flows_behind"], stream, *_columns(flowing, places))
        if flowing
        else (),
    )


def entries_by_key(rows: tuple[Sequence[Any], Sequence[Any]]) -> dict[str, list[Entry]]:
    """rows: of changes and of flows, each ordered by key, then in chain order."""
    changes, flows = rows
    found: dict[str, list[Entry]] = {}
    for key, group in groupby(
        (PositionChange(**dict(row)) for row in changes), key=lambda one: one.position_key
    ):
        found[key] = list(group)
    for key, its in groupby((Flow(**dict(row)) for row in flows), key=lambda one: one.position_key):
        found[key] = list(its)
    return found


async def fetch_changes(connection: Any, stream: str, keys: Sequence[str]) -> list[PositionChange]:
    """The stored changes of keys, as they followed from flows that were folded before."""
    rows = await connection.fetch(load("folding.sql")["list_changes"], stream, keys)
    return [PositionChange(**dict(row)) for row in rows]


def _columns(keys: Sequence[str], places: Mapping[str, Place]) -> list[list[Any]]:
    return [list(column) for column in zip(*((key, *places[key]) for key in keys), strict=True)]
