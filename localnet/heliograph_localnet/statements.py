"""One fact as the rows it stands for. Facts in, rows (dicts of columns) out; the scales are GODARK's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from heliograph_core.amounts import quotient, scaled
from heliograph_localnet.exchange.facts import (
    CollateralDeposited,
    CollateralLocked,
    CollateralReleased,
    CollateralWithdrawn,
    Fact,
    FundingRatePaid,
    FundingRateUpdated,
    LiquidationExecuted,
    MarketCreated,
    OraclePriceUpdated,
    OrderFilled,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
)

Row = dict[str, Any]
PRICE = QUOTE = RATIO = 6
BASE = RATE = 9
"""Decimals of the programs' integers."""
_NO_BORROWING: Row = {"borrow_fee": None, "price_impact_fee": None}
"""GoDark's positions borrow of no pool, and its orders meet a book."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a fact was said. block_time: unix seconds; program: address of who said it."""

    stream: str
    block_time: int
    slot: int
    tx_index: int
    ordinal: int
    signature: str
    program: str


def statements(fact: Fact, place: Place) -> list[tuple[str, Row]]:
    """(table, row) of each event-like row that the fact stands for; none for facts that only change state."""
    makers = _ROWS.get(type(fact))
    if makers is None:
        return []
    return [(table, {**_key(place), **make(fact)}) for table, make in makers]


def market_row(fact: MarketCreated, place: Place) -> Row:
    """The columns of perps.markets that never change."""
    terms = fact.terms
    return {
        "stream": place.stream,
        "market": fact.market,
        "program": place.program,
        "symbol": terms.symbol,
        "base_asset": terms.base_asset,
        "quote_asset": terms.quote_asset,
        "oracle": terms.oracle,
        "tick_size": scaled(terms.tick_size, PRICE),
        "lot_size": scaled(terms.lot_size, BASE),
        "initial_margin_ratio": scaled(terms.initial_margin_ratio, RATIO),
        "maintenance_margin_ratio": scaled(terms.maintenance_margin_ratio, RATIO),
        "taker_fee_rate": scaled(terms.taker_fee_rate, RATIO),
        "maker_fee_rate": scaled(terms.maker_fee_rate, RATIO),
        "funding_interval_seconds": terms.funding_interval_seconds,
        "created_slot": place.slot,
        "created_at": place.block_time,
    }


def price_or_none(value: int) -> Decimal | None:
    """A price of which the program says 0 where there is none."""
    return scaled(value, PRICE) if value else None


def _key(place: Place) -> Row:
    return {
        "stream": place.stream,
        "block_time": place.block_time,
        "slot": place.slot,
        "tx_index": place.tx_index,
        "ordinal": place.ordinal,
        "part": 0,
        "signature": place.signature,
        "program": place.program,
    }


def _trade(fact: OrderFilled) -> Row:
    return {
        "market": fact.market,
        "trade_id": str(fact.fill_id),
        "taker": fact.taker,
        "taker_side": fact.taker_side,
        "maker": fact.maker,
        "price": scaled(fact.price, PRICE),
        "size": scaled(fact.size, BASE),
        "quote": scaled(fact.quote, QUOTE),
        "taker_fee": scaled(fact.taker_fee, QUOTE),
        "maker_fee": scaled(fact.maker_fee, QUOTE),
        "taker_position_key": fact.taker_position,
        "maker_position_key": fact.maker_position,
        "taker_order_id": str(fact.taker_order_id),
        "maker_order_id": str(fact.maker_order_id),
        "liquidation": fact.liquidation,
    }


def _opened(fact: PositionOpened) -> Row:
    return {
        "market": fact.market,
        "wallet": fact.wallet,
        "position_key": fact.position,
        "kind": "open",
        "side": fact.side,
        "size_delta": scaled(fact.size, BASE),
        "size_after": scaled(fact.size, BASE),
        "price": scaled(fact.price, PRICE),
        "entry_price_after": scaled(fact.price, PRICE),
        "collateral_delta": scaled(fact.collateral_after, QUOTE),
        "collateral_after": scaled(fact.collateral_after, QUOTE),
        "realized_pnl": Decimal(0),
        "fee": scaled(fact.fee, QUOTE),
        "funding": Decimal(0),
        "liquidation_price_after": price_or_none(fact.liquidation_price),
        "trade_id": str(fact.fill_id),
        "settled_pnl": Decimal(0),
        **_NO_BORROWING,
    }


def _updated(fact: PositionUpdated) -> Row:
    return {
        "market": fact.market,
        "wallet": fact.wallet,
        "position_key": fact.position,
        "kind": fact.reason,
        "side": fact.side,
        "size_delta": scaled(fact.size_delta, BASE),
        "size_after": scaled(fact.size_after, BASE),
        "price": scaled(fact.price, PRICE),
        "entry_price_after": scaled(fact.entry_price_after, PRICE),
        "collateral_delta": scaled(fact.collateral_delta, QUOTE),
        "collateral_after": scaled(fact.collateral_after, QUOTE),
        "realized_pnl": scaled(fact.realized_pnl, QUOTE),
        "fee": scaled(fact.fee, QUOTE),
        "funding": Decimal(0),
        "liquidation_price_after": price_or_none(fact.liquidation_price_after),
        "trade_id": str(fact.fill_id),
        "settled_pnl": Decimal(0),
        **_NO_BORROWING,
    }


