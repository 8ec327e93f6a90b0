"""Jupiter Perps: this event of the pool means that record.

Units on chain: USD amounts and prices carry 6 decimals, rates 9 (fraction per hour), fees in basis points. Positions are
counted in USD at their entry price; base is what that bought: size / price, rounded by the one function for quotients. So
a close takes sizeUsdDelta / positionPrice of base away, at the price of the event, and its quote is the value of that base
at that price, as its profit is counted by the program too.

A position's account holds what the events came to, and is asked what they did not tell: positions that were opened before
the stream's first slot, and events that no IDL reads. It stays when the position closes, with a size of 0.

Channel: self-invocations alone. Names: legacy IDLs say IncreasePositionEvent, Codama's increasePositionEvent.
Sources: the program's IDLs, ../shared/FACTS.md section 6; what fees are taken from, and how the borrow rate follows from a
custody: docs/decisions/0037.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from heliograph_core.account import AccountState
from heliograph_core.amounts import EXACT, quotient, scaled
from heliograph_core.event import Channel, Event
from heliograph_core.records import (
    Holding,
    Liquidation,
    Market,
    MarketState,
    PositionChange,
    Record,
    Side,
    State,
    Trade,
)
from heliograph_indexer.protocols.jupiter_custody import borrow_rate

PROGRAM = "PERPHjGBqRHArX4DySjwM6UJHiR3sWAatqfdBS2qQJu"
USD = 6
BPS = 10_000
RATE = 9
ZERO = Decimal(0)
NOBODY = "11111111111111111111111111111111"
"""The address of 32 zero bytes, which stands for none."""
ASSETS = {
    "So11111111111111111111111111111111111111112": "SOL",
    "7vfCXTUXx5WJV5JADk17DUJ4ksgau7utNKj4b963voxs": "ETH",
    "3NZ9JMVBmGAqocybic2c7LQCJScmgsAZ6vQqTDzcqmJh": "BTC",
}
"""Mints of what the pool has markets in; the program itself has no names."""

INCREASES_ROUNDED = 100
"""Increases since the last decrease, each of which may move the account's price by one unit off the average of its events."""

_SIDES: Mapping[int, Side] = {1: "long", 2: "short"}
_ACCOUNT_SIDES: Mapping[str, Side] = {"long": "long", "short": "short"}
_OTHER: Mapping[Side, Side] = {"long": "short", "short": "long"}

Fields = Mapping[str, Any]
Row = dict[str, Any]
Projection = Callable[[Row, Fields], Iterable[Record]]


class Jupiter:
    """One program. Its IDL is added with the stream, or read from the chain."""

    name = "jupiter"
    programs: Mapping[str, str] = {"perpetuals": PROGRAM}

    def channels(self) -> Mapping[str, frozenset[Channel]]:
        return {PROGRAM: frozenset({Channel.CPI})}

    def idls(self) -> Mapping[str, bytes]:
        return {}

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        projection = _PROJECTIONS.get(_lower(event.name))
        if projection is None:
            return ()
        return projection(event.key.columns(stream, event.program), event.fields)

    def project_account(self, stream: str, state: AccountState) -> Iterable[State | Holding]:
        projection = _ACCOUNTS.get(_lower(state.name or ""))
        if projection is None or state.fields is None:
            return ()
        return projection(stream, state, state.fields)


def _position(stream: str, state: AccountState, f: Fields) -> Iterable[Holding]:
    if not f["sizeUsd"]:
        return
    size, price = quotient(_usd(f["sizeUsd"]), _usd(f["price"])), _usd(f["price"])
    yield Holding(
        stream=stream,
        position_key=state.address,
        account=state.address,
        account_slot=state.slot,
        program=state.program,
        market=f["custody"],
        wallet=f["owner"],
        side=_ACCOUNT_SIDES[_lower(f["side"])],
        size=size,
        entry_price=price,
        collateral=_usd(f["collateralUsd"]),
        opened_at=f["openTime"],
        # The program rounds its average price with each increase.
        rounding=quotient(EXACT.multiply(size, INCREASES_ROUNDED), f["price"]),
    )


