"""What a change of the pool's books must look like in the tables. Books in, columns out; nothing of the indexer's."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from heliograph_localnet.scenarios.jupiter_pool import (
    FEE_BPS,
    LEVERAGE_BPS,
    Change,
    Custody,
    Position,
    rounded,
    units,
)

Row = dict[str, Any]
_NONE = Decimal(0)


def market(custody: Custody) -> Row:
    """perps.markets, of a custody that is no stable coin."""
    shorts, price = custody.shorts, custody.short_price
    return {
        "market": custody.address,
        "symbol": f"{custody.symbol}-PERP",
        "base_asset": custody.symbol,
        "quote_asset": "USD",
        "oracle": custody.oracle,
        "tick_size": None,
        "lot_size": None,
        "initial_margin_ratio": None,
        "maintenance_margin_ratio": rounded(Fraction(10_000, LEVERAGE_BPS)),
        "taker_fee_rate": units(FEE_BPS, 4),
        "maker_fee_rate": None,
        "funding_interval_seconds": None,
        "created_slot": None,
        "created_at": None,
        "mark_price": None,
        "index_price": None,
        "funding_rate": None,
        "open_interest_long": None,
        "open_interest_short": rounded(Fraction(shorts, price)) if shorts else _NONE,
        "borrow_rate": units(custody.rate(), 9),
    }


def traded(
    held: Position, change: Change, request: str | None, *, kind: str = "", liquidation: bool = False
) -> Row:
    """perps.trades."""
    buys = (held.side == "long") == (kind in ("open", "increase"))
    return {
        "market": held.custody.address,
        "trade_id": _place,
        "taker": held.owner,
        "taker_side": "long" if buys else "short",
        "maker": None,
        "price": units(change.price, 6),
        "size": abs(change.base),
        "quote": change.value,
        "taker_fee": units(change.fee + change.left - change.borrow, 6),
        "maker_fee": _NONE,
        "taker_position_key": held.key,
        "maker_position_key": None,
        "taker_order_id": request,
        "maker_order_id": None,
        "liquidation": liquidation,
    }


def liquidated(held: Position, change: Change) -> Row:
    """perps.liquidations."""
    return {
        **_position(held),
        "liquidation_id": _place,
        "liquidator": None,
        "size": -change.base,
        "price": units(change.price, 6),
        "mark_price": None,
        "quote": change.value,
        "fee": units(change.fee + change.left, 6),
        "realized_pnl": units(change.pnl, 6),
        "bad_debt": units(change.lacking, 6),
    }


def changed(held: Position, change: Change, kind: str) -> tuple[tuple[str, Row], ...]:
    """perps.position_changes, and perps.positions as the change leaves it."""
    grows, opens = kind in ("open", "increase"), kind == "open"
    collateral = units(change.collateral_after - change.collateral_before, 6)
    row = {
        **_position(held),
        "kind": kind,
        "size_delta": change.base,
        "size_after": held.life.base if opens or not grows else None,
        "price": units(change.price, 6) if change.delta else None,
        "entry_price_after": units(change.entry, 6) if opens or not grows else None,
        "collateral_delta": collateral,
        "collateral_after": None if grows else units(change.collateral_after, 6),
        "realized_pnl": units(change.pnl, 6),
        "fee": units(change.fee + change.left, 6),
        "funding": _NONE,
        "liquidation_price_after": None,
        "trade_id": _place if change.delta else None,
        "settled_pnl": _NONE,
        "borrow_fee": units(change.borrow, 6),
        "price_impact_fee": units(change.impact, 6),
    }
    life = held.life
    state = {
        **_position(held),
        "lifecycle": life.number,
        "status": life.status,
        "size": life.base,
        "max_size": life.most,
        "entry_price": life.entry,
        "exit_price": life.exit,
        "collateral": units(held.collateral, 6),
        "liquidation_price": None,
        "realized_pnl": units(life.realized, 6),
        "fees": units(life.fees, 6),
        "funding": _NONE,
        "entry_quote": None,
        "settled_pnl": _NONE,
        "borrow_fees": units(life.borrow, 6),
        "price_impact_fees": units(life.impact, 6),
    }
    return (("perps.position_changes", row), ("perps.positions", state))


def _place(place: Row) -> str:
    """The program numbers no fills."""
    return f"{place['signature']}:{place['ordinal']}"


def _position(held: Position) -> Row:
    return {
        "market": held.custody.address,
        "wallet": held.owner,
        "position_key": held.key,
        "side": held.side,
    }
