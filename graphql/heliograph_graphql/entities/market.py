"""Markets: what they are and what their accounts say now."""

from __future__ import annotations

from heliograph_graphql.entities.chain import ID, PROGRAM, STREAM
from heliograph_graphql.entity import Entity, Field, Kind, Relation

_HERE = (("stream", "stream"), ("market", "market"))

ENTITY = Entity(
    name="Market",
    root="markets",
    one="market",
    lookups=("address", "symbol", "stream"),
    table="perps.markets",
    description="A perpetual-futures market. Prices, rate and open interest are as its account says now.",
    key=("symbol", "stream", "market"),
    identity=("stream", "market"),
    followed=True,
    fields=(
        ID,
        STREAM,
        Field("market", Kind.TEXT, "Address of the market.", graphql_name="address"),
        PROGRAM,
        Field("symbol", Kind.TEXT, "As in SOL-PERP."),
        Field("base_asset", Kind.TEXT, "What is traded."),
        Field("quote_asset", Kind.TEXT, "What it is priced in."),
        Field("oracle", Kind.TEXT, "Address of the price oracle.", nullable=True),
        Field("tick_size", Kind.DECIMAL, "Smallest step of a price.", unit="quote per base", nullable=True),
        Field("lot_size", Kind.DECIMAL, "Smallest step of a size.", unit="base", nullable=True),
        Field(
            "initial_margin_ratio",
            Kind.DECIMAL,
            "Margin needed to open.",
            unit="fraction of notional",
            nullable=True,
        ),
        Field(
            "maintenance_margin_ratio",
            Kind.DECIMAL,
            "Margin needed to stay open.",
            unit="fraction of notional",
            nullable=True,
        ),
        Field("taker_fee_rate", Kind.DECIMAL, "Fee of the taker.", unit="fraction of quote", nullable=True),
        Field(
            "maker_fee_rate",
            Kind.DECIMAL,
            "Fee of the maker, negative for a rebate.",
            unit="fraction of quote",
            nullable=True,
        ),
        Field(
            "funding_interval_seconds", Kind.INT, "How often funding settles.", unit="seconds", nullable=True
        ),
        Field("created_slot", Kind.SLOT, "Slot of its creation.", nullable=True),
        Field("created_at", Kind.TIME, "Time of its creation.", nullable=True),
        Field("account_slot", Kind.SLOT, "Context slot of the account state below.", nullable=True),
        Field("mark_price", Kind.DECIMAL, "Mark price now.", unit="quote per base", nullable=True),
        Field("index_price", Kind.DECIMAL, "Index price now.", unit="quote per base", nullable=True),
        Field(
            "funding_rate",
            Kind.DECIMAL,
            "Funding rate now, positive when longs pay.",
            unit="fraction per hour",
            nullable=True,
        ),
        Field("open_interest_long", Kind.DECIMAL, "Sum of long positions.", unit="base", nullable=True),
        Field("open_interest_short", Kind.DECIMAL, "Sum of short positions.", unit="base", nullable=True),
        Field(
            "borrow_rate",
            Kind.DECIMAL,
            "What positions pay now for what they borrow of this market's pool; no funding.",
            unit="fraction of notional per hour",
            nullable=True,
        ),
    ),
    relations=(
        Relation(
            "candles",
            "Candle",
            "Its candles, newest first.",
            on=(),
            given=(("market_address", "market"), ("stream", "stream")),
        ),
        Relation("positions", "Position", "Positions in this market.", on=_HERE),
        Relation("position_changes", "PositionChange", "Changes of positions in this market.", on=_HERE),
        Relation("funding_payments", "FundingPayment", "Funding settled in this market.", on=_HERE),
        Relation("trades", "Trade", "Fills in this market.", on=_HERE),
        Relation("funding_rates", "FundingRate", "Funding rates of this market.", on=_HERE),
        Relation("liquidations", "Liquidation", "Liquidations in this market.", on=_HERE),
        Relation("oracle_prices", "OraclePrice", "Oracle prices of this market.", on=_HERE),
    ),
)