def _market(stream: str, state: AccountState, f: Fields) -> Iterable[State]:
    if f["isStable"]:
        # It is collateral: nobody trades in it.
        return
    mint: str = f["mint"]
    asset = ASSETS.get(mint, mint)
    oracles = (f["dovesAgOracle"], f["dovesOracle"], f["oracle"]["oracleAccount"])
    assets = f["assets"]
    shorts, at = assets["globalShortSizes"], assets["globalShortAveragePrices"]
    yield Market(
        stream=stream,
        market=state.address,
        program=state.program,
        symbol=f"{asset}-PERP",
        base_asset=asset,
        quote_asset="USD",
        oracle=next((each for each in oracles if each != NOBODY), None),
        tick_size=None,
        lot_size=None,
        initial_margin_ratio=None,
        maintenance_margin_ratio=quotient(BPS, f["pricing"]["maxLeverage"]),
        taker_fee_rate=scaled(f["increasePositionBps"], 4),
        maker_fee_rate=None,
        funding_interval_seconds=None,
        created_slot=None,
        created_at=None,
    )
    yield MarketState(
        stream=stream,
        market=state.address,
        account_slot=state.slot,
        mark_price=None,
        index_price=None,
        funding_rate=None,
        open_interest_long=None,
        open_interest_short=quotient(shorts, at) if shorts else ZERO,
        borrow_rate=scaled(borrow_rate(f), RATE),
    )


def _increase(row: Row, f: Fields) -> Iterable[Record]:
    size_usd, price = _usd(f["sizeUsdDelta"]), _usd(f["price"])
    size, fee = quotient(size_usd, price), _usd(f["feeUsd"])
    opening = f["positionSizeUsd"] == f["sizeUsdDelta"]
    if size:
        yield _trade(row, f, _SIDES[f["positionSide"]], size, size_usd, fee)
    yield PositionChange(
        **row,
        **_of_position(f),
        kind="open" if opening else "increase",
        size_delta=size,
        # In base it is the sum of what was bought at each price, which the event does not tell.
        size_after=size if opening else None,
        price=price if size else None,
        entry_price_after=price if opening else None,
        # What was put in, less the fee that the program took from it.
        collateral_delta=EXACT.subtract(_usd(f["collateralUsdDelta"]), fee),
        collateral_after=None,
        realized_pnl=ZERO,
        fee=fee,
        funding=ZERO,
        liquidation_price_after=None,
        trade_id=_trade_id(row) if size else None,
        borrow_fee=_usd(f["fundingFeeUsd"]),
        price_impact_fee=_usd(f["priceImpactFeeUsd"]),
    )


def _decrease(row: Row, f: Fields) -> Iterable[Record]:
    entry, after_usd = _usd(f["positionPrice"]), _usd(f["positionSizeUsd"])
    after = quotient(after_usd, entry)
    before = quotient(EXACT.add(after_usd, _usd(f["sizeUsdDelta"])), entry)
    size, fee = EXACT.subtract(before, after), _usd(f["feeUsd"])
    if size:
        yield _trade(row, f, _closing_side(f), size, _value(f, f["sizeUsdDelta"]), fee)
    yield PositionChange(
        **row,
        **_of_position(f),
        kind="decrease" if after else "close",
        size_delta=EXACT.minus(size),
        size_after=after,
        price=_usd(f["price"]) if size else None,
        entry_price_after=entry,
        collateral_delta=_usd(f["positionCollateralUsd"] - f["originalPositionCollateralUsd"]),
        collateral_after=_usd(f["positionCollateralUsd"]),
        realized_pnl=_pnl(f),
        fee=fee,
        funding=ZERO,
        liquidation_price_after=None,
        trade_id=_trade_id(row) if size else None,
        borrow_fee=_usd(f["fundingFeeUsd"]),
        price_impact_fee=_usd(f["priceImpactFeeUsd"]),
    )


