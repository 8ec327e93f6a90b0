"""Where a row stands on the chain, and what rows of several entities share."""

from __future__ import annotations

from heliograph_graphql.entity import Bound, Choice, Field, Kind, Relation, Through

EVENT_KEY = ("block_time", "slot", "tx_index", "ordinal", "stream", "part")
CHAIN_ORDER = ("block_time", "slot", "tx_index", "ordinal")

SIDE = Choice(
    "Side",
    "Which way a position or a trade goes.",
    {"long": "Gains when the price rises.", "short": "Gains when it falls."},
)

ID = Field("id", Kind.ID, "Opaque global id of this row.", fragment="id")
STREAM = Field("stream", Kind.TEXT, "The stream that this row was indexed by.")
PROGRAM = Field("program", Kind.TEXT, "Address of the program that emitted the event.", sortable=False)

PLACE = (
    Field("block_time", Kind.TIME, "Time of the block.", order=CHAIN_ORDER),
    Field("slot", Kind.SLOT, "Slot of the block.", order=CHAIN_ORDER, bound=Bound.SLOT),
    Field("tx_index", Kind.INT, "Index of the transaction among all of its block, from 0.", sortable=False),
    Field(
        "ordinal",
        Kind.INT,
        "Index of the event among all candidates of its transaction, from 0.",
        sortable=False,
    ),
)
SIGNATURE = Field(
    "signature", Kind.TEXT, "Signature of the transaction.", sortable=False, bound=Bound.SIGNATURE
)

EVENT_FIELDS = (
    ID,
    STREAM,
    *PLACE,
    Field("part", Kind.INT, "Counts the rows that one event makes in one table, from 0.", sortable=False),
    SIGNATURE,
    PROGRAM,
)

MARKET_FIELDS = (
    Field("market", Kind.TEXT, "Address of the market.", graphql_name="marketAddress"),
    Field(
        "market_symbol",
        Kind.TEXT,
        "Symbol of the market, as in SOL-PERP; null while the market itself is not indexed.",
        nullable=True,
        fragment="market_symbol",
        through=Through(table="perps.markets", key="market", column="market", field="symbol"),
    ),
)

MARKET = Relation(
    "market",
    "Market",
    "The market; null while it is not indexed.",
    on=(("stream", "stream"), ("market", "market")),
    many=False,
)


def transaction(stream: str = "stream") -> Relation:
    """From an event-like row, whose stream is in that column, to its transaction."""
    return Relation(
        "transaction",
        "Transaction",
        "The transaction that this happened in.",
        on=(("block_time", "block_time"), ("slot", "slot"), ("tx_index", "tx_index"), ("stream", stream)),
        many=False,
    )


def position_id(fragment: str, name: str = "position_id", description: str = "") -> Field:
    return Field(
        name,
        Kind.ID,
        description
        or "Id of the position's lifecycle that this row belongs to; null where its opening is not stored.",
        nullable=True,
        fragment=fragment,
    )
