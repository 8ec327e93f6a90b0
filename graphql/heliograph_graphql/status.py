"""The field `status`: a small stored query, executed by Strawberry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import strawberry

from heliograph_graphql.scalars import BigInt, DateTime, SlotNumber
from heliograph_sql.queries import load


@strawberry.type(description="How far one stream is.")
class StreamStatus:
    name: str
    protocol: str
    programs: list[str]
    first_slot: SlotNumber = strawberry.field(description="The first slot asked for.")
    seq: BigInt = strawberry.field(description="Number of the latest commit.")
    head_slot: SlotNumber | None = strawberry.field(description="Highest slot that any commit covered.")
    head_time: DateTime | None = strawberry.field(description="Time of the last block at or below it.")
    final_slot: SlotNumber | None = strawberry.field(description="Rows at or below are final.")
    accounts_through: SlotNumber | None = strawberry.field(
        description="Context slot of the last account snapshot."
    )
    complete_through: SlotNumber | None = strawberry.field(
        description="Every row from firstSlot to here is in."
    )
    gaps: int = strawberry.field(description="How many gaps lie between firstSlot and headSlot.")
    dirty_positions: int = strawberry.field(
        description="Positions that wait for late history to be folded in."
    )
    committed_at: DateTime | None = strawberry.field(description="When the latest commit was made.")


@strawberry.type(description="What is indexed, how far, and how completely.")
class Status:
    streams: list[StreamStatus]


StatusReader = Callable[[Any], Awaitable[Status]]


async def read_status(connection: asyncpg.Connection) -> Status:
    """The status as of the connection's snapshot."""
    rows = await connection.fetch(load("graphql.sql")["read_status"])
    return Status(streams=[StreamStatus(**dict(row)) for row in rows])
