"""What a subscription's plan is followed by: its statements, kept for all of one shape, and the feed of one of them."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph_graphql.entity import Catalog
from heliograph_graphql.hub import Feed
from heliograph_graphql.live_plan import ObjectPlan, RowPlan, TouchedPlan
from heliograph_graphql.object_feed import ObjectFeed, ObjectQuery
from heliograph_graphql.render import Feed as RowFeed
from heliograph_graphql.render import LiveQuery
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.touched_feed import TouchedFeed, TouchedQuery

FeedQuery = LiveQuery | ObjectQuery | TouchedQuery


def make_query(plan: RowPlan | ObjectPlan | TouchedPlan, catalog: Catalog) -> FeedQuery:
    if isinstance(plan, ObjectPlan):
        return ObjectQuery(plan, catalog)
    if isinstance(plan, TouchedPlan):
        return TouchedQuery(plan, catalog)
    return LiveQuery(plan, catalog)


def make_feed(query: FeedQuery, variables: Mapping[str, object], settings: ApiSettings) -> Feed:
    """Raises GraphQLError for a value that cannot be bound."""
    if isinstance(query, ObjectQuery):
        return ObjectFeed(query, variables, settings.message_objects)
    if isinstance(query, TouchedQuery):
        return TouchedFeed(query, variables, settings.message_rows)
    return RowFeed(query, variables, settings.message_rows)
