"""How long buckets are."""

from __future__ import annotations

from heliograph_graphql.entity import Choice

CANDLES = Choice(
    "CandleResolution",
    "How long a candle is.",
    {
        "1m": "A minute.",
        "5m": "Five minutes.",
        "15m": "Fifteen minutes.",
        "1h": "An hour.",
        "4h": "Four hours, from midnight UTC.",
        "1d": "A day, UTC.",
    },
    names={
        "1m": "ONE_MINUTE",
        "5m": "FIVE_MINUTES",
        "15m": "FIFTEEN_MINUTES",
        "1h": "ONE_HOUR",
        "4h": "FOUR_HOURS",
        "1d": "ONE_DAY",
    },
)

BUCKETS = Choice(
    "BucketResolution",
    "How long a bucket is.",
    {
        "1 minute": "A minute.",
        "1 hour": "An hour.",
        "1 day": "A day, UTC.",
        "7 days": "Seven days, from a Saturday 00:00 UTC.",
    },
    names={"1 minute": "ONE_MINUTE", "1 hour": "ONE_HOUR", "1 day": "ONE_DAY", "7 days": "SEVEN_DAYS"},
)
