"""Positions: one row a lifecycle, from opening to close."""

from __future__ import annotations

from heliograph_graphql.entities.chain import ID, MARKET, MARKET_FIELDS, PROGRAM, SIDE, STREAM
from heliograph_graphql.entity import Choice, Entity, Field, Kind, Past, Relation

STATUS = Choice(
    "PositionStatus",
    "Whether a position lives.",
    {"open": "Still held.", "closed": "Closed by its owner.", "liquidated": "Closed by a liquidation."},
)

_HERE = (("stream", "stream"), ("position_key", "position_key"))

ENTITY = Entity(
    name="Position",
    root="positions",
    one="position",
    lookups=("positionKey", "stream"),
    table="perps.positions",
    description="One lifecycle of a position. Its address may be reused; `lifecycle` counts its lives from 1.",
    key=("opened_at", "opened_slot", "opened_tx_index", "opened_ordinal", "stream", "position_key"),
    identity=("stream", "position_key", "opened_slot", "opened_tx_index", "opened_ordinal"),
    newest_first=True,
    followed=True,
    past=Past(
        kept="positions_as_of",
        changed="positions_changed_since",
        folded="positions_folded",
        fixed=(
            "stream",
            "position_key",
            "program",
            "market",
            "market_symbol",
            "wallet",
            "side",
            "opened_at",
            "opened_slot",
        ),
    ),
    fields=(
        ID,
        STREAM,
        Field("position_key", Kind.TEXT, "The protocol's own key of the position, usually its address."),
        Field("lifecycle", Kind.INT, "Counts the lives of this key from 1."),
        PROGRAM,
        *MARKET_FIELDS,
        Field("wallet", Kind.TEXT, "Owner of the position."),
        Field("side", SIDE, "Long or short."),
        Field("status", STATUS, "Open, closed or liquidated."),
        Field("size", Kind.DECIMAL, "Size now, never negative.", unit="base", nullable=True),
        Field("max_size", Kind.DECIMAL, "Largest size it has had.", unit="base", nullable=True),
        Field(
            "entry_price",
            Kind.DECIMAL,
            "Average entry price; kept at close.",
            unit="quote per base",
            nullable=True,
        ),
        Field(
            "entry_quote",
            Kind.DECIMAL,
            "What the open size was entered for, exact.",
            unit="quote",
            nullable=True,
        ),
        Field(
            "exit_price",
            Kind.DECIMAL,
            "Price of the change that closed it.",
            unit="quote per base",
            nullable=True,
        ),
        Field("collateral", Kind.DECIMAL, "Collateral locked in it.", unit="quote", nullable=True),
        Field(
            "liquidation_price",
            Kind.DECIMAL,
            "Where it would be liquidated.",
            unit="quote per base",
            nullable=True,
        ),
        Field(
            "realized_pnl",
            Kind.DECIMAL,
            "Realized so far, before fees and funding; null where the protocol does not say.",
            unit="quote",
            nullable=True,
        ),
        Field(
            "settled_pnl",
            Kind.DECIMAL,
            "Profit moved to the owner's balance so far; no part of realizedPnl.",
            unit="quote",
        ),
        Field("fees", Kind.DECIMAL, "Fees so far, positive when paid.", unit="quote"),
        Field("funding", Kind.DECIMAL, "Funding so far, positive when received.", unit="quote"),
        Field(
            "borrow_fees", Kind.DECIMAL, "The part of the fees for borrowing.", unit="quote", nullable=True
        ),
        Field(
            "price_impact_fees",
            Kind.DECIMAL,
            "The part of the fees for moving the price.",
            unit="quote",
            nullable=True,
        ),
        Field("changes", Kind.INT, "How many changes it has had.", graphql_name="changeCount"),
        Field("opened_at", Kind.TIME, "Time of its opening."),
        Field("opened_slot", Kind.SLOT, "Slot of its opening."),
        Field("opened_tx_index", Kind.INT, "Transaction index of its opening.", sortable=False),
        Field("opened_ordinal", Kind.INT, "Event ordinal of its opening.", sortable=False),
        Field("updated_at", Kind.TIME, "Time of its latest change."),
        Field("updated_slot", Kind.SLOT, "Slot of its latest change."),
        Field("updated_tx_index", Kind.INT, "Transaction index of its latest change.", sortable=False),
        Field("updated_ordinal", Kind.INT, "Event ordinal of its latest change.", sortable=False),
        Field("closed_at", Kind.TIME, "Time of its close.", nullable=True),
        Field("closed_slot", Kind.SLOT, "Slot of its close.", nullable=True),
        Field(
            "complete",
            Kind.BOOL,
            "Whether its opening is covered; if not, what the protocol does not say is null.",
        ),
        Field("settled", Kind.BOOL, "False while late history waits to be folded in."),
    ),
    relations=(
        MARKET,
        Relation("changes", "PositionChange", "Its changes.", on=_HERE, fragment="within_lifecycle"),
        Relation(
            "funding_payments",
            "FundingPayment",
            "Funding it paid or received.",
            on=_HERE,
            fragment="within_lifecycle",
        ),
        Relation(
            "liquidations",
            "Liquidation",
            "Its liquidations, partial ones too.",
            on=_HERE,
            fragment="within_lifecycle",
        ),
        Relation(
            "trades",
            "Trade",
            "The fills that changed it.",
            on=(("stream", "stream"),),
            fragment="trade_of_lifecycle",
        ),
    ),
)
