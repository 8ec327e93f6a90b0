"""The schema as it stands with the events of the streams that there are, and everything that was made of it.

A stream or an IDL that is added makes another edition; requests that are under way finish in theirs.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

from graphql import GraphQLSchema

from heliograph_graphql.cache import BoundedCache
from heliograph_graphql.compiled_query import CompiledQuery
from heliograph_graphql.compiler import Compiler
from heliograph_graphql.document import Documents
from heliograph_graphql.entity import Catalog
from heliograph_graphql.event_entities import Events
from heliograph_graphql.event_schema import EventSchema
from heliograph_graphql.feeds import FeedQuery
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.subscription_compiler import SubscriptionCompiler
from heliograph_graphql.transaction_state import StatusPlan
from heliograph_sql.event_sources import EventSources

_MOST_CHARACTERS = 16_000_000
"""Text of all statements that stay compiled and of what they are found by: clients must not fill the memory."""


class Edition:
    """One edition. revision: names this schema and no other."""

    def __init__(
        self,
        static: GraphQLSchema,
        static_sdl: str,
        catalog: Catalog,
        found: EventSources,
        settings: ApiSettings,
    ) -> None:
        """static: the schema without events; catalog: its entities."""
        assert static.query_type is not None
        self.digest = found.digest
        events = Events(found, static.type_map, static.query_type.fields)
        self.catalog = Catalog([*catalog.entities, *events.entities])
        self._static_sdl = static_sdl
        self._schema = EventSchema(static, events)
        self.core = self._schema.core
        self.documents = Documents(self.core, settings)
        self.compiler = Compiler(self.core, self.catalog, settings)
        self.subscriptions = SubscriptionCompiler(self.core, self.catalog, settings)
        self.plans: BoundedCache[CompiledQuery] = BoundedCache(settings.plans_cached, _MOST_CHARACTERS)
        self.live: BoundedCache[FeedQuery | StatusPlan] = BoundedCache(
            settings.plans_cached, _MOST_CHARACTERS
        )
        self.revision = hashlib.sha256(f"{static_sdl}{found.digest}".encode()).hexdigest()[:16]

    @cached_property
    def sdl(self) -> str:
        return f"{self._static_sdl}\n\n{self._schema.sdl}"
