"""What happened on the exchange, said in the order in which it happened. Values only, all amounts integers.

Each operation of `Exchange` returns the facts that it brought about. Two readers live off them and must not meet:
`godark.py` encodes them as program events, `truth.py` states the expected rows. Fields have the names and scales
of the program's events (prices and quote 6 decimals, base 9, rates 9 per hour, ratios 6); what only the books know
and no event says (entry price at an opening, for instance) is derived from them in truth.py.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from heliograph_localnet.exchange.arithmetic import Side

OrderKind = Literal["market", "limit"]
UpdateReason = Literal["increase", "decrease", "liquidation"]
CloseReason = Literal["close", "liquidation"]


class Terms(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a market trades and at which conditions; fixed at its creation.

    tick_size: quote per base, 6 decimals; lot_size: base, 9 decimals; ratios and fee rates: 6 decimals, a
    negative maker_fee_rate is a rebate.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    oracle: str
    tick_size: int
    lot_size: int
    initial_margin_ratio: int
    maintenance_margin_ratio: int
    taker_fee_rate: int
    maker_fee_rate: int
    funding_interval_seconds: int


class MarketCreated(msgspec.Struct, frozen=True, gc=False):
    market: str
    terms: Terms
    timestamp: int


class OrderPlaced(msgspec.Struct, frozen=True, gc=False):
    """price is None for market orders."""

    market: str
    wallet: str
    order_id: int
    side: Side
    kind: OrderKind
    price: int | None
    size: int
    reduce_only: bool
    timestamp: int


class OrderFilled(msgspec.Struct, frozen=True, gc=False):
    market: str
    fill_id: int
    taker: str
    maker: str
    taker_side: Side
    price: int
    size: int
    quote: int
    taker_fee: int
    maker_fee: int
    taker_order_id: int
    maker_order_id: int
    taker_position: str
    maker_position: str
    liquidation: bool
    timestamp: int


class PositionOpened(msgspec.Struct, frozen=True, gc=False):
    market: str
    wallet: str
    position: str
    side: Side
    size: int
    price: int
    collateral: int
    fee: int
    collateral_after: int
    liquidation_price: int
    fill_id: int
    timestamp: int


class PositionUpdated(msgspec.Struct, frozen=True, gc=False):
    market: str
    wallet: str
    position: str
    side: Side
    reason: UpdateReason
    size_delta: int
    size_after: int
    price: int
    entry_price_after: int
    collateral_delta: int
    collateral_after: int
    realized_pnl: int
    fee: int
    liquidation_price_after: int
    fill_id: int
    timestamp: int


class PositionClosed(msgspec.Struct, frozen=True, gc=False):
    market: str
    wallet: str
    position: str
    side: Side
    reason: CloseReason
    size: int
    price: int
    collateral_delta: int
    realized_pnl: int
    fee: int
    fill_id: int
    timestamp: int


class LiquidationExecuted(msgspec.Struct, frozen=True, gc=False):
    market: str
    wallet: str
    liquidator: str
    position: str
    side: Side
    fill_id: int
    size: int
    price: int
    mark_price: int
    quote: int
    fee: int
    realized_pnl: int
    bad_debt: int
    size_after: int
    timestamp: int


class FundingRateUpdated(msgspec.Struct, frozen=True, gc=False):
    market: str
    mark_price: int
    index_price: int
    premium: int
    interest: int
    rate: int
    interval_seconds: int
    timestamp: int


class FundingRatePaid(msgspec.Struct, frozen=True, gc=False):
    market: str
    wallet: str
    position: str
    side: Side
    size: int
    rate: int
    interval_seconds: int
    payment: int
    collateral_after: int
    liquidation_price_after: int
    timestamp: int


class OraclePriceUpdated(msgspec.Struct, frozen=True, gc=False):
    market: str
    oracle: str
    price: int
    confidence: int
    publish_time: int


class CollateralDeposited(msgspec.Struct, frozen=True, gc=False):
    wallet: str
    mint: str
    amount: int
    free_after: int
    locked_after: int
    timestamp: int


class CollateralWithdrawn(msgspec.Struct, frozen=True, gc=False):
    wallet: str
    mint: str
    amount: int
    free_after: int
    locked_after: int
    timestamp: int


class CollateralLocked(msgspec.Struct, frozen=True, gc=False):
    wallet: str
    mint: str
    position: str
    amount: int
    free_after: int
    locked_after: int
    timestamp: int


class CollateralReleased(msgspec.Struct, frozen=True, gc=False):
    """amount left the lock, returned reached the free side; the difference is the settled result."""

    wallet: str
    mint: str
    position: str
    amount: int
    returned: int
    free_after: int
    locked_after: int
    timestamp: int


Fact = (
    MarketCreated
    | OrderPlaced
    | OrderFilled
    | PositionOpened
    | PositionUpdated
    | PositionClosed
    | LiquidationExecuted
    | FundingRateUpdated
    | FundingRatePaid
    | OraclePriceUpdated
    | CollateralDeposited
    | CollateralWithdrawn
    | CollateralLocked
    | CollateralReleased
)
