"""Wallets: whatever an address did, gathered; there is no table of them."""

from __future__ import annotations

from heliograph_graphql.entities.chain import ID
from heliograph_graphql.entity import Argument, Entity, Field, Gathered, Kind, Relation

_HERE = (("wallet", "address"),)

ENTITY = Entity(
    name="Wallet",
    root="",
    one="wallet",
    table="wallet",
    description="Everything that is known of one address; an address that never traded has empty pages.",
    key=("address",),
    stream="",
    arguments=(Argument("address", Kind.TEXT, "The wallet's address.", required=True),),
    fields=(ID, Field("address", Kind.TEXT, "The wallet's address.")),
    gathers=(
        Gathered(
            "positions",
            "Position",
            "Its open positions: one that closes is among `removed`.",
            on=_HERE,
            fixed=(("status", "open"),),
        ),
        Gathered("balances", "Balance", "Its collateral.", on=_HERE),
    ),
    relations=(
        Relation("positions", "Position", "Its positions.", on=_HERE),
        Relation("position_changes", "PositionChange", "Changes of its positions.", on=_HERE),
        Relation(
            "trades",
            "Trade",
            "Fills that it took or made.",
            on=(),
            either=(("taker", "address"), ("maker", "address")),
        ),
        Relation("funding_payments", "FundingPayment", "Funding it paid or received.", on=_HERE),
        Relation("liquidations", "Liquidation", "Liquidations of its positions.", on=_HERE),
        Relation("transfers", "Transfer", "Movements of its collateral.", on=_HERE),
        Relation("balances", "Balance", "Its collateral.", on=_HERE),
        Relation("pnl", "PnlBucket", "Its profit and loss over time.", on=(), given=_HERE),
    ),
)
