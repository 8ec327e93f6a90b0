"""QuantDesk: this account, instruction or event means that record.

As deployed the program emits nothing: accounts say what is held, instructions when it was opened and closed. A fuller IDL
of the same program (its archive) declares seven events, which take over where they are said. Units: price, quote and base
carry 6 decimals, lamports 9, ratios and funding are basis points, funding of an hour. Sources: both IDLs for fields and
accounts; the program's published source for units and for what a close leaves behind (the size is 0, the status stays Open,
the profit is in unrealized_pnl); docs/protocols.md says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from heliograph_core.account import AccountState
from heliograph_core.amounts import EXACT, normal, quotient, scaled
from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.instruction import InstructionCall
from heliograph_core.records import (
    END_OF_SLOT,
    Balance,
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
    "quantdesk_perp_dex": "5yQ3PK9ZZpLesh4dyQ5pApdkz2wzv4tkqi4RwYFmaZnB",
    "quantdesk_perp_dex_archive": "C2T3UnvGdHwEkspXJG7JyAhwo6VKQEKjN6eCq69guYSw",
}
"""As deployed now, and where the IDL with events says it was."""
PRICE = QUOTE = BASE = 6
BASIS_POINTS = 4
FUNDING_INTERVAL_S = 3600
"""What every market is made with; an event does not say."""
SECONDS_PER_HOUR = 3600
ZERO = Decimal(0)
COLLATERAL_PLACES: Mapping[str, int] = {"SOL": 9, "USDC": 6, "USDT": 6}
"""Decimals of the assets that the program takes; of others it does not say, and no canonical record is made."""

_SIDES: Mapping[str, Side] = {"Long": "long", "Short": "short"}

Fields = Mapping[str, Any]
EventProjection = Callable[[dict[str, Any], Fields], Iterable[Record | State]]
AccountProjection = Callable[[str, AccountState, Fields], Iterable[State | Holding]]


class QuantDesk:
    """One program, whichever of its addresses; IDLs come from the chain or from a file."""

    name = "quantdesk"
    programs: Mapping[str, str] = {"quantdesk_perp_dex": PROGRAMS["quantdesk_perp_dex"]}

    def channels(self) -> Mapping[str, frozenset[Channel]]:
        return dict.fromkeys(PROGRAMS.values(), frozenset({Channel.DATA, Channel.CPI}))

    def idls(self) -> Mapping[str, bytes]:
        return {}

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        projection = _EVENTS.get(event.name)
        if projection is None:
            return ()
        return projection(event.key.columns(stream, event.program), event.fields)

    def project_instruction(self, stream: str, call: InstructionCall) -> Iterable[Record | State]:
        projection = _INSTRUCTIONS.get(call.name or "")
        if call.failed or projection is None:
            return ()
        if call.reason is not None:
            raise ValueError(call.reason)
        key = EventKey(call.block_time, call.slot, call.tx_index, call.ordinal, call.signature)
        return projection(key.columns(stream, call.program), call.fields)

    def project_account(self, stream: str, state: AccountState) -> Iterable[State | Holding]:
        projection = _ACCOUNTS.get(state.name or "")
        if projection is None or state.fields is None:
            return ()
        return projection(stream, state, state.fields)


# Accounts


def _position(stream: str, state: AccountState, f: Fields) -> Iterable[Holding]:
    if not f["opened_at"]:
        return
    closed = f["size"] == 0 or f["status"] != "Open"
    # The profit of a close is left in unrealized_pnl; that of an open position is none yet.
    pnl = f["realized_pnl"] + (f["unrealized_pnl"] if closed else 0)
    yield Holding(
        stream=stream,
        position_key=state.address,
        account=state.address,
        account_slot=state.slot,
        program=state.program,
        market=f["market"],
        wallet=f["user"],
        side=_SIDES[f["side"]],
        size=ZERO if closed else scaled(f["size"], BASE),
        entry_price=scaled(f["entry_price"], PRICE),
        # `margin` is never written; what was taken at the opening is.
        collateral=scaled(f["initial_margin"], QUOTE),
        liquidation_price=_or_none(f["liquidation_price"], PRICE),
        realized_pnl=scaled(pnl, QUOTE),
        funding=scaled(-f["total_funding_paid"], QUOTE),
        opened_at=f["opened_at"],
        liquidated=f["status"] == "Liquidated",
    )


def _market(stream: str, state: AccountState, f: Fields) -> Iterable[State]:
    rate = scaled(f["funding_rate"], BASIS_POINTS)
    interval = f["funding_interval"]
    yield Market(
        stream=stream,
        market=state.address,
        program=state.program,
        symbol=f"{f['base_asset']}-PERP",
        base_asset=f["base_asset"],
        quote_asset=f["quote_asset"],
        oracle=None,
        tick_size=None,
        lot_size=None,
        initial_margin_ratio=scaled(f["initial_margin_ratio"], BASIS_POINTS),
        maintenance_margin_ratio=scaled(f["maintenance_margin_ratio"], BASIS_POINTS),
        taker_fee_rate=None,
        maker_fee_rate=None,
        funding_interval_seconds=interval or None,
        created_slot=None,
        created_at=None,
    )
    yield MarketState(
        stream=stream,
        market=state.address,
        account_slot=state.slot,
        # The reserves make no price: a close moves them and nothing else does.
        mark_price=None,
        index_price=_or_none(f["last_oracle_price"], PRICE),
        funding_rate=quotient(EXACT.multiply(rate, SECONDS_PER_HOUR), interval) if interval else None,
        open_interest_long=None,
        open_interest_short=None,
    )


def _collateral(stream: str, state: AccountState, f: Fields) -> Iterable[State]:
    places = COLLATERAL_PLACES.get(f["asset_type"])
    if places is None:
        return
    yield Balance(
        stream=stream,
        wallet=f["user"],
        asset=f["asset_type"],
        free=scaled(f["amount"], places),
        # Margin is reckoned in dollars over all assets (UserAccount): no asset's part of it is locked.
        locked=ZERO,
        updated_at=f["last_updated"],
        updated_slot=state.slot,
        updated_tx_index=END_OF_SLOT,
        updated_ordinal=0,
    )


# Instructions


def _open(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield _change(
        row,
        f["account:market"],
        f["account:user"],
        f["account:position"],
        kind="open",
        side=_SIDES[f["side"]],
        size_after=scaled(f["size"], BASE),
        price=scaled(f["entry_price"], PRICE),
        entry_price_after=scaled(f["entry_price"], PRICE),
    )


def _close(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    """Closes the whole position, at a price that only the program knows."""
    yield _change(
        row,
        f["account:market"],
        f["account:user"],
        f["account:position"],
        kind="close",
        side=None,
        size_after=ZERO,
        realized_pnl=None,
    )


def _deposit_sol(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    return _transfer(row, f, "deposit", 1)


def _withdraw_sol(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    return _transfer(row, f, "withdraw", -1)


def _transfer(row: dict[str, Any], f: Fields, kind: TransferKind, sign: int) -> Iterable[Record]:
    amount = scaled(f["amount"], COLLATERAL_PLACES["SOL"])
    yield Transfer(
        **row,
        wallet=f["account:user"],
        asset="SOL",
        kind=kind,
        amount=amount,
        free_delta=normal(EXACT.multiply(amount, sign)),
        locked_delta=ZERO,
        free_after=None,
        locked_after=None,
        position_key=None,
    )


# Events of the archive's IDL


def _position_opened(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield _change(
        row,
        f["market"],
        f["user"],
        f["position"],
        kind="open",
        side=_SIDES[f["side"]],
        size_after=scaled(f["size"], BASE),
        price=scaled(f["entry_price"], PRICE),
        entry_price_after=scaled(f["entry_price"], PRICE),
    )


def _position_closed(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield _change(
        row,
        f["market"],
        f["user"],
        f["position"],
        kind="close",
        side=_SIDES[f["side"]],
        size_after=ZERO,
        price=scaled(f["exit_price"], PRICE),
        realized_pnl=scaled(f["pnl"], QUOTE),
    )


def _liquidation(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    """Of the whole position; what it came to for the wallet only the account says."""
    price, size = scaled(f["liquidation_price"], PRICE), scaled(f["liquidated_size"], BASE)
    yield Liquidation(
        **row,
        market=f["market"],
        liquidation_id=_id(row),
        wallet=f["user"],
        liquidator=None,
        position_key=f["position"],
        side=None,
        size=size,
        price=price,
        mark_price=None,
        quote=normal(EXACT.multiply(price, size)),
        fee=scaled(f["penalty"], QUOTE),
        realized_pnl=None,
        bad_debt=ZERO,
    )
    yield _change(
        row,
        f["market"],
        f["user"],
        f["position"],
        kind="liquidation",
        side=None,
        size_after=ZERO,
        price=price,
        fee=scaled(f["penalty"], QUOTE),
        realized_pnl=None,
    )


def _order_filled(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    price, size = scaled(f["price"], PRICE), scaled(f["size"], BASE)
    yield Trade(
        **row,
        market=f["market"],
        trade_id=_id(row),
        taker=f["user"],
        taker_side=_SIDES[f["side"]],
        maker=None,
        price=price,
        size=size,
        quote=normal(EXACT.multiply(price, size)),
        taker_fee=scaled(f["fee"], QUOTE),
        maker_fee=ZERO,
        taker_position_key=None,
        maker_position_key=None,
        taker_order_id=f["order"],
        maker_order_id=None,
        liquidation=False,
    )


def _funding_rate_updated(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    rate = scaled(f["funding_rate"], BASIS_POINTS)
    yield FundingRate(
        **row,
        market=f["market"],
        mark_price=None,
        index_price=None,
        premium=None,
        interest=None,
        rate=rate,
        interval_seconds=FUNDING_INTERVAL_S,
        interval_rate=rate,
    )


def _oracle_price_updated(row: dict[str, Any], f: Fields) -> Iterable[Record]:
    yield OraclePrice(
        **row,
        market=f["market"],
        source="quantdesk",
        oracle=None,
        price=scaled(f["price"], PRICE),
        confidence=scaled(f["confidence"], PRICE),
        publish_time=f["timestamp"],
    )


def _change(row: dict[str, Any], market: str, wallet: str, key: str, **said: Any) -> PositionChange:
    """size_delta is never given: closes do not say theirs, and a sum of the others would be a wrong open interest."""
    return PositionChange(
        **{
            **row,
            "market": market,
            "wallet": wallet,
            "position_key": key,
            "size_delta": None,
            "price": None,
            "entry_price_after": None,
            "collateral_delta": None,
            "collateral_after": None,
            "realized_pnl": ZERO,
            "fee": ZERO,
            "funding": ZERO,
            "liquidation_price_after": None,
            "trade_id": None,
            **said,
        }
    )


def _id(row: dict[str, Any]) -> str:
    """The program numbers neither fills nor liquidations."""
    return f"{row['signature']}:{row['ordinal']}"


def _or_none(integer: int, places: int) -> Decimal | None:
    return scaled(integer, places) if integer else None


_ACCOUNTS: Mapping[str, AccountProjection] = {
    "Position": _position,
    "Market": _market,
    "CollateralAccount": _collateral,
}
_INSTRUCTIONS: Mapping[str, EventProjection] = {
    "open_position": _open,
    "close_position": _close,
    "deposit_native_sol": _deposit_sol,
    "withdraw_native_sol": _withdraw_sol,
}
_EVENTS: Mapping[str, EventProjection] = {
    "PositionOpened": _position_opened,
    "PositionClosed": _position_closed,
    "LiquidationExecuted": _liquidation,
    "OrderFilled": _order_filled,
    "FundingRateUpdated": _funding_rate_updated,
    "OraclePriceUpdated": _oracle_price_updated,
}
