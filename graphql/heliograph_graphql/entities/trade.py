"""Trades: one row a fill."""

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
    name="Trade",
    root="trades",
    table="perps.trades",
    description="One fill. Both sides of it are in one row, so volume counts once.",
    key=EVENT_KEY,
    newest_first=True,
    live=True,
    fields=(
        *EVENT_FIELDS,
        *MARKET_FIELDS,
        Field(
            "trade_id",
            Kind.TEXT,
            "The protocol's id of the fill; a liquidation of the same id belongs to it.",
            sortable=False,
        ),
        Field("taker", Kind.TEXT, "Wallet of the taker.", nullable=True),
        Field("taker_side", SIDE, "Long when the taker buys base."),
        Field("maker", Kind.TEXT, "Wallet of the maker.", nullable=True),
        Field("price", Kind.DECIMAL, "Price of the fill.", unit="quote per base"),
        Field("size", Kind.DECIMAL, "Size of the fill.", unit="base"),
        Field("quote", Kind.DECIMAL, "Price times size, as the protocol reports it.", unit="quote"),
        Field("taker_fee", Kind.DECIMAL, "Positive when paid.", unit="quote"),
        Field("maker_fee", Kind.DECIMAL, "Positive when paid, negative for a rebate.", unit="quote"),
        Field("taker_position_key", Kind.TEXT, "The taker's position.", nullable=True, sortable=False),
        Field("maker_position_key", Kind.TEXT, "The maker's position.", nullable=True, sortable=False),
        position_id(
            "taker_position_of_trade", "taker_position_id", "Id of the taker's position after the fill."
        ),
        position_id(
            "maker_position_of_trade", "maker_position_id", "Id of the maker's position after the fill."
        ),
        Field("taker_order_id", Kind.TEXT, "The taker's order.", nullable=True, sortable=False),
        Field("maker_order_id", Kind.TEXT, "The maker's order.", nullable=True, sortable=False),
        Field("liquidation", Kind.BOOL, "Whether the fill liquidates the taker."),
    ),
    relations=(MARKET, transaction()),
)
