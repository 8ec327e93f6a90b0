"""Funding rates as the protocol publishes them."""

from __future__ import annotations

from heliograph_graphql.entities.chain import EVENT_FIELDS, EVENT_KEY, MARKET, MARKET_FIELDS, transaction
from heliograph_graphql.entity import Entity, Field, Kind

ENTITY = Entity(
    name="FundingRate",
    root="fundingRates",
    table="perps.funding_rates",
    description="A published funding rate and what it is made of.",
    key=EVENT_KEY,
    newest_first=True,
    live=True,
    fields=(
        *EVENT_FIELDS,
        *MARKET_FIELDS,
        Field("mark_price", Kind.DECIMAL, "Mark price.", unit="quote per base", nullable=True),
        Field("index_price", Kind.DECIMAL, "Index price.", unit="quote per base", nullable=True),
        Field("premium", Kind.DECIMAL, "The premium's part.", unit="fraction per hour", nullable=True),
        Field("interest", Kind.DECIMAL, "The interest's part.", unit="fraction per hour", nullable=True),
        Field("rate", Kind.DECIMAL, "Positive when longs pay shorts.", unit="fraction per hour"),
        Field("interval_seconds", Kind.INT, "How often the protocol settles.", unit="seconds"),
        Field("interval_rate", Kind.DECIMAL, "The rate for one such interval.", unit="fraction per interval"),
    ),
    relations=(MARKET, transaction()),
)
