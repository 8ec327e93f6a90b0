"""Drift: markets from PerpMarket accounts, and the positions that User accounts hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from heliograph_core.account import AccountState
from heliograph_core.amounts import EXACT, quotient, scaled
from heliograph_core.records import Holding, Market, MarketState, Owner, State
from heliograph_indexer.protocols.drift.spot_markets import spot_market
from heliograph_indexer.protocols.drift.units import (
    BASE,
    FUNDING,
    MARGIN,
    PRICE,
    QUOTE,
    Fields,
    or_none,
    perp_market,
    position_key,
)

SECONDS_PER_HOUR = 3600


def perp_market_account(stream: str, state: AccountState, f: Fields) -> Iterable[State]:
    amm = f["amm"]
    symbol = _name(f["name"])
    period = amm["fundingPeriod"]
    # Since 2025 the account keeps the TWAP that its last rate was computed with.
    twap = amm.get("lastFundingOracleTwap") or amm["historicalOracleData"]["lastOraclePriceTwap"]
    rate = None
    if twap and period:
        hourly = EXACT.multiply(scaled(amm["lastFundingRate"], FUNDING), SECONDS_PER_HOUR)
        rate = quotient(hourly, EXACT.multiply(scaled(twap, PRICE), period))
    reserve = amm["baseAssetReserve"]
    yield Market(
        stream=stream,
        market=state.address,
        program=state.program,
        symbol=symbol,
        base_asset=symbol.removesuffix("-PERP"),
        quote_asset=spot_market(f["quoteSpotMarketIndex"]).symbol,
        oracle=amm["oracle"],
        tick_size=scaled(amm["orderTickSize"], PRICE),
        lot_size=scaled(amm["orderStepSize"], BASE),
        initial_margin_ratio=scaled(f["marginRatioInitial"], MARGIN),
        maintenance_margin_ratio=scaled(f["marginRatioMaintenance"], MARGIN),
        # By the tier of each user.
        taker_fee_rate=None,
        maker_fee_rate=None,
        funding_interval_seconds=period,
        created_slot=None,
        created_at=None,
    )
    yield MarketState(
        stream=stream,
        market=state.address,
        account_slot=state.slot,
        # The AMM's own price, between its bid and its ask.
        mark_price=quotient(
            EXACT.multiply(amm["quoteAssetReserve"], scaled(amm["pegMultiplier"], PRICE)), reserve
        )
        if reserve
        else None,
        index_price=or_none(amm["historicalOracleData"]["lastOraclePrice"] or None, PRICE),
        funding_rate=rate,
        open_interest_long=abs(scaled(amm["baseAssetAmountLong"], BASE)),
        open_interest_short=abs(scaled(amm["baseAssetAmountShort"], BASE)),
    )


def user_account(stream: str, state: AccountState, f: Fields) -> Iterable[State | Holding]:
    """All eight slots: one without base has orders at most, and holds nothing."""
    yield Owner(stream=stream, account=state.address, wallet=f["authority"])
    for slot in f["perpPositions"]:
        base = scaled(slot["baseAssetAmount"], BASE)
        if not base:
            continue
        entry = abs(scaled(slot["quoteEntryAmount"], QUOTE))
        yield Holding(
            stream=stream,
            position_key=position_key(state.address, slot["marketIndex"]),
            account=state.address,
            account_slot=state.slot,
            program=state.program,
            market=perp_market(slot["marketIndex"]),
            wallet=f["authority"],
            side="long" if base > 0 else "short",
            size=abs(base),
            entry_price=quotient(entry, abs(base)),
            entry_quote=entry,
        )


def _name(raw: Any) -> str:
    """32 bytes, padded with blanks or zeros."""
    return bytes(raw).rstrip(b" \0").decode()
