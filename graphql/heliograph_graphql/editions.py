"""Keeps the schema in step with the streams: looks now and then whether a stream or an IDL brought events, and makes it anew."""

from __future__ import annotations

import asyncio
from typing import Any

import strawberry
import structlog

from heliograph_core.errors import DatabaseError
from heliograph_graphql.edition import Edition
from heliograph_graphql.entity import Catalog
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.event_sources import EventSources, read_event_digest, read_event_sources

_log = structlog.get_logger(__name__)


class Editions:
    """The current edition of one server. `run()` until cancelled."""

    def __init__(
        self, schema: strawberry.Schema, catalog: Catalog, settings: ApiSettings, readers: Any
    ) -> None:
        """schema, catalog: what there is without events. readers: whose `acquire` gives a connection."""
        self._core = schema._schema
        self._sdl = schema.as_str()
        self._catalog = catalog
        self._settings = settings
        self._readers = readers
        self._refreshing = asyncio.Lock()
        self.current = self._edition(EventSources())

    def _edition(self, found: EventSources) -> Edition:
        return Edition(self._core, self._sdl, self._catalog, found, self._settings)

    async def refresh(self) -> bool:
        """Whether there is another edition now. Raises DatabaseError."""
        async with self._refreshing:
            async with self._readers.acquire() as connection:
                if await read_event_digest(connection) == self.current.digest:
                    return False
                async with connection.transaction():
                    found = await read_event_sources(connection)
            # Some milliseconds an event: others are answered meanwhile.
            self.current = await asyncio.to_thread(self._edition, found)
            _log.info("schema made anew", events=len(found.sources), revision=self.current.revision)
            return True

    async def run(self) -> None:
        while True:
            try:
                await self.refresh()
            except DatabaseError as error:
                _log.warning("events not readable yet", reason=str(error))
            await asyncio.sleep(self._settings.schema_refresh_s)