def _liquidate(row: Row, f: Fields) -> Iterable[Record]:
    # positionSizeUsd is the size before: nothing is left.
    size = quotient(_usd(f["positionSizeUsd"]), _usd(f["positionPrice"]))
    quote, price, pnl = _value(f, f["positionSizeUsd"]), _usd(f["price"]), _pnl(f)
    fee = _usd(f["feeUsd"] + f["liquidationFeeUsd"])
    taken = EXACT.add(EXACT.subtract(fee, pnl), _usd(f["transferAmountUsd"]))
    lacking = EXACT.subtract(taken, _usd(f["originalPositionCollateralUsd"]))
    yield Liquidation(
        **row,
        **_of_position(f),
        liquidation_id=_trade_id(row),
        liquidator=None,
        size=size,
        price=price,
        mark_price=None,
        quote=quote,
        fee=fee,
        realized_pnl=pnl,
        bad_debt=max(ZERO, lacking),
    )
    yield _trade(row, f, _closing_side(f), size, quote, fee, liquidation=True)
    yield PositionChange(
        **row,
        **_of_position(f),
        kind="liquidation",
        size_delta=EXACT.minus(size),
        size_after=ZERO,
        price=price,
        entry_price_after=_usd(f["positionPrice"]),
        collateral_delta=_usd(-f["originalPositionCollateralUsd"]),
        collateral_after=ZERO,
        realized_pnl=pnl,
        fee=fee,
        funding=ZERO,
        liquidation_price_after=None,
        trade_id=_trade_id(row),
        borrow_fee=_usd(f["fundingFeeUsd"]),
        price_impact_fee=_usd(f["priceImpactFeeUsd"]),
    )


def _trade(
    row: Row, f: Fields, side: Side, size: Decimal, quote: Decimal, fee: Decimal, *, liquidation: bool = False
) -> Trade:
    """fee: all of the event; what was paid for borrowing is none of the trade."""
    return Trade(
        **row,
        market=f["positionCustody"],
        trade_id=_trade_id(row),
        taker=f["owner"],
        taker_side=side,
        maker=None,
        price=_usd(f["price"]),
        size=size,
        quote=quote,
        taker_fee=EXACT.subtract(fee, _usd(f["fundingFeeUsd"])),
        maker_fee=ZERO,
        taker_position_key=f["positionKey"],
        maker_position_key=None,
        taker_order_id=f.get("positionRequestKey") or f.get("positionRequest"),
        maker_order_id=None,
        liquidation=liquidation,
    )


def _of_position(f: Fields) -> Row:
    return {
        "market": f["positionCustody"],
        "wallet": f["owner"],
        "position_key": f["positionKey"],
        "side": _SIDES[f["positionSide"]],
    }


def _closing_side(f: Fields) -> Side:
    return _OTHER[_SIDES[f["positionSide"]]]


def _value(f: Fields, size_usd: int) -> Decimal:
    """Of base that was entered for size_usd, at the price of the event."""
    return quotient(EXACT.multiply(_usd(size_usd), _usd(f["price"])), _usd(f["positionPrice"]))


def _pnl(f: Fields) -> Decimal:
    """Before fees, as the program counts it."""
    return _usd(f["pnlDelta"] if f["hasProfit"] else -f["pnlDelta"])


def _trade_id(row: Row) -> str:
    """The program numbers no fills: the place of the event names it."""
    return f"{row['signature']}:{row['ordinal']}"


def _usd(amount: int) -> Decimal:
    return scaled(amount, USD)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


_ACCOUNTS: Mapping[str, Callable[[str, AccountState, Fields], Iterable[State | Holding]]] = {
    "custody": _market,
    "position": _position,
}
_PROJECTIONS: Mapping[str, Projection] = {
    "increasePositionEvent": _increase,
    "instantIncreasePositionEvent": _increase,
    "decreasePositionEvent": _decrease,
    "instantDecreasePositionEvent": _decrease,
    "liquidateFullPositionEvent": _liquidate,
}
"""Requests (triggers, limits) that wait, swaps, liquidity and loans change no position: they have their typed tables."""
