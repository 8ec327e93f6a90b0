"""Changes of positions, one row each."""

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
from heliograph_graphql.entity import Choice, Entity, Field, Kind

KIND = Choice(
    "PositionChangeKind",
    "What changed a position.",
    {
        "open": "The position was opened.",
        "increase": "It grew.",
        "decrease": "It shrank.",
        "funding": "Funding was paid or received.",
        "liquidation": "A liquidator took a part or all of it.",
        "close": "It was closed.",
        "settlement": "Its profit or loss was moved to the owner's balance.",
    },
)

ENTITY = Entity(
    name="PositionChange",
    root="positionChanges",
    table="perps.position_changes",
    description="One change of one position; folding these in chain order gives the position.",
    key=EVENT_KEY,
    newest_first=True,
    live=True,
    fields=(
        *EVENT_FIELDS,
        *MARKET_FIELDS,
        Field("wallet", Kind.TEXT, "Owner of the position."),
        Field("position_key", Kind.TEXT, "The protocol's own key of the position."),
        position_id("position_of_event"),
        Field("kind", KIND, "What happened."),
        Field("side", SIDE, "Side of the position; null where the protocol does not say.", nullable=True),
        Field(
            "size_delta",
            Kind.DECIMAL,
            "Positive when the position grows, whatever its side; null where the protocol does not say.",
            unit="base",
            nullable=True,
        ),
        Field("size_after", Kind.DECIMAL, "Size after the change.", unit="base", nullable=True),
        Field("price", Kind.DECIMAL, "Price of the change.", unit="quote per base", nullable=True),
        Field(
            "entry_price_after",
            Kind.DECIMAL,
            "Entry price after the change.",
            unit="quote per base",
            nullable=True,
        ),
        Field("collateral_delta", Kind.DECIMAL, "Change of the collateral.", unit="quote", nullable=True),
        Field("collateral_after", Kind.DECIMAL, "Collateral after the change.", unit="quote", nullable=True),
        Field(
            "realized_pnl",
            Kind.DECIMAL,
            "Of this change alone, before fee and funding; null where the protocol does not say.",
            unit="quote",
            nullable=True,
        ),
        Field(
            "settled_pnl",
            Kind.DECIMAL,
            "Moved to the owner's balance; no part of realizedPnl.",
            unit="quote",
        ),
        Field("fee", Kind.DECIMAL, "Positive when paid.", unit="quote"),
        Field("funding", Kind.DECIMAL, "Positive when received.", unit="quote"),
        Field("borrow_fee", Kind.DECIMAL, "The part of the fee for borrowing.", unit="quote", nullable=True),
        Field(
            "price_impact_fee",
            Kind.DECIMAL,
            "The part of the fee for moving the price.",
            unit="quote",
            nullable=True,
        ),
        Field(
            "liquidation_price_after",
            Kind.DECIMAL,
            "Liquidation price after the change.",
            unit="quote per base",
            nullable=True,
        ),
        Field("trade_id", Kind.TEXT, "The fill that caused it.", nullable=True, sortable=False),
    ),
    relations=(MARKET, transaction()),
)
