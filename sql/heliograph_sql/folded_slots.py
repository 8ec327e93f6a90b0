"""Slots whose position changes became others when late history was folded in: how they are told to subscribers.

A subscriber takes such a commit as it takes any correction: discard what you have of these slots, here they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from heliograph_sql.batch import Origin
from heliograph_sql.queries import load

RUN_GAP = 32
"""Slots between two of one run, at most: what lies between is sent again too."""


class Run(NamedTuple):
    """Slots, ascending, that one commit corrects, with their block times. origin: of the commit that wrote them last."""

    slots: list[int]
    times: list[int]
    origin: Origin


async def find_origins(connection: Any, stream: str, slots: Mapping[int, int]) -> dict[int, Origin]:
    """Of each slot the origin of the commit that wrote it last."""
    if not slots:
        return {}
    rows = await connection.fetch(load("folding.sql")["find_origins"], stream, sorted(slots))
    return {row["slot"]: row["origin"] for row in rows}


def runs_of(slots: Mapping[int, int], origins: Mapping[int, Origin]) -> list[Run]:
    """slots: block time by slot. History stays history: who follows without it is not sent what a backfill began."""
    runs: list[Run] = []
    for slot in sorted(slots):
        origin = origins.get(slot, "backfill")
        last = runs[-1] if runs else None
        if last is None or last.origin != origin or slot - last.slots[-1] > RUN_GAP:
            runs.append(Run([slot], [slots[slot]], origin))
        else:
            last.slots.append(slot)
            last.times.append(slots[slot])
    return runs
