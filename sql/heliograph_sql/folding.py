"""Positions from their changes: at the head as they come, for late history from all stored changes of a key anew.

Only the leader folds. Whoever else writes changes marks their keys dirty; while a key is dirty its live changes are
stored and not folded, and the position is not settled. What is past its retention is never folded anew: a fold begins
with what the position was there. The locks are what makes this right: see queries/folding.sql.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from heliograph_core.fold import fold
from heliograph_core.records import Position, PositionChange
from heliograph_sql.copying import Refused
from heliograph_sql.queries import load
from heliograph_sql.states import write_positions

REFOLD_CHANGES = 2_000
"""Changes that are folded anew at once, but for a single key with more: while their positions are stored, live waits."""


def chain_order(change: PositionChange) -> tuple[int, int, int, int]:
    return (change.slot, change.tx_index, change.ordinal, change.part)


async def mark_dirty(connection: Any, stream: str, keys: Sequence[str]) -> None:
    """Leaves the keys to the leader. keys: any order, doubles allowed."""
    if not keys:
        return
    queries = load("folding.sql")
    ordered = sorted(set(keys))
    await connection.execute(queries["mark_dirty"], stream, ordered)
    await connection.execute(queries["unsettle_positions"], stream, ordered)


async def fold_live(
    connection: Any, stream: str, changes: Sequence[PositionChange], *, careful: bool
) -> list[Refused]:
    """Folds the changes of one batch into the stored positions. The caller leads the stream.

    Keys that are dirty, and keys whose stored position is later than a change here, are left to a refold.
    """
    if not changes:
        return []
    queries = load("folding.sql")
    by_key = _by_key(changes)
    keys = sorted(by_key)
    await connection.execute(queries["lock_folding"], stream)
    marked = {row["position_key"] for row in await connection.fetch(queries["lock_dirty"], stream, keys)}
    clean = [key for key in keys if key not in marked]
    stored = {
        row["position_key"]: Position(**dict(row))
        for row in await connection.fetch(queries["lock_latest_positions"], stream, clean)
    }
    folded: list[Position] = []
    late: set[str] = set()
    for key in clean:
        current = stored.get(key)
        if current is not None and _where(current) >= chain_order(by_key[key][0])[:3]:
            late.add(key)
        else:
            folded += fold(current, by_key[key])
    await mark_dirty(connection, stream, sorted(late))
    return await write_positions(connection, folded, careful=careful)


class Refold(NamedTuple):
    """One key folded without a lock. marks: of the key before its changes were read. last: the latest of them."""

    key: str
    marks: int
    changes: int
    positions: list[Position]
    last: PositionChange | None


async def prepare_refold(
    connection: Any, stream: str, limit: int, quiet_s: float, anyway_s: float
) -> list[Refold]:
    """Folds up to `limit` dirty keys anew; nothing is locked, written, or held up by computing.

    quiet_s, anyway_s: see `list_dirty` in queries/folding.sql.
    """
    queries = load("folding.sql")
    # Before the changes: a mark that comes later shows that they are not all.
    marks = {
        row["position_key"]: row["marks"]
        for row in await connection.fetch(queries["list_dirty"], stream, limit, quiet_s, anyway_s)
    }
    if not marks:
        return []
    counted = await connection.fetch(queries["count_changes"], stream, list(marks))
    counts = {row["position_key"]: row["changes"] for row in counted}
    chosen: list[str] = []
    for key in marks:
        if chosen and sum(counts.get(each, 0) for each in (*chosen, key)) > REFOLD_CHANGES:
            break
        chosen.append(key)
    begun = await read_retained(connection, stream, chosen)
    rows = await connection.fetch(queries["list_changes"], stream, chosen)
    # A long history takes seconds to fold; live indexing runs in this loop.
    changes = await asyncio.to_thread(_changes_by_key, rows)
    folded = await asyncio.to_thread(
        lambda: {key: _fold_from(begun.get(key), changes.get(key, [])) for key in chosen}
    )
    return [
        Refold(
            key,
            marks[key],
            len(changes.get(key, ())),
            folded.get(key, []),
            changes[key][-1] if key in changes else None,
        )
        for key in chosen
    ]


async def finish_refold(connection: Any, stream: str, prepared: Sequence[Refold]) -> list[Position] | None:
    """Stores what was folded, with what live indexing wrote since; None where every key was marked since.

    Inside a transaction, whose locks keep every other fold and every late writer of these keys away.
    """
    queries = load("folding.sql")
    await connection.execute(queries["lock_folding"], stream)
    wanted = [one.key for one in prepared]
    locked = {
        row["position_key"]: row["marks"]
        for row in await connection.fetch(queries["lock_listed_dirty"], stream, wanted)
    }
    same = [one for one in prepared if locked.get(one.key) == one.marks]
    if not same:
        return None
    keys = [one.key for one in same]
    await connection.fetch(queries["lock_positions"], stream, keys)
    behind = await _changes_behind(connection, stream, same)
    counted = await connection.fetch(queries["count_changes"], stream, keys)
    counts = {row["position_key"]: row["changes"] for row in counted}
    # A change that is neither what was folded nor behind it was written in between, without a mark.
    missed = [one.key for one in same if counts.get(one.key, 0) != one.changes + len(behind.get(one.key, ()))]
    anew = _changes_by_key(await connection.fetch(queries["list_changes"], stream, missed) if missed else [])
    begun = await read_retained(connection, stream, missed)
    positions: list[Position] = []
    for one in same:
        if one.key in missed:
            positions += _fold_from(begun.get(one.key), anew.get(one.key, []))
        else:
            current = one.positions[-1] if one.positions else None
            later = fold(current, behind.get(one.key, []))
            replaced = {position.lifecycle for position in later}
            positions += [position for position in one.positions if position.lifecycle not in replaced]
            positions += later
    await connection.execute(
        queries["delete_positions"],
        stream,
        keys,
        [position.position_key for position in positions],
        [position.opened_slot for position in positions],
        [position.opened_tx_index for position in positions],
        [position.opened_ordinal for position in positions],
    )
    await write_positions(connection, positions, careful=False)
    await connection.execute(queries["settle_positions"], stream, keys)
    await connection.execute(queries["clear_dirty"], stream, keys)
    return positions


async def _changes_behind(
    connection: Any, stream: str, prepared: Sequence[Refold]
) -> dict[str, list[PositionChange]]:
    places = [
        (one.key, last.block_time, last.slot, last.tx_index, last.ordinal, last.part)
        if (last := one.last) is not None
        else (one.key, 0, -1, 0, 0, 0)
        for one in prepared
    ]
    columns = [list(column) for column in zip(*places, strict=True)]
    rows = await connection.fetch(load("folding.sql")["list_changes_behind"], stream, *columns)
    return _changes_by_key(rows)


def _changes_by_key(rows: Sequence[Any]) -> dict[str, list[PositionChange]]:
    """rows: ordered by key, then in chain order."""
    changes = (PositionChange(**dict(row)) for row in rows)
    return {key: list(group) for key, group in groupby(changes, key=lambda one: one.position_key)}


async def read_retained(connection: Any, stream: str, keys: Sequence[str]) -> dict[str, Position]:
    """What the positions were right below streams.retained_from, by key; absent where nothing was there."""
    rows = await connection.fetch(load("retention.sql")["read_retained"], stream, keys)
    return {row["position_key"]: msgspec.json.decode(row["position"], type=Position) for row in rows}


def _fold_from(base: Position | None, changes: Sequence[PositionChange]) -> list[Position]:
    """Every lifecycle; base: what the position was where the stored changes begin, kept where they leave it alone."""
    folded = fold(base, changes)
    if base is not None and (not folded or folded[0].lifecycle != base.lifecycle):
        folded.insert(0, base)
    return folded


def _by_key(changes: Sequence[PositionChange]) -> dict[str, list[PositionChange]]:
    found: dict[str, list[PositionChange]] = {}
    for change in sorted(changes, key=chain_order):
        found.setdefault(change.position_key, []).append(change)
    return found


def _where(position: Position) -> tuple[int, int, int]:
    return (position.updated_slot, position.updated_tx_index, position.updated_ordinal)
