"""Liquidations, partial ones too."""

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
    "LiquidationKind",
    "What a liquidation took.",
    {
        "perp": "A perps position, or a part of it.",
        "spot": "A borrow, for a deposit.",
        "borrow_for_perp_pnl": "A borrow, for profit of a perps market.",
        "perp_pnl_for_deposit": "A deposit, with a loss of a perps market.",
        "perp_bankruptcy": "Nothing was left: a loss of a perps market that others bear.",
        "spot_bankruptcy": "Nothing was left: a borrow that others bear.",
    },
)

ENTITY = Entity(
    name="Liquidation",
    root="liquidations",
    table="perps.liquidations",
    description="A liquidation. Its id equals the trade id of the fill that belongs to it, where there is one.",
    key=EVENT_KEY,
    newest_first=True,
    live=True,
    fields=(
        *EVENT_FIELDS,
        *MARKET_FIELDS,
        Field(
            "liquidation_id", Kind.TEXT, "The protocol's id, equal to the fill's trade id.", sortable=False
        ),
        Field("wallet", Kind.TEXT, "The liquidated wallet."),
        Field("liquidator", Kind.TEXT, "Wallet of the liquidator.", nullable=True),
        Field("position_key", Kind.TEXT, "The protocol's own key of the position."),
        position_id("position_of_event"),
        Field("kind", KIND, "What was liquidated."),
        Field("side", SIDE, "Side of the liquidated position.", nullable=True),
        Field("size", Kind.DECIMAL, "Size taken from the position.", unit="base"),
        Field("price", Kind.DECIMAL, "Price it was taken at.", unit="quote per base", nullable=True),
        Field("mark_price", Kind.DECIMAL, "Mark price then.", unit="quote per base", nullable=True),
        Field("quote", Kind.DECIMAL, "Price times size.", unit="quote"),
        Field("fee", Kind.DECIMAL, "Paid by the liquidated wallet.", unit="quote"),
        Field(
            "realized_pnl", Kind.DECIMAL, "Realized by the liquidated position.", unit="quote", nullable=True
        ),
        Field("bad_debt", Kind.DECIMAL, "Left uncovered, never negative.", unit="quote"),
    ),
    relations=(MARKET, transaction()),
)
