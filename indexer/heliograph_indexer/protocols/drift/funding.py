"""Drift: funding rates, as fractions, and what they came to for each position."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from heliograph_core.amounts import quotient, scaled
from heliograph_core.records import Flow, FundingPayment, FundingRate, Owner, Record, State
from heliograph_indexer.protocols.drift.units import (
    BASE,
    FUNDING,
    PRICE,
    QUOTE,
    ZERO,
    Fields,
    nothing_told,
    of_position,
    perp_market,
)

FUNDING_INTERVAL_S = 3600
"""FundingRateRecord does not tell it: that of every perpetual market. (A market's account tells its own.)"""


def funding_rate(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    """The program's rate is quote per base and interval; as a fraction it is that of the oracle's TWAP beside it."""
    twap = scaled(f["oraclePriceTwap"], PRICE)
    rate = quotient(scaled(f["fundingRate"], FUNDING), twap)
    yield FundingRate(
        **row,
        market=perp_market(f["marketIndex"]),
        mark_price=scaled(f["markPriceTwap"], PRICE),
        index_price=twap,
        premium=None,
        interest=None,
        rate=rate,
        interval_seconds=FUNDING_INTERVAL_S,
        interval_rate=rate,
    )


def funding_payment(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Of all intervals since the user's last payment: neither a rate of one interval nor a price is told."""
    base = scaled(f["baseAssetAmount"], BASE)
    amount = scaled(f["fundingPayment"], QUOTE)
    position = of_position(f["user"], f["marketIndex"])
    if base:
        yield FundingPayment(
            **row,
            **{**position, "wallet": f["userAuthority"]},
            side="long" if base > 0 else "short",
            size=abs(base),
            rate=None,
            interval_seconds=None,
            amount=amount,
        )
    yield Flow(
        **row,
        **{**position, "wallet": f["userAuthority"]},
        kind="funding",
        base_delta=ZERO,
        quote=ZERO,
        price=None,
        **{**nothing_told(), "funding": amount, "base_after": base},
    )
    yield Owner(stream=row["stream"], account=f["user"], wallet=f["userAuthority"])
