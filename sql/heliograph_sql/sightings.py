"""Positions that accounts hold: keeps what accounts showed of them, and folds it into the stored positions.

An account's state says all that the account holds: positions it no longer names are closed with it. What is older than
the stored state of the account never comes here. The caller leads the stream and is inside a transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from heliograph_core.records import Holding, Position
from heliograph_core.showing import goes_on, marks_of, show, where
from heliograph_core.sighting import Sighting, forget, miss, see
from heliograph_sql.copying import Refused
from heliograph_sql.folding import mark_dirty
from heliograph_sql.queries import load
from heliograph_sql.states import write_positions

_READER = msgspec.json.Decoder(Sighting)


async def show_holdings(
    connection: Any,
    stream: str,
    seen: Mapping[str, int],
    holdings: Sequence[Holding],
    *,
    since: int | None,
    careful: bool,
) -> list[Refused]:
    """Stores what accounts hold now, and what they hold no longer; positions follow at once, or are marked dirty.

    seen: slot by account, of states that are read and understood. holdings: everything that those accounts hold.
    since: what was seen of these accounts at that slot or later is of blocks that are gone.
    """
    if not seen:
        return []
    holdings = [*holdings, *await _not_held(connection, stream, seen, holdings)]
    # Most streams hold nothing in accounts: they need not wait for who folds.
    if not holdings and not await connection.fetchval(
        load("sightings.sql")["holds_any"], stream, sorted(seen)
    ):
        return []
    await connection.execute(load("folding.sql")["lock_folding"], stream)
    forgotten = await _forget(connection, stream, seen, since)
    known = await _latest(connection, stream, [holding.position_key for holding in holdings])
    times = await _times(connection, stream, seen.values())
    # A scan repeats what is long known: of that nothing more is asked.
    changed = {
        holding.position_key: holding
        for holding in holdings
        if see(known.get(holding.position_key), holding, times[holding.account_slot]) is not None
    }
    named = {holding.position_key for holding in holdings}
    gone: list[Sighting] = []
    for life in await _held_by(connection, stream, seen):
        slot = seen[life.holding.account]
        missed = miss(life, slot, times[slot]) if life.holding.position_key not in named else None
        if missed is not None:
            known[life.holding.position_key] = life
            gone.append(missed)
    stored, waiting = await _positions(
        connection, stream, [*changed, *(life.holding.position_key for life in gone)]
    )
    lives = [*gone]
    for key, holding in changed.items():
        # What is folded of blocks that are gone says nothing of the life.
        position = None if key in forgotten else stored.get(key)
        life_now = see(known.get(key), holding, times[holding.account_slot], position)
        assert life_now is not None
        lives.append(life_now)
    await _store(connection, stream, lives)
    folded: list[Position] = []
    anew: list[str] = [*forgotten]
    for life in lives:
        key = life.holding.position_key
        position, mark = stored.get(key), marks_of([life])[-1]
        if key in waiting or key in forgotten:
            continue
        if not goes_on(known.get(key), life, position):
            anew.append(key)
        elif position is None or where(position) <= mark.place:
            folded += show(position, mark, other_life=False)
        elif not (position.complete and position.status == "open" and life.open):
            anew.append(key)
        # Else the account is behind: whatever altered the position since then altered the account, which is seen again.
    await mark_dirty(connection, stream, anew)
    return await write_positions(connection, folded, careful=careful)


async def _not_held(
    connection: Any, stream: str, seen: Mapping[str, int], holdings: Sequence[Holding]
) -> list[Holding]:
    """Of positions whose size no flow tells and that their account does not hold: that they are of size 0.

    An account that holds several has keys that begin with its address and a dash.
    """
    named = {holding.position_key for holding in holdings}
    rows = await connection.fetch(load("sightings.sql")["find_unsized"], stream, sorted(seen))
    return [
        Holding(
            stream=stream,
            position_key=row["position_key"],
            account=row["account"],
            account_slot=seen[row["account"]],
            program=row["program"],
            market=row["market"],
            wallet=row["wallet"],
            side=row["side"],
            size=Decimal(0),
        )
        for row in rows
        if row["position_key"] not in named and row["updated_slot"] <= seen[row["account"]]
    ]


async def _positions(
    connection: Any, stream: str, keys: Sequence[str]
) -> tuple[dict[str, Position], set[str]]:
    """The latest lifecycles by key, locked, and the keys that wait to be folded anew."""
    if not keys:
        return {}, set()
    queries, ordered = load("folding.sql"), sorted(keys)
    waiting = {row["position_key"] for row in await connection.fetch(queries["lock_dirty"], stream, ordered)}
    rows = await connection.fetch(queries["lock_latest_positions"], stream, ordered)
    return {row["position_key"]: Position(**dict(row)) for row in rows}, waiting


async def _forget(connection: Any, stream: str, seen: Mapping[str, int], since: int | None) -> set[str]:
    """Takes back what was seen of blocks that are gone; the keys."""
    if since is None:
        return set()
    rows = await connection.fetch(load("sightings.sql")["read_since"], stream, sorted(seen), since)
    before = [_READER.decode(row["sighting"]) for row in rows]
    await connection.execute(
        load("sightings.sql")["delete"],
        stream,
        [life.holding.position_key for life in before],
        [life.first_slot for life in before],
    )
    left = [found for life in before if (found := forget(life, since)) is not None]
    await _store(connection, stream, left)
    return {life.holding.position_key for life in before}


async def _latest(connection: Any, stream: str, keys: Sequence[str]) -> dict[str, Sighting]:
    rows = await connection.fetch(load("sightings.sql")["read_latest"], stream, keys) if keys else []
    return {row["position_key"]: _READER.decode(row["sighting"]) for row in rows}


async def _held_by(connection: Any, stream: str, accounts: Collection[str]) -> list[Sighting]:
    rows = await connection.fetch(load("sightings.sql")["read_of_accounts"], stream, sorted(accounts))
    return [_READER.decode(row["sighting"]) for row in rows]


async def _times(connection: Any, stream: str, slots: Iterable[int]) -> dict[int, int]:
    find = load("typed.sql")["find_time"]
    return {slot: await connection.fetchval(find, stream, slot) for slot in sorted(set(slots))}


async def _store(connection: Any, stream: str, lives: Sequence[Sighting]) -> None:
    if not lives:
        return
    await connection.execute(
        load("sightings.sql")["upsert"],
        stream,
        [life.holding.position_key for life in lives],
        [life.first_slot for life in lives],
        [life.holding.account for life in lives],
        [life.open for life in lives],
        [msgspec.json.encode(life).decode() for life in lives],
    )
