"""Positions from their changes: at the head as they come, for late history from all stored changes of a key anew.

Only the leader folds. Whoever else writes changes marks their keys dirty; while a key is dirty its live changes are
stored and not folded, and the position is not settled. What is past its retention is never folded anew: a fold begins
with what the position was there. The locks are what makes this right: see queries/folding.sql.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from heliograph_core.fold import fold
from heliograph_core.records import Position, PositionChange
from heliograph_sql.copying import Refused
from heliograph_sql.queries import load
from heliograph_sql.states import write_positions


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
    late = {row["position_key"] for row in await connection.fetch(queries["lock_dirty"], stream, keys)}
    clean = [key for key in keys if key not in late]
    stored = {
        row["position_key"]: Position(**dict(row))
        for row in await connection.fetch(queries["lock_latest_positions"], stream, clean)
    }
    folded: list[Position] = []
    for key in clean:
        current = stored.get(key)
        if current is not None and _where(current) >= chain_order(by_key[key][0])[:3]:
            late.add(key)
        else:
            folded += fold(current, by_key[key])
    await mark_dirty(connection, stream, sorted(late))
    return await write_positions(connection, folded, careful=careful)


async def lock_dirty_keys(connection: Any, stream: str, limit: int) -> list[str]:
    """Up to `limit` dirty keys, locked until the end of the transaction; they are then `refold`ed in it."""
    queries = load("folding.sql")
    await connection.execute(queries["lock_folding"], stream)
    return [row["position_key"] for row in await connection.fetch(queries["lock_some_dirty"], stream, limit)]


async def refold(connection: Any, stream: str, keys: Sequence[str]) -> list[Position]:
    """Folds the keys anew from all that is stored of them. Inside the transaction that locked them."""
    queries = load("folding.sql")
    await connection.fetch(queries["lock_positions"], stream, keys)
    begun = await read_retained(connection, stream, keys)
    rows = await connection.fetch(queries["list_changes"], stream, keys)
    changes = _by_key([PositionChange(**dict(row)) for row in rows])
    positions: list[Position] = []
    for key in sorted({*begun, *changes}):
        base = begun.get(key)
        folded = fold(base, changes.get(key, []))
        if base is not None and (not folded or folded[0].lifecycle != base.lifecycle):
            folded.insert(0, base)
        positions += folded
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


async def read_retained(connection: Any, stream: str, keys: Sequence[str]) -> dict[str, Position]:
    """What the positions were right below streams.retained_from, by key; absent where nothing was there."""
    rows = await connection.fetch(load("retention.sql")["read_retained"], stream, keys)
    return {row["position_key"]: msgspec.json.decode(row["position"], type=Position) for row in rows}


def _by_key(changes: Sequence[PositionChange]) -> dict[str, list[PositionChange]]:
    found: dict[str, list[PositionChange]] = {}
    for change in sorted(changes, key=chain_order):
        found.setdefault(change.position_key, []).append(change)
    return found


def _where(position: Position) -> tuple[int, int, int]:
    return (position.updated_slot, position.updated_tx_index, position.updated_ordinal)
