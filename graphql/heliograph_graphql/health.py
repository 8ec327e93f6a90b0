"""/health says that the process lives, /ready that it can serve and, if not, why not."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
import orjson
from starlette.responses import Response

from heliograph_core.errors import DatabaseError
from heliograph_graphql.failures import show
from heliograph_sql.database import Database
from heliograph_sql.migrate import list_migrations
from heliograph_sql.queries import load


@dataclass(frozen=True)
class Readiness:
    """reason: None where ready."""

    reason: str | None
    code: str = "READY"

    def response(self) -> Response:
        ready = self.reason is None
        body = {"ready": ready} if ready else {"ready": False, "code": self.code, "reason": self.reason}
        return Response(orjson.dumps(body), 200 if ready else 503, media_type="application/json")


async def check_ready(database: Database) -> Readiness:
    """Whether the database answers, has every migration of this version, and holds a stream."""
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
                return Readiness(text, "MIGRATION_MISSING")
            if not await connection.fetchval(queries["count_streams"]):
                return Readiness(
                    "no stream is indexed yet: run `heliograph stream add` or `heliograph up`", "NO_STREAM"
                )
    except DatabaseError as error:
        shown = show(error)
        return Readiness(shown["message"], shown["extensions"]["code"])
    return Readiness(None)