def _closed(fact: PositionClosed) -> Row:
    return {
        "market": fact.market,
        "wallet": fact.wallet,
        "position_key": fact.position,
        "kind": fact.reason,
        "side": fact.side,
        "size_delta": scaled(-fact.size, BASE),
        "size_after": Decimal(0),
        "price": scaled(fact.price, PRICE),
        "entry_price_after": None,
        "collateral_delta": scaled(fact.collateral_delta, QUOTE),
        "collateral_after": Decimal(0),
        "realized_pnl": scaled(fact.realized_pnl, QUOTE),
        "fee": scaled(fact.fee, QUOTE),
        "funding": Decimal(0),
        "liquidation_price_after": None,
        "trade_id": str(fact.fill_id),
        "settled_pnl": Decimal(0),
        **_NO_BORROWING,
    }


def _funded(fact: FundingRatePaid) -> Row:
    return {
        "market": fact.market,
        "wallet": fact.wallet,
        "position_key": fact.position,
        "kind": "funding",
        "side": fact.side,
        "size_delta": Decimal(0),
        "size_after": scaled(fact.size, BASE),
        "price": None,
        "entry_price_after": None,
        "collateral_delta": scaled(fact.payment, QUOTE),
        "collateral_after": scaled(fact.collateral_after, QUOTE),
        "realized_pnl": Decimal(0),
        "fee": Decimal(0),
        "funding": scaled(fact.payment, QUOTE),
        "liquidation_price_after": price_or_none(fact.liquidation_price_after),
        "trade_id": None,
        "settled_pnl": Decimal(0),
        **_NO_BORROWING,
    }


def _payment(fact: FundingRatePaid) -> Row:
    return {
        "market": fact.market,
        "wallet": fact.wallet,
        "position_key": fact.position,
        "side": fact.side,
        "size": scaled(fact.size, BASE),
        "rate": scaled(fact.rate, RATE),
        "interval_seconds": fact.interval_seconds,
        "amount": scaled(fact.payment, QUOTE),
    }


def _rate(fact: FundingRateUpdated) -> Row:
    rate = scaled(fact.rate, RATE)
    return {
        "market": fact.market,
        "mark_price": price_or_none(fact.mark_price),
        "index_price": price_or_none(fact.index_price),
        "premium": scaled(fact.premium, RATE),
        "interest": scaled(fact.interest, RATE),
        "rate": rate,
        "interval_seconds": fact.interval_seconds,
        "interval_rate": quotient(rate * fact.interval_seconds, 3600),
    }


def _liquidation(fact: LiquidationExecuted) -> Row:
    return {
        "market": fact.market,
        "liquidation_id": str(fact.fill_id),
        "wallet": fact.wallet,
        "liquidator": fact.liquidator,
        "position_key": fact.position,
        "side": fact.side,
        "size": scaled(fact.size, BASE),
        "price": scaled(fact.price, PRICE),
        "mark_price": scaled(fact.mark_price, PRICE),
        "quote": scaled(fact.quote, QUOTE),
        "fee": scaled(fact.fee, QUOTE),
        "realized_pnl": scaled(fact.realized_pnl, QUOTE),
        "bad_debt": scaled(fact.bad_debt, QUOTE),
        "kind": "perp",
    }


def _oracle(fact: OraclePriceUpdated) -> Row:
    return {
        "market": fact.market,
        "source": "godark",
        "oracle": fact.oracle,
        "price": scaled(fact.price, PRICE),
        "confidence": scaled(fact.confidence, PRICE),
        "publish_time": fact.publish_time,
    }


def _transfer(
    fact: CollateralDeposited | CollateralWithdrawn | CollateralLocked | CollateralReleased,
    kind: str,
    free_delta: int,
    locked_delta: int,
    position: str | None,
) -> Row:
    return {
        "wallet": fact.wallet,
        "asset": fact.mint,
        "kind": kind,
        "amount": scaled(fact.amount, QUOTE),
        "free_delta": scaled(free_delta, QUOTE),
        "locked_delta": scaled(locked_delta, QUOTE),
        "free_after": scaled(fact.free_after, QUOTE),
        "locked_after": scaled(fact.locked_after, QUOTE),
        "position_key": position,
        "sub_account": None,
    }


_ROWS: dict[type, tuple[tuple[str, Callable[[Any], Row]], ...]] = {
    OrderFilled: (("perps.trades", _trade),),
    PositionOpened: (("perps.position_changes", _opened),),
    PositionUpdated: (("perps.position_changes", _updated),),
    PositionClosed: (("perps.position_changes", _closed),),
    FundingRatePaid: (("perps.position_changes", _funded), ("perps.funding_payments", _payment)),
    FundingRateUpdated: (("perps.funding_rates", _rate),),
    LiquidationExecuted: (("perps.liquidations", _liquidation),),
    OraclePriceUpdated: (("perps.oracle_prices", _oracle),),
    CollateralDeposited: (("perps.transfers", lambda f: _transfer(f, "deposit", f.amount, 0, None)),),
    CollateralWithdrawn: (("perps.transfers", lambda f: _transfer(f, "withdraw", -f.amount, 0, None)),),
    CollateralLocked: (("perps.transfers", lambda f: _transfer(f, "lock", -f.amount, f.amount, f.position)),),
    CollateralReleased: (
        ("perps.transfers", lambda f: _transfer(f, "release", f.returned, -f.amount, f.position)),
    ),
}
"""Tables a kind of fact has rows in, and how each row is said."""
