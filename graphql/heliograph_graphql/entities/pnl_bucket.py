"""Profit and loss of a wallet over time, from the changes of its positions."""

from __future__ import annotations

from heliograph_graphql.entities.chain import MARKET, MARKET_FIELDS, STREAM
from heliograph_graphql.entities.resolution import BUCKETS
from heliograph_graphql.entity import Argument, Entity, Field, Kind

ENTITY = Entity(
    name="PnlBucket",
    root="pnl",
    table="pnl_buckets",
    description="Profit and loss of a wallet in one market and one span of time; spans in which nothing changed have no row.",
    key=("bucket", "market", "stream"),
    newest_first=True,
    arguments=(
        Argument("wallet", Kind.TEXT, "Address of the wallet.", required=True),
        Argument("resolution", BUCKETS, "How long a bucket is.", default="1 day"),
    ),
    fields=(
        STREAM,
        *MARKET_FIELDS,
        Field("wallet", Kind.TEXT, "Address of the wallet.", filterable=False, sortable=False),
        Field("bucket", Kind.TIME, "Beginning of the bucket."),
        Field(
            "realized_pnl",
            Kind.DECIMAL,
            "Realized in it, before fees and funding; null where a change does not say.",
            unit="quote",
            nullable=True,
        ),
        Field("fees", Kind.DECIMAL, "Fees in it, positive when paid.", unit="quote"),
        Field("funding", Kind.DECIMAL, "Funding in it, positive when received.", unit="quote"),
        Field(
            "net",
            Kind.DECIMAL,
            "Realized less fees and plus funding, where known.",
            unit="quote",
            nullable=True,
        ),
        Field("changes", Kind.BIGINT, "How many changes made it."),
    ),
    relations=(MARKET,),
)
