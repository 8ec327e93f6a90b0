"""How large the fault runs are: short among the tests, as the house demands them under `make soak`.

`HELIOGRAPH_SOAK=1` chooses the long ones. Either way `HELIOGRAPH_SOAK_<NAME>` sets one size by itself, as
HELIOGRAPH_SOAK_KILLS=200 or HELIOGRAPH_SOAK_SEED=7; docs/soak.md lists them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """The sizes of every run; the defaults are the short ones."""

    long: bool = False
    """Whether the figures count: speed and memory are judged in long runs alone."""
    seed: int = 4
    """Makes the chain, its traffic and the places of the faults."""
    kills: int = 6
    """kill -9 of the indexer."""
    postgres_kills: int = 2
    """kill -9 of PostgreSQL."""
    pause_s: float = 4.0
    """Seconds that one of two indexers is stopped; more than the lease lasts."""
    stall_s: float = 4.0
    """Seconds that the database does not answer."""
    gap_slots: int = 400
    """Slots that are healed while live runs."""
    backfill_slots: int = 160
    """Slots of a backfill that is killed again and again."""
    memory_s: float = 12.0
    """Seconds over which the indexer's memory is watched."""
    client_kills: int = 20
    """Kills of a client of each protocol."""
    api_restarts: int = 2
    """kill -9 and orderly stops, in turns, of one of two replicas of the API."""
    seconds: float = 8.0
    """Seconds of weather: faults of the network and the chain at random."""


LONG = Sizes(
    long=True,
    kills=50,
    postgres_kills=10,
    pause_s=60.0,
    stall_s=60.0,
    gap_slots=100_000,
    backfill_slots=50_000,
    memory_s=3_600.0,
    client_kills=1_000,
    api_restarts=20,
    seconds=600.0,
)


def sizes(environment: Mapping[str, str] = os.environ) -> Sizes:
    """The sizes of this run. Raises ValueError for a value that is no number."""
    chosen = LONG if environment.get("HELIOGRAPH_SOAK", "0") not in ("", "0") else Sizes()
    changes: dict[str, Any] = {}
    for each in fields(Sizes):
        text = environment.get(f"HELIOGRAPH_SOAK_{each.name.upper()}")
        if text is not None and each.name != "long":
            changes[each.name] = float(text) if each.type == "float" else int(text)
    return replace(chosen, **changes)
