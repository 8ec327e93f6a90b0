"""Positions from their changes or flows: at the head as they come, for late history from all that is stored of a key anew.

Only the leader folds. Whoever else writes changes or flows marks their keys dirty; while a key is dirty its live
entries are stored and not folded, and the position is not settled. What is past its retention is never folded anew: a
fold begins with what the position was there. What accounts showed (sightings.py) is folded together with the entries.
The locks are what makes this right: see queries/folding.sql.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from heliograph_core.flow_fold import find_start
from heliograph_core.records import Flow, Position, PositionChange
from heliograph_core.showing import where
from heliograph_core.sighting import Sighting
from heliograph_sql.copying import Refused, copy_rows, copy_what_fits
from heliograph_sql.histories import (
    Entry,
    Outcome,
    Place,
    chain_order,
    count_entries,
    entries_by_key,
    fetch_changes,
    fetch_entries,
    fetch_entries_behind,
    find_flowed,
    fold_history,
    place_of,
)
from heliograph_sql.plan import RECORD_PLANS
from heliograph_sql.queries import load
from heliograph_sql.retained import NOTHING, fold_retained, read_retained
from heliograph_sql.states import write_positions

REFOLD_CHANGES = 2_000
"""Changes that are folded anew at once, but for a single key with more: while their positions are stored, live waits."""


_READER = msgspec.json.Decoder(Sighting)


async def mark_dirty(connection: Any, stream: str, keys: Sequence[str]) -> None:
    """Leaves the keys to the leader. keys: any order, doubles allowed."""
    if not keys:
        return
    queries = load("folding.sql")
    ordered = sorted(set(keys))
    await connection.execute(queries["mark_dirty"], stream, ordered)
    await connection.execute(queries["unsettle_positions"], stream, ordered)


async def fold_live(
    connection: Any, stream: str, entries: Sequence[Entry], *, careful: bool
) -> list[Refused]:
    """Folds the entries of one batch into the stored positions, and stores the changes that follow from flows.

    The caller leads the stream. Left to a refold are keys that are dirty, keys whose stored position is later than an
    entry here, keys whose flows tell what the position does not, and those without a position of which earlier flows
    may tell what these do not.
    """
    if not entries:
        return []
    queries = load("folding.sql")
    by_key = _by_key(entries)
    keys = sorted(by_key)
    await connection.execute(queries["lock_folding"], stream)
    marked = {row["position_key"] for row in await connection.fetch(queries["lock_dirty"], stream, keys)}
    clean = [key for key in keys if key not in marked]
    stored = {
        row["position_key"]: Position(**dict(row))
        for row in await connection.fetch(queries["lock_latest_positions"], stream, clean)
    }
    begun = {
        key: place_of(by_key[key][0]) for key in clean if key not in stored and _says_no_base(by_key[key])
    }
    folded: list[Position] = []
    changes: list[PositionChange] = []
    late = await find_flowed(connection, stream, begun)
    for key in clean:
        current = stored.get(key)
        if key in late:
            continue
        if current is not None and where(current) >= chain_order(by_key[key][0])[:3]:
            late.add(key)
            continue
        outcome = fold_history(current, by_key[key])
        if outcome.surprised:
            late.add(key)
            continue
        folded += outcome.positions
        changes += outcome.changes
    await mark_dirty(connection, stream, sorted(late))
    refused = await write_positions(connection, folded, careful=careful)
    return refused + await _store_changes(connection, changes, careful=careful)


class Refold(NamedTuple):
    """One key folded without a lock. marks: of the key before its entries were read. last: the latest of them.

    sightings: what accounts had shown of it.
    """

    key: str
    marks: int
    entries: int
    outcome: Outcome
    last: Entry | None
    sightings: list[Sighting]


class Rewritten(NamedTuple):
    """What a refold came to. slots: of changes that follow from flows and are others now, with their block times."""

    positions: list[Position]
    slots: dict[int, int]


async def prepare_refold(
    connection: Any, stream: str, limit: int, quiet_s: float, anyway_s: float
) -> list[Refold]:
    """Folds up to `limit` dirty keys anew; nothing is locked, written, or held up by computing.

    quiet_s, anyway_s: see `list_dirty` in queries/folding.sql.
    """
    queries = load("folding.sql")
    # Before the entries: a mark that comes later shows that they are not all.
    marks = {
        row["position_key"]: row["marks"]
        for row in await connection.fetch(queries["list_dirty"], stream, limit, quiet_s, anyway_s)
    }
    if not marks:
        return []
    counts = await count_entries(connection, stream, list(marks))
    chosen: list[str] = []
    for key in marks:
        if chosen and sum(counts.get(each, 0) for each in (*chosen, key)) > REFOLD_CHANGES:
            break
        chosen.append(key)
    begun = await read_retained(connection, stream, chosen)
    seen = await read_sightings(connection, stream, chosen)
    rows = await fetch_entries(connection, stream, chosen)
    # A long history takes seconds to fold; live indexing runs in this loop.
    entries = await asyncio.to_thread(entries_by_key, rows)
    folded = await asyncio.to_thread(
        lambda: {
            key: fold_retained(begun.get(key, NOTHING), entries.get(key, []), seen.get(key, []))
            for key in chosen
        }
    )
    return [
        Refold(
            key,
            marks[key],
            len(entries.get(key, ())),
            folded[key],
            entries[key][-1] if key in entries else None,
            seen.get(key, []),
        )
        for key in chosen
    ]


async def finish_refold(connection: Any, stream: str, prepared: Sequence[Refold]) -> Rewritten | None:
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
    behind = await _entries_behind(connection, stream, same)
    counts = await count_entries(connection, stream, keys)
    later = {
        one.key: fold_history(
            one.outcome.positions[-1] if one.outcome.positions else None, behind.get(one.key, [])
        )
        for one in same
    }
    seen = await read_sightings(connection, stream, keys)
    # An entry that is neither what was folded nor behind it was written in between, without a mark.
    missed = [
        one.key
        for one in same
        if counts.get(one.key, 0) != one.entries + len(behind.get(one.key, ()))
        or later[one.key].surprised
        or seen.get(one.key, []) != one.sightings
        or not _goes_behind(one, behind.get(one.key, []))
    ]
    anew = entries_by_key(await fetch_entries(connection, stream, missed)) if missed else {}
    begun = await read_retained(connection, stream, missed)
    positions: list[Position] = []
    changes: list[PositionChange] = []
    for one in same:
        if one.key in missed:
            outcome = fold_retained(begun.get(one.key, NOTHING), anew.get(one.key, []), seen.get(one.key, []))
        else:
            outcome = _join(one.outcome, later[one.key])
        positions += outcome.positions
        changes += outcome.changes
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
    flowing = sorted(
        {one.key for one in same if isinstance(one.last, Flow)} | _flowing(behind) | _flowing(anew)
    )
    slots = await _replace_changes(connection, stream, flowing, changes)
    await connection.execute(queries["settle_positions"], stream, keys)
    await connection.execute(queries["clear_dirty"], stream, keys)
    return Rewritten(positions, slots)


def _goes_behind(one: Refold, behind: Sequence[Entry]) -> bool:
    """Whether the entries can be folded into what is prepared: an account may have been seen later than they are."""
    positions = one.outcome.positions
    if not (behind and positions):
        # Without a position, what the entries before it told would be lost.
        return not behind
    return where(positions[-1]) < chain_order(behind[0])[:3]


async def _replace_changes(
    connection: Any, stream: str, keys: Sequence[str], changes: Sequence[PositionChange]
) -> dict[int, int]:
    """Makes the stored changes of keys that have flows equal to `changes`; slot and block time of each that was not."""
    if not keys:
        return {}
    stored = {place_of(one): one for one in await fetch_changes(connection, stream, keys)}
    wanted = {place_of(one): one for one in changes}
    gone = [place for place, one in stored.items() if wanted.get(place) != one]
    new = [one for place, one in wanted.items() if stored.get(place) != one]
    if gone:
        columns = [list(column) for column in zip(*gone, strict=True)]
        await connection.execute(load("folding.sql")["delete_changes"], stream, *columns)
    await _store_changes(connection, new, careful=False)
    return {slot: block_time for block_time, slot, *_ in [*gone, *map(place_of, new)]}


async def _store_changes(
    connection: Any, changes: Sequence[PositionChange], *, careful: bool
) -> list[Refused]:
    if not changes:
        return []
    plan = RECORD_PLANS[PositionChange]
    if careful:
        return await copy_what_fits(connection, plan, changes)
    await copy_rows(connection, plan, changes)
    return []


async def _entries_behind(connection: Any, stream: str, prepared: Sequence[Refold]) -> dict[str, list[Entry]]:
    places: dict[str, Place] = {
        one.key: (0, -1, 0, 0, 0) if one.last is None else place_of(one.last) for one in prepared
    }
    return entries_by_key(await fetch_entries_behind(connection, stream, places))


async def read_sightings(connection: Any, stream: str, keys: Sequence[str]) -> dict[str, list[Sighting]]:
    """What accounts showed of the positions, by key; absent where they showed nothing."""
    found: dict[str, list[Sighting]] = {}
    for row in await connection.fetch(load("sightings.sql")["read_all"], stream, keys):
        found.setdefault(row["position_key"], []).append(_READER.decode(row["sighting"]))
    return found


def _join(first: Outcome, later: Outcome) -> Outcome:
    replaced = {position.lifecycle for position in later.positions}
    kept = [position for position in first.positions if position.lifecycle not in replaced]
    return Outcome([*kept, *later.positions], [*first.changes, *later.changes], False)


def _says_no_base(entries: Sequence[Entry]) -> bool:
    flows = [entry for entry in entries if isinstance(entry, Flow)]
    return bool(flows) and find_start(flows) is None


def _flowing(entries: dict[str, list[Entry]]) -> set[str]:
    return {key for key, its in entries.items() if isinstance(its[-1], Flow)}


def _by_key(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=chain_order):
        found.setdefault(entry.position_key, []).append(entry)
    return found
