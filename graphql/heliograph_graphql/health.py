"""/health says that the process lives, /ready that it can serve what is current and, if not, why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
from starlette.responses import Response

from heliograph_core.errors import DatabaseError
from heliograph_graphql.failures import show
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.migrate import list_migrations
from heliograph_sql.progress import Progress, read_progress
from heliograph_sql.queries import load


@dataclass(frozen=True)
class Check:
    """One condition of readiness. why: what is wrong, or worth knowing although it is not; code: stable, for programs."""

    name: str
    ok: bool
    why: str | None = None
    code: str = "READY"

    def value(self) -> dict[str, Any]:
        return {"ok": self.ok} if self.why is None else {"ok": self.ok, "why": self.why}


@dataclass(frozen=True)
class Readiness:
    """Checks in the order in which they depend on each other; what one that failed leaves unknown is not among them."""

    checks: Sequence[Check]

    def response(self) -> Response:
        """200, or 503 with the code and the reason of the first check that failed."""
        failed = [check for check in self.checks if not check.ok]
        body: dict[str, Any] = {"ready": not failed}
        if failed:
            body |= {"code": failed[0].code, "reason": failed[0].why}
        body["checks"] = {check.name: check.value() for check in self.checks}
        return Response(orjson.dumps(body), 503 if failed else 200, media_type="application/json")


def check_live(running: bool) -> Check:
    """Whether the commit log is followed and delivered."""
    if running:
        return Check("live", True)
    return Check("live", False, "live delivery stopped: restart the server; its log says why", "LIVE_STOPPED")


async def check_ready(database: Database, settings: ApiSettings) -> list[Check]:
    """What the database says: it answers, has every migration of this version, and streams that are current."""
    queries = load("graphql.sql")
    try:
        async with database.acquire() as connection:
            try:
                applied = {row["name"] for row in await connection.fetch(queries["read_migrations"])}
            except asyncpg.UndefinedTableError:
                applied = set()
        missing = [migration.name for migration in list_migrations() if migration.name not in applied]
        if missing:
            text = f"the database lacks migration {missing[0]}: run `heliograph migrate`"
            return [Check("database", True), Check("migrations", False, text, "MIGRATION_MISSING")]
        streams = await read_progress(database)
    except DatabaseError as error:
        shown = show(error)
        return [Check("database", False, shown["message"], shown["extensions"]["code"])]
    return [Check("database", True), Check("migrations", True), *check_streams(streams, settings)]


def check_streams(streams: Sequence[Progress], settings: ApiSettings) -> list[Check]:
    """Whether somebody indexes the streams and how far they are. Pure."""
    if not streams:
        text = "no stream is indexed yet: run `heliograph stream add` or `heliograph up`"
        return [Check("streams", False, text, "NO_STREAM")]
    found = [
        Check("streams", True),
        _each("complete", "NOT_COMPLETE", streams, _incomplete),
        _each("leader", "NO_LEADER", streams, _unled),
        _each("lag", "LAGGING", streams, lambda stream: _late(stream, settings.ready_lag_s)),
        _gaps(streams),
    ]
    if not settings.ready_unindexed:
        return found
    return [
        Check(check.name, True, check.why) if check.name in ("leader", "lag", "gaps") else check
        for check in found
    ]


def _each(
    name: str, code: str, streams: Sequence[Progress], trouble: Callable[[Progress], str | None]
) -> Check:
    told = [f"{stream.name}: {text}" for stream in streams if (text := trouble(stream)) is not None]
    return Check(name, False, "; ".join(told), code) if told else Check(name, True)


def _incomplete(stream: Progress) -> str | None:
    if stream.head_slot is None:
        return "nothing is indexed yet"
    if stream.complete_through is None:
        return f"slots from {stream.first_slot}, the first asked for, on are not in yet"
    return None


def _unled(stream: Progress) -> str | None:
    if stream.leader is not None:
        return None
    return "nobody holds its lease: start `heliograph index` or `heliograph up`"


def _late(stream: Progress, most_s: float) -> str | None:
    if stream.behind_s is None:
        return "no block is in yet"
    if stream.behind_s > most_s:
        return f"the last block that is in is {stream.behind_s:.0f} s old, more than ready_lag_s ({most_s:g})"
    return None


def _gaps(streams: Sequence[Progress]) -> Check:
    gapped = [stream for stream in streams if stream.gaps]
    told = "; ".join(
        f"{stream.name}: {stream.gaps} gaps of {stream.gap_slots} slots {'are being healed' if stream.leader else 'and nobody heals'}"
        for stream in gapped
    )
    healing = all(stream.leader is not None for stream in gapped)
    return Check("gaps", healing, told or None, "READY" if healing else "GAPS")
