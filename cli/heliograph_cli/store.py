"""The database of a run: the one that was named, or an embedded server that lives as long as the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import platformdirs

from heliograph_cli.parts import in_thread, uninterrupted
from heliograph_core.errors import DatabaseError, DatabaseUnavailable
from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import Migrated, migrate
from heliograph_sql.postmaster import log_tail
from heliograph_sql.settings import DatabaseSettings, StorageSettings
from heliograph_sql.tier import Tier

WATCH_S = 1.0


@dataclass(frozen=True)
class Store:
    """An opened, migrated database. url: as clients use it; server: the embedded one, where no other was named.

    warnings: settings that do nothing on this tier.
    """

    database: Database
    url: str
    tier: Tier
    server: EmbeddedServer | None
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{'embedded ' if self.server is not None else ''}{self.tier.label}"

    async def watch(self) -> None:
        """Runs for as long as the database's server does; a server that was named is its own keeper's business.

        Raises DatabaseError when the embedded one ended: nobody would start it again.
        """
        while True:
            if self.server is not None and self.server.pid is None:
                raise DatabaseError(
                    f"the embedded server on {self.server.data_dir} ended by itself "
                    f"(its last word: {log_tail(self.server.data_dir)}); start again"
                )
            await asyncio.sleep(WATCH_S)


def default_data_dir() -> Path:
    return Path(platformdirs.user_data_dir("heliograph", appauthor=False))


@asynccontextmanager
async def opened(settings: DatabaseSettings, storage: StorageSettings | None = None) -> AsyncIterator[Store]:
    """The named database, or the embedded one; migrated, and closed at the end of the block.

    storage: policies to put into force; None leaves those that are.
    """
    async with reachable(settings) as (url, server):
        found = await migrated(url, storage)
        database = await Database.open(url, settings)
        try:
            yield Store(database, url, found.tier, server, found.warnings)
        finally:
            await database.close()


@asynccontextmanager
async def reachable(settings: DatabaseSettings) -> AsyncIterator[tuple[str, EmbeddedServer | None]]:
    """The address of the database, and inside the block the embedded server where none was named."""
    if settings.url is not None:
        yield settings.url, None
        return
    folder = settings.data_dir or default_data_dir()
    started: list[EmbeddedServer] = []
    try:
        # Neither start nor stop is broken off: whatever happens to us, no server must outlive this process.
        starting = in_thread(lambda: started.append(EmbeddedServer.start(folder)), name="start the server")
        await uninterrupted(starting)
        yield started[0].url, started[0]
    finally:
        for server in started:
            await uninterrupted(in_thread(server.stop, name="stop the server"))


async def migrated(url: str, storage: StorageSettings | None = None) -> Migrated:
    """Brings the database to this version. Raises DatabaseError; where nothing answers, with what to do about it."""
    try:
        return await in_thread(lambda: migrate(url, storage=storage), name="migrate")
    except DatabaseUnavailable as error:
        reason = (
            str(error)
            .removesuffix("Is the server running on that host and accepting TCP/IP connections?")
            .strip()
        )
        raise DatabaseUnavailable(
            f"{reason}; start that server, or name another with --database or DATABASE_URL"
        ) from error


def shown(url: str) -> str:
    """The address as it may be printed: without its password."""
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None
    except ValueError:
        return url.rpartition("@")[2]
    if not has_password:
        return url
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:…@{place}"))
