"""GoDark, the reference protocol: this event means that record.

Units on chain: price and quote carry 6 decimals, base 9, rates 9 (fraction per hour), ratios 6. A payment is
positive when received, a fee when paid, as in the canonical tables. Source: the IDLs beside this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Any

from heliograph_core.account import AccountState
from heliograph_core.amounts import EXACT, quotient, scaled
from heliograph_core.event import Channel, Event
from heliograph_core.records import (
    Balance,
    ChangeKind,
    FundingPayment,
    FundingRate,
    Holding,
    Liquidation,
    Market,
    MarketState,
    OraclePrice,
    PositionChange,
    Record,
    Side,
    State,
    Trade,
    Transfer,
    TransferKind,
)

PROGRAMS = {
    "godark_positions": "BifeNpFVFxQy9RnUkgbi1u2daTDbWJ1ZPUeZVSwtf7Qg",
    "godark_vault": "5ioFK9dP4fJ7RujyHpzo95SRwXMTccm4Ehsya6Ta1zcd",
}
PRICE = QUOTE = RATIO = 6
BASE = RATE = 9
SECONDS_PER_HOUR = 3600
ZERO = Decimal(0)

_SIDES: Mapping[str, Side] = {"Long": "long", "Short": "short"}

Fields = Mapping[str, Any]
Projection = Callable[[dict[str, Any], Fields], Iterable[Record | State]]


class GoDark:
    """Two programs, one stream: godark_positions reaches godark_vault by CPI."""

    name = "godark"
    programs: Mapping[str, str] = PROGRAMS

    def channels(self) -> Mapping[str, frozenset[Channel]]:
        return dict.fromkeys(PROGRAMS.values(), frozenset({Channel.DATA, Channel.CPI}))

    def idls(self) -> Mapping[str, bytes]:
        folder = files("heliograph_indexer") / "idls"
        return {address: (folder / f"{name}.json").read_bytes() for name, address in PROGRAMS.items()}

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        projection = _PROJECTIONS.get(event.name)
        if projection is None:
            return ()
        return projection(event.key.columns(stream, event.program), event.fields)

    def project_account(self, stream: str, state: AccountState) -> Iterable[State | Holding]:
        if state.name != "Market" or state.fields is None:
            return ()
        fields = state.fields
        return (
            _market(
                stream, state.program, state.address, fields, fields["created_slot"], fields["created_at"]
            ),
            MarketState(
                stream=stream,
                market=state.address,
                account_slot=state.slot,
                mark_price=_or_none(fields["mark_price"], PRICE),
                index_price=_or_none(fields["index_price"], PRICE),
                funding_rate=scaled(fields["funding_rate"], RATE),
                open_interest_long=scaled(fields["open_interest_long"], BASE),
                open_interest_short=scaled(fields["open_interest_short"], BASE),
            ),
        )


def _market(stream: str, program: str, address: str, f: Fields, slot: int, time: int) -> Market:
    return Market(
        stream=stream,
        market=address,
        program=program,
        symbol=f["symbol"],
        base_asset=f["base_asset"],
        quote_asset=f["quote_asset"],
        oracle=f["oracle"],
        tick_size=scaled(f["tick_size"], PRICE),
        lot_size=scaled(f["lot_size"], BASE),
        initial_margin_ratio=scaled(f["initial_margin_ratio"], RATIO),
        maintenance_margin_ratio=scaled(f["maintenance_margin_ratio"], RATIO),
        taker_fee_rate=scaled(f["taker_fee_rate"], RATIO),
        maker_fee_rate=scaled(f["maker_fee_rate"], RATIO),
        funding_interval_seconds=f["funding_interval_seconds"],
        created_slot=slot,
        created_at=time,
    )


def _market_created(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    yield _market(row["stream"], row["program"], f["market"], f, row["slot"], row["block_time"])


def _order_filled(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield Trade(
        **row,
        market=f["market"],
        trade_id=str(f["fill_id"]),
        taker=f["taker"],
        taker_side=_SIDES[f["taker_side"]],
        maker=f["maker"],
        price=scaled(f["price"], PRICE),
        size=scaled(f["size"], BASE),
        quote=scaled(f["quote"], QUOTE),
        taker_fee=scaled(f["taker_fee"], QUOTE),
        maker_fee=scaled(f["maker_fee"], QUOTE),
        taker_position_key=f["taker_position"],
        maker_position_key=f["maker_position"],
        taker_order_id=str(f["taker_order_id"]),
        maker_order_id=str(f["maker_order_id"]),
        liquidation=f["liquidation"],
    )


def _position_opened(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    size = scaled(f["size"], BASE)
    price = scaled(f["price"], PRICE)
    collateral = scaled(f["collateral_after"], QUOTE)
    yield PositionChange(
        **row,
        **_of_position(f),
        kind="open",
        size_delta=size,
        size_after=size,
        price=price,
        entry_price_after=price,
        collateral_delta=collateral,
        collateral_after=collateral,
        realized_pnl=ZERO,
        fee=scaled(f["fee"], QUOTE),
        funding=ZERO,
        liquidation_price_after=_or_none(f["liquidation_price"], PRICE),
        trade_id=str(f["fill_id"]),
    )


def _position_updated(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield PositionChange(
        **row,
        **_of_position(f),
        kind=_UPDATE_KINDS[f["reason"]],
        size_delta=scaled(f["size_delta"], BASE),
        size_after=scaled(f["size_after"], BASE),
        price=scaled(f["price"], PRICE),
        entry_price_after=scaled(f["entry_price_after"], PRICE),
        collateral_delta=scaled(f["collateral_delta"], QUOTE),
        collateral_after=scaled(f["collateral_after"], QUOTE),
        realized_pnl=scaled(f["realized_pnl"], QUOTE),
        fee=scaled(f["fee"], QUOTE),
        funding=ZERO,
        liquidation_price_after=_or_none(f["liquidation_price_after"], PRICE),
        trade_id=str(f["fill_id"]),
    )


def _position_closed(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield PositionChange(
        **row,
        **_of_position(f),
        kind=_CLOSE_KINDS[f["reason"]],
        size_delta=scaled(-f["size"], BASE),
        size_after=ZERO,
        price=scaled(f["price"], PRICE),
        entry_price_after=None,
        collateral_delta=scaled(f["collateral_delta"], QUOTE),
        collateral_after=ZERO,
        realized_pnl=scaled(f["realized_pnl"], QUOTE),
        fee=scaled(f["fee"], QUOTE),
        funding=ZERO,
        liquidation_price_after=None,
        trade_id=str(f["fill_id"]),
    )


def _liquidation_executed(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield Liquidation(
        **row,
        **_of_position(f),
        liquidation_id=str(f["fill_id"]),
        liquidator=f["liquidator"],
        size=scaled(f["size"], BASE),
        price=scaled(f["price"], PRICE),
        mark_price=scaled(f["mark_price"], PRICE),
        quote=scaled(f["quote"], QUOTE),
        fee=scaled(f["fee"], QUOTE),
        realized_pnl=scaled(f["realized_pnl"], QUOTE),
        bad_debt=scaled(f["bad_debt"], QUOTE),
    )


def _funding_rate_updated(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    rate = scaled(f["rate"], RATE)
    interval = f["interval_seconds"]
    yield FundingRate(
        **row,
        market=f["market"],
        mark_price=_or_none(f["mark_price"], PRICE),
        index_price=_or_none(f["index_price"], PRICE),
        premium=scaled(f["premium"], RATE),
        interest=scaled(f["interest"], RATE),
        rate=rate,
        interval_seconds=interval,
        interval_rate=quotient(EXACT.multiply(rate, interval), SECONDS_PER_HOUR),
    )


def _funding_rate_paid(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    size = scaled(f["size"], BASE)
    payment = scaled(f["payment"], QUOTE)
    yield FundingPayment(
        **row,
        **_of_position(f),
        size=size,
        rate=scaled(f["rate"], RATE),
        interval_seconds=f["interval_seconds"],
        amount=payment,
    )
    yield PositionChange(
        **row,
        **_of_position(f),
        kind="funding",
        size_delta=ZERO,
        size_after=size,
        price=None,
        entry_price_after=None,
        collateral_delta=payment,
        collateral_after=scaled(f["collateral_after"], QUOTE),
        realized_pnl=ZERO,
        fee=ZERO,
        funding=payment,
        liquidation_price_after=_or_none(f["liquidation_price_after"], PRICE),
        trade_id=None,
    )


def _oracle_price_updated(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield OraclePrice(
        **row,
        market=f["market"],
        source="godark",
        oracle=f["oracle"],
        price=scaled(f["price"], PRICE),
        confidence=scaled(f["confidence"], PRICE),
        publish_time=f["publish_time"],
    )


def _deposited(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    return _transfer(row, f, "deposit", free=f["amount"], locked=0)


def _withdrawn(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    return _transfer(row, f, "withdraw", free=-f["amount"], locked=0)


def _locked(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    return _transfer(row, f, "lock", free=-f["amount"], locked=f["amount"])


def _released(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    return _transfer(row, f, "release", free=f["returned"], locked=-f["amount"])


def _transfer(
    row: dict[str, Any], f: Fields, kind: TransferKind, *, free: int, locked: int
) -> Iterable[Record | State]:
    free_after = scaled(f["free_after"], QUOTE)
    locked_after = scaled(f["locked_after"], QUOTE)
    yield Transfer(
        **row,
        wallet=f["wallet"],
        asset=f["mint"],
        kind=kind,
        amount=scaled(f["amount"], QUOTE),
        free_delta=scaled(free, QUOTE),
        locked_delta=scaled(locked, QUOTE),
        free_after=free_after,
        locked_after=locked_after,
        position_key=f.get("position"),
    )
    yield Balance(
        stream=row["stream"],
        wallet=f["wallet"],
        asset=f["mint"],
        free=free_after,
        locked=locked_after,
        updated_at=row["block_time"],
        updated_slot=row["slot"],
        updated_tx_index=row["tx_index"],
        updated_ordinal=row["ordinal"],
    )


def _of_position(f: Fields) -> dict[str, Any]:
    return {
        "market": f["market"],
        "wallet": f["wallet"],
        "position_key": f["position"],
        "side": _SIDES[f["side"]],
    }


def _or_none(integer: int, places: int) -> Decimal | None:
    return scaled(integer, places) if integer else None


_UPDATE_KINDS: Mapping[str, ChangeKind] = {
    "Increase": "increase",
    "Decrease": "decrease",
    "Liquidation": "liquidation",
}
_CLOSE_KINDS: Mapping[str, ChangeKind] = {"Close": "close", "Liquidation": "liquidation"}

_PROJECTIONS: Mapping[str, Projection] = {
    "MarketCreated": _market_created,
    "OrderFilled": _order_filled,
    "PositionOpened": _position_opened,
    "PositionUpdated": _position_updated,
    "PositionClosed": _position_closed,
    "LiquidationExecuted": _liquidation_executed,
    "FundingRateUpdated": _funding_rate_updated,
    "FundingRatePaid": _funding_rate_paid,
    "OraclePriceUpdated": _oracle_price_updated,
    "CollateralDeposited": _deposited,
    "CollateralWithdrawn": _withdrawn,
    "CollateralLocked": _locked,
    "CollateralReleased": _released,
}
