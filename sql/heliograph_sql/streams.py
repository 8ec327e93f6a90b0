"""Streams: named sets of programs that are indexed, covered and numbered as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from heliograph_core.errors import DatabaseError, SettingsError
from heliograph_core.intervals import SlotSet
from heliograph_sql.database import Database
from heliograph_sql.queries import load

# A stream's name is also the name of the schema of its events; PostgreSQL cuts names at 63 bytes.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = frozenset(
    {
        "heliograph",
        "heliograph_compat",
        "heliograph_rollup",
        "information_schema",
        "perps",
        "public",
        "timescaledb_experimental",
        "timescaledb_information",
    }
)


class StreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as the database knows it.

    programs: addresses. log_events: text they print may be an event. instructions: these have tables too. first_slot: from where completeness is counted. seq: number of the latest commit, 0 before the
    first. head_slot: highest covered slot, head_time: unix seconds of the last block at or below it. final_slot: rows at
    or below are final. retained_from: rows of slots below are past their retention, None where all is kept.
    accounts_through: context slot of the last reconciled account snapshot. led: a leader's lease was alive when this was
    read. genesis: hash of the cluster that it is of, None before one was asked.
    """

    name: str
    protocol: str
    programs: tuple[str, ...]
    first_slot: int
    epoch: int
    seq: int
    head_slot: int | None
    head_time: int | None
    final_slot: int | None
    retained_from: int | None
    accounts_through: int | None
    leader: str | None
    led: bool
    genesis: str | None = None
    log_events: bool = False
    instructions: bool = False


async def add_stream(
    database: Database,
    name: str,
    *,
    protocol: str,
    programs: Sequence[str],
    first_slot: int,
    log_events: bool = False,
    instructions: bool = False,
) -> StreamRow:
    """The stream, made where it did not exist; adding the same one again changes nothing.

    log_events: text that its programs print behind `Program log:` may be an event; protocols that are known say it
    themselves. instructions: they have tables too.

    Raises SettingsError for a name that cannot be a schema's or is taken, and for a stream of that name that is
    another one (other protocol or programs). A first_slot that differs from the stored one is not applied.
    """
    check_name(name)
    queries = load("streams.sql")
    async with database.acquire() as connection, connection.transaction():
        # The insert comes first: a second process waits on its key here, and then finds the stream made.
        made = await connection.execute(
            queries["add_stream"], name, protocol, list(programs), first_slot, log_events, instructions
        )
        if made == "INSERT 0 1":
            if await connection.fetchval(queries["find_schema"], name):
                raise SettingsError(
                    f"stream {name!r}: the database has a schema of that name that is not a stream's: choose another name"
                )
            await connection.execute(queries["add_coverage"], name)
            await connection.execute(await connection.fetchval(queries["write_create_schema"], name))
            await connection.execute(await connection.fetchval(queries["write_describe_schema"], name))
            await connection.execute(queries["grant_analyst"])
        stream = _row(await connection.fetchrow(queries["get_stream"], name))
    if (stream.protocol, sorted(stream.programs)) != (protocol, sorted(programs)):
        raise SettingsError(
            f"stream {name!r} exists as {stream.protocol} of {', '.join(stream.programs)}, "
            f"not {protocol} of {', '.join(programs)}: choose another name, or index into another database"
        )
    if (stream.log_events, stream.instructions) != (log_events, instructions):
        raise SettingsError(
            f"stream {name!r} exists with log_events {stream.log_events} and instructions {stream.instructions}: "
            "that is said once, when it is added: say the same, or choose another name"
        )
    return stream


async def get_stream(database: Database, name: str) -> StreamRow | None:
    """The stream of that name, None where there is none."""
    async with database.acquire() as connection:
        row = await connection.fetchrow(load("streams.sql")["get_stream"], name)
    return None if row is None else _row(row)


async def list_streams(database: Database) -> list[StreamRow]:
    """All streams by name."""
    async with database.acquire() as connection:
        rows = await connection.fetch(load("streams.sql")["list_streams"])
    return [_row(row) for row in rows]


async def read_coverage(database: Database, stream: str) -> SlotSet:
    """The slots that are complete; empty for an unknown stream."""
    async with database.acquire() as connection:
        rows = await connection.fetch(load("streams.sql")["read_coverage"], stream)
    return SlotSet((row["first"], row["last"]) for row in rows)


async def extend_down(database: Database, stream: str) -> int | None:
    """Lets completeness count from the lowest slot of the covered range that reaches up to first_slot.

    Returns the new first_slot, None where nothing right below the old one is covered. completeThrough never falls
    back by it: the range that holds the new first slot ends where the old one's did, or right below it.
    """
    async with database.acquire() as connection:
        first: int | None = await connection.fetchval(load("streams.sql")["extend_down"], stream)
    return first


async def bind_genesis(database: Database, stream: str, genesis: str) -> str:
    """The genesis hash of the stream's cluster, which is `genesis` where none was bound before."""
    queries = load("streams.sql")
    async with database.acquire() as connection:
        await connection.execute(queries["bind_genesis"], stream, genesis)
        bound: str | None = await connection.fetchval(queries["get_genesis"], stream)
    if bound is None:
        raise DatabaseError(f"stream {stream} does not exist: add it with `heliograph stream add`")
    return bound


def check_name(name: str) -> None:
    """Raises SettingsError where `name` cannot name a stream and the schema of its events."""
    if not _NAME.fullmatch(name) or name.startswith("pg_") or name in _RESERVED:
        raise SettingsError(
            f"stream {name!r} cannot be named so: use lower-case letters, digits and _, a letter first, at most 63, "
            f"not pg_… and none of {', '.join(sorted(_RESERVED))}"
        )


def _row(row: Any) -> StreamRow:
    return StreamRow(**{**dict(row), "programs": tuple(row["programs"])})
