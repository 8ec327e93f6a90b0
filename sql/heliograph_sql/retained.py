"""What is kept of positions below a stream's floor, `retained_from`: folding anew begins with it.

It is the position as it was there. Where nothing below the floor tells the base of a key that has flows, what comes above
may, and means other sides and sizes of all that came before: until then the flows themselves are kept. So folding from the
floor on gives what folding everything gives, wherever the floor stands and however late what is above it comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from heliograph_core.flow_fold import find_start
from heliograph_core.records import Flow, Position
from heliograph_core.showing import marks_of, shown_bases
from heliograph_core.sighting import Sighting
from heliograph_sql.histories import Entry, Outcome, fold_history
from heliograph_sql.queries import load


class Retained(NamedTuple):
    """Of one key. position: the latest lifecycle below the floor. flows: those below it, where they are needed still."""

    position: Position | None = None
    flows: Sequence[Flow] = ()


NOTHING = Retained()


def fold_retained(
    retained: Retained,
    entries: Sequence[Entry],
    sightings: Sequence[Sighting],
    *,
    through: int | None = None,
) -> Outcome:
    """Every lifecycle from the one that is kept on. entries: of one key, at the floor and above it, in chain order.

    through: as of fold_history.
    """
    its = [*retained.flows, *entries]
    folded = fold_history(retained.position, its, marks_of(sightings), through=through)
    position = retained.position
    if position is not None and (not folded.positions or folded.positions[0].lifecycle != position.lifecycle):
        folded.positions.insert(0, position)
    if not retained.flows:
        return folded
    # What followed from flows below the floor may be deleted already, and is not written again.
    above = [change for change in folded.changes if change.slot > retained.flows[-1].slot]
    return folded._replace(changes=above)


def retain(
    retained: Retained, entries: Sequence[Entry], sightings: Sequence[Sighting], floor: int
) -> Retained:
    """What is to be kept once the floor rises to `floor`. entries: of one key, between the old floor and the new one."""
    its = [*retained.flows, *entries]
    marks = marks_of(sightings, floor)
    flows = [entry for entry in its if isinstance(entry, Flow)]
    if flows and retained.position is None and find_start(flows, shown_bases(marks)) is None:
        return Retained(None, flows)
    positions = fold_history(retained.position, its, marks).positions
    if positions:
        return Retained(positions[-1])
    # Of what ended before anything is known, such as a settlement, all that matters is what it tells: that nothing is left.
    return Retained(retained.position, [flow for flow in flows if flow.base_after is not None][-1:])


async def read_retained(connection: Any, stream: str, keys: Sequence[str]) -> dict[str, Retained]:
    """By key; absent where nothing was there."""
    rows = await connection.fetch(load("retention.sql")["read_retained"], stream, keys)
    return {
        row["position_key"]: Retained(_POSITION.decode(row["position"]), _FLOWS.decode(row["flows"]))
        for row in rows
    }


async def write_retained(connection: Any, stream: str, kept: Mapping[str, Retained]) -> None:
    """Replaces what was kept of these keys."""
    some = {key: one for key, one in kept.items() if one != NOTHING}
    await connection.execute(
        load("retention.sql")["retain_positions"],
        stream,
        list(some),
        [0 if one.position is None else one.position.lifecycle for one in some.values()],
        [None if one.position is None else _encode(one.position) for one in some.values()],
        [_encode(one.flows) for one in some.values()],
    )


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


_POSITION = msgspec.json.Decoder(Position | None)
_FLOWS = msgspec.json.Decoder(list[Flow])
