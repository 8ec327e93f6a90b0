"""Positions as they were at the end of a slot: folded anew from what is stored of their keys, as the indexer folds them.

Of a key one life may have been another then: the last that had opened. What is told later of how a key began counts
too, so this is what is known now of how things stood then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from heliograph_core.records import Position
from heliograph_core.sighting import Sighting
from heliograph_sql.folding import read_sightings
from heliograph_sql.histories import Entry, entries_by_key, find_flowing, fold_history
from heliograph_sql.queries import load
from heliograph_sql.retained import NOTHING, Retained, fold_retained, read_retained


@dataclass(frozen=True)
class Life:
    """A lifecycle as it is stored now. opened_at: unix seconds."""

    position_key: str
    lifecycle: int
    opened_at: int
    opened_slot: int
    opened_tx_index: int
    opened_ordinal: int
    complete: bool
    settled: bool


async def read_as_of(
    connection: Any, stream: str, lives: Sequence[Life], slot: int, most: int
) -> tuple[list[Position], int] | None:
    """The lives as they were, at most one for each, and how many changes and flows were read for it.

    lives: of each key the last that had opened at `slot`, which is not below the stream's first slot. None where more
    than `most` changes and flows would have to be read.
    """
    if not lives:
        return [], 0
    keys = [life.position_key for life in lives]
    flowing = frozenset(await find_flowing(connection, stream, keys))
    begun = await read_retained(connection, stream, keys)
    seen = await read_sightings(connection, stream, keys)
    alone = {life.position_key for life in lives if _is_alone(life, flowing, begun, seen)}
    rows = await _read(connection, stream, lives, flowing, alone, slot, most)
    if rows is None:
        return None

    def fold() -> list[Position]:
        entries = entries_by_key(rows)
        found: list[Position] = []
        for life in lives:
            key = life.position_key
            its = entries.get(key, [])
            if key in alone:
                position = _fold_alone(life, its)
            else:
                position = _fold_whole(begun.get(key, NOTHING), its, seen.get(key, []), slot)
            if position is not None:
                found.append(msgspec.structs.replace(position, settled=life.settled))
        return found

    # Thousands of changes take a while to fold, and others are answered meanwhile.
    return await asyncio.to_thread(fold), sum(map(len, rows))


def _is_alone(
    life: Life, flowing: Collection[str], begun: Mapping[str, Retained], seen: Collection[str]
) -> bool:
    """Whether nothing but its own changes says what the life came to: most do, and a key may have thousands of lives."""
    key = life.position_key
    if not life.complete or key in flowing or key in seen:
        return False
    kept = begun.get(key, NOTHING)
    return not kept.flows and (kept.position is None or kept.position.lifecycle < life.lifecycle)


async def _read(
    connection: Any,
    stream: str,
    lives: Sequence[Life],
    flowing: Collection[str],
    alone: Collection[str],
    slot: int,
    most: int,
) -> tuple[Sequence[Any], Sequence[Any]] | None:
    queries = load("folding.sql")
    changing = [life for life in lives if life.position_key not in flowing]
    since = [life.opened_at if life.position_key in alone else 0 for life in changing]
    changes = await connection.fetch(
        queries["list_changes_within"],
        stream,
        [life.position_key for life in changing],
        since,
        [life.opened_slot if life.position_key in alone else 0 for life in changing],
        slot,
        most + 1,
        min(since, default=0),
        await connection.fetchval(queries["find_time_behind"], stream, slot),
    )
    if len(changes) > most:
        return None
    # Flows behind the slot tell how the key began.
    flows = (
        await connection.fetch(queries["list_most_flows"], stream, sorted(flowing), most + 1 - len(changes))
        if flowing
        else []
    )
    return None if len(changes) + len(flows) > most else (changes, flows)


def _fold_alone(life: Life, entries: Sequence[Entry]) -> Position | None:
    """entries: from the slot of its opening on."""
    opening = (life.opened_slot, life.opened_tx_index, life.opened_ordinal)
    # The event that opens it may be the one that closed the life before.
    begin = next(
        (
            at
            for at, entry in enumerate(entries)
            if (entry.slot, entry.tx_index, entry.ordinal) == opening and entry.kind == "open"
        ),
        0,
    )
    positions = fold_history(None, entries[begin:]).positions
    return msgspec.structs.replace(positions[-1], lifecycle=life.lifecycle) if positions else None


def _fold_whole(
    retained: Retained, entries: Sequence[Entry], sightings: Sequence[Sighting], slot: int
) -> Position | None:
    positions = fold_retained(retained, entries, sightings, through=slot).positions
    return positions[-1] if positions else None
