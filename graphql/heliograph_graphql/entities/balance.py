"""Balances: a wallet's collateral in one asset."""

from __future__ import annotations

from heliograph_graphql.entities.chain import ID, STREAM
from heliograph_graphql.entity import Entity, Field, Kind, Relation

ENTITY = Entity(
    name="Balance",
    root="balances",
    table="perps.balances",
    description="A wallet's collateral in one asset, after its latest transfer.",
    key=("wallet", "asset", "stream", "sub_account"),
    identity=("stream", "wallet", "asset", "sub_account"),
    followed=True,
    fields=(
        ID,
        STREAM,
        Field("wallet", Kind.TEXT, "Whose collateral."),
        Field("asset", Kind.TEXT, "Mint of the asset."),
        Field("sub_account", Kind.TEXT, "Sub-account of the wallet; empty where the protocol has none."),
        Field("free", Kind.DECIMAL, "Not locked in a position.", unit="asset"),
        Field("locked", Kind.DECIMAL, "Locked in positions.", unit="asset"),
        Field("total", Kind.DECIMAL, "Free and locked together.", unit="asset", fragment="balance_total"),
        Field("updated_at", Kind.TIME, "Time of its latest transfer."),
        Field("updated_slot", Kind.SLOT, "Slot of its latest transfer."),
        Field("updated_tx_index", Kind.INT, "Transaction index of its latest transfer.", sortable=False),
        Field("updated_ordinal", Kind.INT, "Event ordinal of its latest transfer.", sortable=False),
    ),
    relations=(
        Relation(
            "transfers",
            "Transfer",
            "Its transfers.",
            on=(("stream", "stream"), ("wallet", "wallet"), ("asset", "asset")),
        ),
    ),
)
