"""The field `status`: stored queries of heliograph_sql.progress, executed by Strawberry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import strawberry

from heliograph_graphql.scalars import BigInt, DateTime, SlotNumber
from heliograph_sql.progress import Progress, read_progress_on


@strawberry.type(description="How often something is there.")
class Tally:
    kind: str = strawberry.field(description="What.")
    count: BigInt = strawberry.field(description="How often.")


async def _incidents(self: StreamStatus, info: strawberry.Info) -> list[Tally]:
    return _tallies((await info.context.tallies()).incidents.get(self.name, {}))


async def _undecoded(self: StreamStatus, info: strawberry.Info) -> list[Tally]:
    return _tallies((await info.context.tallies()).undecoded.get(self.name, {}))


@strawberry.type(description="How far one stream is.")
class StreamStatus:
    name: str
    protocol: str
    programs: list[str]
    first_slot: SlotNumber = strawberry.field(description="The first slot asked for.")
    seq: BigInt = strawberry.field(description="Number of the latest commit.")
    head_slot: SlotNumber | None = strawberry.field(description="Highest slot that any commit covered.")
    head_time: DateTime | None = strawberry.field(description="Time of the last block at or below it.")
    lag_seconds: float | None = strawberry.field(description="Age of that block, by the database's clock.")
    final_slot: SlotNumber | None = strawberry.field(description="Rows at or below are final.")
    accounts_through: SlotNumber | None = strawberry.field(
        description="Context slot of the last account snapshot."
    )
    complete_through: SlotNumber | None = strawberry.field(
        description="Every row from firstSlot to here is in."
    )
    complete_time: DateTime | None = strawberry.field(description="Time of the last block at or below it.")
    gaps: int = strawberry.field(description="How many gaps lie between firstSlot and headSlot.")
    gap_slots: BigInt = strawberry.field(description="How many slots lie in them.")
    dirty_positions: int = strawberry.field(
        description="Positions that wait for late history to be folded in."
    )
    committed_at: DateTime | None = strawberry.field(description="When the latest commit was made.")
    leader: str | None = strawberry.field(description="The process that leads it.")
    lease_seconds: float | None = strawberry.field(
        description="For how long it leads unless it renews its lease."
    )
    genesis: str | None = strawberry.field(description="Genesis hash of its cluster.")
    incidents: list[Tally] = strawberry.field(
        resolver=_incidents, description="What went wrong and was survived, by kind."
    )
    undecoded: list[Tally] = strawberry.field(
        resolver=_undecoded, description="Stored payloads that could not be decoded, by reason."
    )


@strawberry.type(description="What is indexed, how far, and how completely.")
class Status:
    streams: list[StreamStatus]


StatusReader = Callable[[Any], Awaitable[Status]]


async def read_status(connection: Any) -> Status:
    """The status as of the connection's snapshot."""
    return Status(streams=[_shown(stream) for stream in await read_progress_on(connection)])


def _shown(stream: Progress) -> StreamStatus:
    return StreamStatus(
        name=stream.name,
        protocol=stream.protocol,
        programs=stream.programs,
        first_slot=SlotNumber(stream.first_slot),
        seq=BigInt(stream.seq),
        head_slot=_slot(stream.head_slot),
        head_time=None if stream.head_time is None else DateTime(stream.head_time),
        lag_seconds=stream.behind_s,
        final_slot=_slot(stream.final_slot),
        accounts_through=_slot(stream.accounts_through),
        complete_through=_slot(stream.complete_through),
        complete_time=None if stream.complete_time is None else DateTime(stream.complete_time),
        gaps=stream.gaps,
        gap_slots=BigInt(stream.gap_slots),
        dirty_positions=stream.dirty,
        committed_at=None if stream.committed_at is None else DateTime(stream.committed_at),
        leader=stream.leader,
        lease_seconds=stream.lease_s,
        genesis=stream.genesis,
    )


def _slot(slot: int | None) -> SlotNumber | None:
    return None if slot is None else SlotNumber(slot)


def _tallies(counts: Mapping[str, int]) -> list[Tally]:
    return [Tally(kind=kind, count=BigInt(count)) for kind, count in counts.items()]
