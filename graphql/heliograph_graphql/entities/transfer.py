"""Movements of collateral."""

from __future__ import annotations

from heliograph_graphql.entities.chain import EVENT_FIELDS, EVENT_KEY, position_id, transaction
from heliograph_graphql.entity import Choice, Entity, Field, Kind

KIND = Choice(
    "TransferKind",
    "How collateral moved.",
    {
        "deposit": "Into the exchange.",
        "withdraw": "Out of it.",
        "lock": "From free to locked.",
        "release": "From locked to free, with profit and loss settled.",
    },
)

ENTITY = Entity(
    name="Transfer",
    root="transfers",
    table="perps.transfers",
    description="A movement of a wallet's collateral.",
    key=EVENT_KEY,
    newest_first=True,
    live=True,
    fields=(
        *EVENT_FIELDS,
        Field("wallet", Kind.TEXT, "Whose collateral."),
        Field("asset", Kind.TEXT, "Mint of the asset."),
        Field("kind", KIND, "How it moved."),
        Field("amount", Kind.DECIMAL, "The nominal, never negative.", unit="asset"),
        Field("free_delta", Kind.DECIMAL, "Change of the free part.", unit="asset"),
        Field("locked_delta", Kind.DECIMAL, "Change of the locked part.", unit="asset"),
        Field("free_after", Kind.DECIMAL, "Free after it.", unit="asset", nullable=True),
        Field("locked_after", Kind.DECIMAL, "Locked after it.", unit="asset", nullable=True),
        Field(
            "position_key",
            Kind.TEXT,
            "The position it was locked for or released from.",
            nullable=True,
            sortable=False,
        ),
        position_id("position_of_transfer"),
        Field("sub_account", Kind.TEXT, "Sub-account of the wallet.", nullable=True, sortable=False),
    ),
    relations=(transaction(),),
)
