"""Candles: open, high, low, close of one market, by the minute to the day."""

from __future__ import annotations

from heliograph_graphql.entities.chain import MARKET, MARKET_FIELDS, STREAM
from heliograph_graphql.entities.resolution import CANDLES
from heliograph_graphql.entity import Argument, Choice, Entity, Field, Kind, Touched

PRICE_KIND = Choice(
    "PriceKind",
    "Which price.",
    {"trade": "Of fills.", "mark": "The mark price.", "oracle": "The oracle's."},
)

ENTITY = Entity(
    name="Candle",
    root="candles",
    table="candles",
    description="Candles of one market, newest first. A bucket without a price has none, unless `fill` asks for them.",
    key=("bucket", "market", "stream"),
    newest_first=True,
    paged=True,
    touched=Touched("touched_candles", "candles_through", ("market_address", "resolution", "price_kind")),
    arguments=(
        Argument("market_address", Kind.TEXT, "Address of the market.", required=True),
        Argument("stream", Kind.TEXT, "The stream; all that know the market by default."),
        Argument("resolution", CANDLES, "How long a candle is.", default="1m"),
        Argument("price_kind", PRICE_KIND, "Which price.", default="trade"),
        Argument(
            "fill",
            Kind.BOOL,
            "Also buckets without a price, from the first price on: they carry the close before them, with volume 0.",
            default=False,
        ),
        Argument("since", Kind.TIME, "Buckets that begin then or later."),
        Argument("until", Kind.TIME, "Buckets that begin before then; up to the newest block by default."),
    ),
    fields=(
        STREAM,
        *MARKET_FIELDS,
        Field("price_kind", PRICE_KIND, "Which price."),
        Field("bucket", Kind.TIME, "Beginning of the candle."),
        Field("open", Kind.DECIMAL, "First price.", unit="quote per base"),
        Field("high", Kind.DECIMAL, "Highest price.", unit="quote per base"),
        Field("low", Kind.DECIMAL, "Lowest price.", unit="quote per base"),
        Field("close", Kind.DECIMAL, "Last price.", unit="quote per base"),
        Field("volume", Kind.DECIMAL, "Traded; 0 for other prices than trades.", unit="base"),
        Field("quote", Kind.DECIMAL, "Traded; 0 for other prices than trades.", unit="quote"),
        Field("points", Kind.BIGINT, "How many prices it is made of."),
    ),
    relations=(MARKET,),
)
