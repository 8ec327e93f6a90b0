"""What the database says of every stream, as figures: the same from whichever process they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import structlog

from heliograph_core.errors import DatabaseError
from heliograph_core.figure import Figure, Reading
from heliograph_sql.database import Database
from heliograph_sql.progress import Progress, Tallies, read_progress, read_tallies

PROGRESS_S = 1.0
"""Answers younger than this are given again: several who scrape cost the database no more than one."""
TALLIES_S = 15.0
"""The same for what has to be counted."""


def _gauge(name: str, meaning: str, *labels: str) -> Figure:
    return Figure(f"heliograph_{name}", "gauge", meaning, ("stream", *labels))


FIRST_SLOT = _gauge("first_slot", "First slot asked for; completeness is counted from here.")
HEAD_SLOT = _gauge("head_slot", "Highest slot that any commit covered.")
FINAL_SLOT = _gauge("final_slot", "Rows at or below are final.")
COMPLETE_SLOT = _gauge("complete_through_slot", "Every row from the first slot to here is in.")
ACCOUNTS_SLOT = _gauge("accounts_through_slot", "Context slot of the last reconciled snapshot of accounts.")
HEAD_TIME = _gauge("head_timestamp_seconds", "Unix time of the last block at or below the head slot.")
COMPLETE_TIME = _gauge("complete_through_timestamp_seconds", "Unix time of the last complete block.")
LAG = _gauge("lag_seconds", "Age of the last block that is in, by the database's clock.")
GAPS = _gauge("gaps", "Uncovered ranges between the first slot and the head.")
GAP_SLOTS = _gauge("gap_slots", "Slots in those ranges.")
DIRTY = _gauge("dirty_keys", "Positions that wait for late history to be folded in.")
LEASE = _gauge(
    "lease_seconds", "Seconds until the leader's lease ends unless it is renewed; 0: nobody leads."
)
LEADER = _gauge("leader", "1 where a leader's lease is alive, else 0.")
EPOCH = Figure(
    "heliograph_leader_changes_total", "counter", "How often leadership of the stream was taken.", ("stream",)
)
COMMITS = Figure(
    "heliograph_commits_total", "counter", "Commits of the stream, of all processes.", ("stream",)
)
INCIDENTS = Figure(
    "heliograph_incidents_total", "counter", "What went wrong and was survived.", ("stream", "kind")
)
UNDECODED = _gauge("undecoded_rows", "Stored payloads that could not be decoded.", "reason")
UP = Figure("heliograph_database_up", "gauge", "1 where the database answered, else 0.")
CONNECTIONS = Figure(
    "heliograph_database_connections", "gauge", "Connections of this process's pool.", ("state",)
)


class DatabaseFigures:
    """A FigureSource. `refresh()` reads, `readings()` gives what was read last."""

    figures: Sequence[Figure] = (
        UP,
        CONNECTIONS,
        FIRST_SLOT,
        HEAD_SLOT,
        FINAL_SLOT,
        COMPLETE_SLOT,
        ACCOUNTS_SLOT,
        HEAD_TIME,
        COMPLETE_TIME,
        LAG,
        GAPS,
        GAP_SLOTS,
        DIRTY,
        LEADER,
        LEASE,
        EPOCH,
        COMMITS,
        INCIDENTS,
        UNDECODED,
    )

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams: list[Progress] = []
        self._tallies: Tallies = Tallies({}, {})
        self._up = False
        self._read_at = self._counted_at = float("-inf")
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        """Reads what is too old. A database that is away is a figure, not an error."""
        now = asyncio.get_running_loop().time
        async with self._reading:
            if now() - self._read_at < PROGRESS_S:
                return
            try:
                self._streams = await read_progress(self._database)
                if now() - self._counted_at >= TALLIES_S:
                    self._tallies = await read_tallies(self._database)
                    self._counted_at = now()
                self._up = True
            except DatabaseError as error:
                if self._up:
                    structlog.get_logger(__name__).warning("figures_unreadable", why=str(error))
                self._up = False
            self._read_at = now()

    def readings(self) -> Iterator[Reading]:
        yield Reading(UP, int(self._up))
        size, idle = self._database.connections
        yield Reading(CONNECTIONS, size - idle, ("used",))
        yield Reading(CONNECTIONS, idle, ("idle",))
        if not self._up:
            # Figures that stand still would look like a stream that stands still.
            return
        for stream in self._streams:
            yield from _of_stream(stream)
            for kind, count in self._tallies.incidents.get(stream.name, {}).items():
                yield Reading(INCIDENTS, count, (stream.name, kind))
            for reason, count in self._tallies.undecoded.get(stream.name, {}).items():
                yield Reading(UNDECODED, count, (stream.name, reason))


def _of_stream(stream: Progress) -> Iterator[Reading]:
    known = {
        FIRST_SLOT: stream.first_slot,
        HEAD_SLOT: stream.head_slot,
        FINAL_SLOT: stream.final_slot,
        COMPLETE_SLOT: stream.complete_through,
        ACCOUNTS_SLOT: stream.accounts_through,
        HEAD_TIME: stream.head_time.timestamp() if stream.head_time is not None else None,
        COMPLETE_TIME: stream.complete_time.timestamp() if stream.complete_time is not None else None,
        LAG: stream.behind_s,
        GAPS: stream.gaps,
        GAP_SLOTS: stream.gap_slots,
        DIRTY: stream.dirty,
        LEADER: int(stream.leader is not None),
        LEASE: stream.lease_s or 0.0,
        EPOCH: stream.epoch,
        COMMITS: stream.seq,
    }
    for figure, value in known.items():
        if value is not None:
            yield Reading(figure, value, (stream.name,))
