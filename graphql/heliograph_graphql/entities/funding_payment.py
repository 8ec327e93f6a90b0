"""Funding payments, one row a position and settlement."""

from __future__ import annotations

from heliograph_graphql.entities.chain import (
    EVENT_FIELDS,
    EVENT_KEY,
    MARKET,
    MARKET_FIELDS,
    SIDE,
    position_id,
    transaction,
)
from heliograph_graphql.entity import Entity, Field, Kind

ENTITY = Entity(
    name="FundingPayment",
    root="fundingPayments",
    table="perps.funding_payments",
    description="Funding that one position paid or received.",
    key=EVENT_KEY,
    newest_first=True,
    live=True,
    fields=(
        *EVENT_FIELDS,
        *MARKET_FIELDS,
        Field("wallet", Kind.TEXT, "Owner of the position."),
        Field("position_key", Kind.TEXT, "The protocol's own key of the position."),
        position_id("position_of_event"),
        Field("side", SIDE, "Side of the position."),
        Field("size", Kind.DECIMAL, "Size that it was paid for, never negative.", unit="base"),
        Field("rate", Kind.DECIMAL, "The rate applied.", unit="fraction per hour", nullable=True),
        Field("interval_seconds", Kind.INT, "The time it was paid for.", unit="seconds", nullable=True),
        Field("amount", Kind.DECIMAL, "Positive when the wallet received it.", unit="quote"),
    ),
    relations=(MARKET, transaction()),
)
