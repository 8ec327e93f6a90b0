"""Transactions, failed ones too."""

from __future__ import annotations

from heliograph_graphql.entities.chain import ID, STREAM
from heliograph_graphql.entity import Bound, Entity, Field, Kind, Relation

_ORDER = ("block_time", "slot", "tx_index")
_HERE = (("block_time", "block_time"), ("slot", "slot"), ("tx_index", "tx_index"), ("stream", "stream"))

ENTITY = Entity(
    name="Transaction",
    root="transactions",
    one="transaction",
    lookups=("signature", "stream"),
    table="heliograph.transactions",
    description="A transaction that mentions a program of the stream; a failed one leaves no other row.",
    key=("block_time", "slot", "tx_index", "stream"),
    newest_first=True,
    fields=(
        ID,
        STREAM,
        Field("block_time", Kind.TIME, "Time of the block.", order=_ORDER),
        Field("slot", Kind.SLOT, "Slot of the block.", order=_ORDER, bound=Bound.SLOT),
        Field("tx_index", Kind.INT, "Index among all transactions of its block, from 0.", sortable=False),
        Field("signature", Kind.TEXT, "Its first signature.", sortable=False, bound=Bound.SIGNATURE),
        Field("failed", Kind.BOOL, "Whether it failed.", fragment="transaction_failed"),
        Field("err", Kind.JSON, "The cluster's error; null where it succeeded.", nullable=True),
        Field("err_name", Kind.TEXT, "The IDL's name of a custom error.", nullable=True),
        Field("fee", Kind.BIGINT, "Fee, priority fee included.", unit="lamports", nullable=True),
        Field("fee_payer", Kind.TEXT, "Who paid it.", nullable=True),
        Field("priority_fee", Kind.BIGINT, "The priority fee's part.", unit="lamports", nullable=True),
        Field("compute_units", Kind.BIGINT, "Compute units consumed.", nullable=True),
        Field("version", Kind.TEXT, "legacy, 0 or 1.", nullable=True),
        Field("truncated", Kind.BOOL, "The cluster cut its log lines; events by log may be missing."),
    ),
    relations=(
        Relation("position_changes", "PositionChange", "What it changed in positions.", on=_HERE),
        Relation("trades", "Trade", "Its fills.", on=_HERE),
        Relation("funding_rates", "FundingRate", "Funding rates it published.", on=_HERE),
        Relation("funding_payments", "FundingPayment", "Funding it settled.", on=_HERE),
        Relation("liquidations", "Liquidation", "Its liquidations.", on=_HERE),
        Relation("oracle_prices", "OraclePrice", "Oracle prices it set.", on=_HERE),
        Relation("transfers", "Transfer", "Collateral it moved.", on=_HERE),
    ),
)
