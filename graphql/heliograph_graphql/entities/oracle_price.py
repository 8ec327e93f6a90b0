"""Oracle prices as the protocol took them."""

from __future__ import annotations

from heliograph_graphql.entities.chain import EVENT_FIELDS, EVENT_KEY, MARKET, MARKET_FIELDS, transaction
from heliograph_graphql.entity import Entity, Field, Kind

ENTITY = Entity(
    name="OraclePrice",
    root="oraclePrices",
    table="perps.oracle_prices",
    description="A price that an oracle gave.",
    key=EVENT_KEY,
    newest_first=True,
    live=True,
    fields=(
        *EVENT_FIELDS,
        *MARKET_FIELDS,
        Field("source", Kind.TEXT, "Which oracle network."),
        Field("oracle", Kind.TEXT, "Address of the feed.", nullable=True),
        Field("price", Kind.DECIMAL, "The price.", unit="quote per base"),
        Field(
            "confidence",
            Kind.DECIMAL,
            "Half-width of the confidence interval.",
            unit="quote per base",
            nullable=True,
        ),
        Field("publish_time", Kind.TIME, "When the oracle says it was made."),
    ),
    relations=(MARKET, transaction()),
)
