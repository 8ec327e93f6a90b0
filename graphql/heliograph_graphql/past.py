"""Reads objects as they were: what a statement about the past is given, from the same snapshot.

A stored object that nothing altered since is as it was. Those that changed since are folded as the indexer folds them, and
put beside the others, so that filters, orders, pages and aggregates hold for the past as for now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import orjson

from heliograph_core.records import Position
from heliograph_graphql.failures import SLOT_NOT_KEPT, SLOT_NOT_REACHED, RequestError, coded, too_complex
from heliograph_graphql.parameters import bind_asked, bind_given
from heliograph_graphql.plan import AsOf, read
from heliograph_graphql.sql import PastStatement
from heliograph_graphql.sql_rows import FOLDED, LIMIT, SLOTS, STREAMS
from heliograph_sql.past import Life, read_as_of
from heliograph_sql.queries import load


async def read_past(
    connection: Any,
    past: PastStatement,
    variables: Mapping[str, object],
    streams: frozenset[str] | None,
) -> Mapping[str, object]:
    """Values by name. streams: those asked for; None: all there are.

    Raises RequestError where a stream does not reach back, or not up, to what is asked for, and GraphQLError where more
    would have to be folded.
    """
    most = past.as_of.most
    places = await _places(connection, past.as_of, variables, streams)
    given: dict[str, object] = {STREAMS: list(places), SLOTS: list(places.values()), LIMIT: most + 1}
    bound = bind_given(past.params, bind_asked(past.params, variables), given)
    lives: dict[str, list[Life]] = {name: [] for name in places}
    rows = await connection.fetch(past.text, *bound)
    for stream, *life in rows:
        lives[stream].append(Life(*life))
    left, positions = most, []
    for stream, slot in places.items():
        found = await read_as_of(connection, stream, lives[stream], slot, left) if len(rows) <= most else None
        if found is None:
            raise too_complex(
                f"more than {most} changes of positions that changed since would have to be folded: "
                "narrow `where` by wallet, marketAddress, positionKey or stream"
            )
        left -= found[1]
        positions += found[0]
    given[FOLDED] = await asyncio.to_thread(_as_json, positions)
    return given


async def _places(
    connection: Any, as_of: AsOf, variables: Mapping[str, object], streams: frozenset[str] | None
) -> dict[str, int]:
    """The slot of each stream at whose end things stood as asked for."""
    slot, time = (None if item is None else read(item, variables) for item in (as_of.slot, as_of.time))
    wanted = f"slot {slot}" if time is None else f"time {_shown(time)}"
    names = None if streams is None else sorted(streams)
    places: dict[str, int] = {}
    for row in await connection.fetch(load("graphql.sql")["places_as_of"], names, slot, time):
        name, first, head = row["name"], row["first_slot"], row["head_slot"]
        known = {"stream": name, "firstSlot": str(first), "headSlot": None if head is None else str(head)}
        if not row["reached"]:
            stands = f"is at slot {head}" if head is not None else "holds nothing yet"
            raise RequestError(
                [
                    coded(
                        f"{wanted} is not in: {name[:60]} {stands}; ask again later",
                        SLOT_NOT_REACHED,
                        **known,
                    )
                ],
                409,
            )
        if row["slot"] is None or row["slot"] < first:
            message = f"{wanted} is before what is kept: {name[:60]} begins at slot {first}; ask for a later one, or for other streams"
            raise RequestError([coded(message, SLOT_NOT_KEPT, **known)])
        places[name] = row["slot"]
    return places


def _shown(time: object) -> str:
    return time.isoformat() if isinstance(time, datetime) else str(time)


def _as_json(positions: Sequence[Position]) -> str:
    return orjson.dumps([_row(position) for position in positions]).decode()


def _row(position: Position) -> dict[str, object]:
    """As a row of the table is read from JSON: exact numbers and times as text."""
    row: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(position).items():
        if isinstance(value, Decimal):
            value = format(value, "f")
        elif name.endswith("_at") and value is not None:
            value = datetime.fromtimestamp(value, UTC).isoformat()
        row[name] = value
    return row
