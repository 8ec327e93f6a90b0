"""Drift v2: this event means that record.

Channels: `Program data:` lines (emit!) and base64 behind `Program log:` (emit_stack, for most orders). Its IDL comes from the
chain or a path. Keys: a position is that of a sub-account (`user`) in a perp market, `<user>-<market index>`; a market is the
address that the program derives from its index; wallets are authorities, which many events do not name: they name the
sub-account, and `Owner` says whose it is once an event or the account does.

Units on chain: base 9 decimals, quote and price 6, funding 9 (quote per base), margin ratios 4, amounts of a spot
market those of its mint. Signs as ours: a funding payment is negative when the user pays, a maker's fee when it is a
rebate. Fills tell a direction and no side: they are flows (heliograph_core.flow_fold). A fill that reduces says for how
much what it closed was entered; one that flips also how much there was.

Sources: FACTS 5 and 6; the IDLs of 2.30 to 2.150; controller/{funding,liquidation,pnl,position}.rs of drift-labs/protocol-v2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from solders.pubkey import Pubkey

from heliograph_core.account import AccountState
from heliograph_core.amounts import EXACT, normal, quotient, scaled
from heliograph_core.event import Channel, Event
from heliograph_core.records import (
    Balance,
    Flow,
    FundingPayment,
    FundingRate,
    Holding,
    Liquidation,
    Market,
    MarketState,
    Owner,
    Record,
    Side,
    State,
    Trade,
    Transfer,
)
from heliograph_indexer.protocols.drift_markets import QUOTE_MARKET, SpotMarket, spot_market

PROGRAM = "dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH"
BASE = FUNDING = 9
PRICE = QUOTE = 6
MARGIN = 4
SECONDS_PER_HOUR = 3600
FUNDING_INTERVAL_S = 3600
"""FundingRateRecord does not tell it: that of every perpetual market. (A market's account tells its own.)"""
ZERO = Decimal(0)

_SIDES: Mapping[str, Side] = {"Long": "long", "Short": "short"}
_OTHER: Mapping[Side, Side] = {"long": "short", "short": "long"}

Fields = Mapping[str, Any]
Projection = Callable[[dict[str, Any], Fields], Iterable[Record | State]]


class Drift:
    """One program."""

    name = "drift"
    programs: Mapping[str, str] = {"drift": PROGRAM}

    def channels(self) -> Mapping[str, frozenset[Channel]]:
        return {PROGRAM: frozenset({Channel.DATA, Channel.LOG})}

    def idls(self) -> Mapping[str, bytes]:
        return {}

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        projection = _EVENTS.get(event.name)
        if projection is None:
            return ()
        key = event.key
        row = {
            "stream": stream,
            "block_time": key.block_time,
            "slot": key.slot,
            "tx_index": key.tx_index,
            "ordinal": key.ordinal,
            "part": 0,
            "signature": key.signature,
            "program": event.program,
        }
        return projection(row, event.fields)

    def project_account(self, stream: str, state: AccountState) -> Iterable[State | Holding]:
        projection = _ACCOUNTS.get(state.name or "")
        if projection is None or state.fields is None:
            return ()
        return projection(stream, state, state.fields)


# -- trades


def _order_action(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Placed, cancelled, triggered and expired orders move nothing; spot fills are no perps."""
    if f["action"] != "Fill" or f["marketType"] != "Perp":
        return
    base = scaled(f["baseAssetAmountFilled"], BASE)
    quote = scaled(f["quoteAssetAmountFilled"], QUOTE)
    taker, maker = f["taker"], f["maker"]
    taker_side = _direction(f)
    liquidation = f["actionExplanation"] == "Liquidation"
    trade_id = str(f["fillRecordId"])
    fees = {"taker": _amount(f["takerFee"]), "maker": _amount(f["makerFee"])}
    if not base:
        # Nothing changed hands.
        return
    price = quotient(quote, base)
    yield Trade(
        **row,
        market=perp_market(f["marketIndex"]),
        trade_id=trade_id,
        taker=taker,
        taker_side=taker_side,
        maker=maker,
        price=price,
        size=base,
        quote=quote,
        taker_fee=fees["taker"],
        maker_fee=fees["maker"],
        taker_position_key=taker and position_key(taker, f["marketIndex"]),
        maker_position_key=maker and position_key(maker, f["marketIndex"]),
        taker_order_id=_text(f["takerOrderId"]),
        maker_order_id=_text(f["makerOrderId"]),
        liquidation=liquidation,
    )
    for part, (who, user, side) in enumerate(
        (("taker", taker, taker_side), ("maker", maker, _OTHER[taker_side]))
    ):
        if user is None:
            continue
        existing = f.get(f"{who}ExistingBaseAssetAmount")
        yield Flow(
            **{**row, "part": part},
            **_of_position(user, f["marketIndex"]),
            kind="liquidation" if liquidation and who == "taker" else "fill",
            base_delta=_signed(base, side),
            quote=quote,
            price=price,
            fee=fees[who],
            funding=ZERO,
            settled_pnl=ZERO,
            # Told of a fill that flips: what it closed was on the other side.
            base_before=None if existing is None else _signed(scaled(existing, BASE), _OTHER[side]),
            base_after=None,
            entry_quote_after=None,
            entry_quote_released=_or_none(f.get(f"{who}ExistingQuoteEntryAmount"), QUOTE),
            quote_places=QUOTE,
            trade_id=trade_id,
        )
        yield Owner(stream=row["stream"], account=user, wallet=None)


def _direction(f: Fields) -> Side:
    """Of the taker. Where the AMM took, the maker's order tells it."""
    if f["takerOrderDirection"] is not None:
        return _SIDES[f["takerOrderDirection"]]
    return _OTHER[_SIDES[f["makerOrderDirection"]]]


def _liquidity(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Liquidity of the AMM that a user provided (until 2025) becomes base of the position when it is settled."""
    base = scaled(f["deltaBaseAssetAmount"], BASE)
    quote = abs(scaled(f["deltaQuoteAssetAmount"], QUOTE))
    if not base:
        return
    yield Flow(
        **row,
        **_of_position(f["user"], f["marketIndex"]),
        kind="fill",
        base_delta=base,
        quote=quote,
        price=quotient(quote, abs(base)),
        **_nothing_told(),
    )
    yield Owner(stream=row["stream"], account=f["user"], wallet=None)


# -- funding


def _funding_rate(row: dict[str, Any], f: Fields) -> Iterable[Record]:
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


def _funding_payment(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Of all intervals since the user's last payment: neither a rate of one interval nor a price is told."""
    base = scaled(f["baseAssetAmount"], BASE)
    amount = scaled(f["fundingPayment"], QUOTE)
    position = _of_position(f["user"], f["marketIndex"])
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
        **{**_nothing_told(), "funding": amount, "base_after": base},
    )
    yield Owner(stream=row["stream"], account=f["user"], wallet=f["userAuthority"])


# -- settlement and collateral


def _settle_pnl(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Moves profit or loss between position and balance; of an expired market it ends the position at its price."""
    pnl = scaled(f["pnl"], QUOTE)
    base = scaled(f["baseAssetAmount"], BASE)
    expired = f["explanation"] == "ExpiredPosition"
    price = scaled(f["settlePrice"], PRICE)
    if pnl:
        yield Transfer(
            **row,
            wallet=f["user"],
            asset=QUOTE_MARKET.mint,
            kind="release",
            amount=ZERO,
            free_delta=pnl,
            locked_delta=ZERO,
            free_after=None,
            locked_after=None,
            position_key=position_key(f["user"], f["marketIndex"]),
            sub_account=f["user"],
        )
    told = {
        **_nothing_told(),
        "settled_pnl": pnl,
        "base_after": ZERO if expired else base,
        "entry_quote_after": None if expired else abs(scaled(f["quoteEntryAmount"], QUOTE)),
    }
    ended = expired and bool(base)
    yield Flow(
        **row,
        **_of_position(f["user"], f["marketIndex"]),
        kind="fill" if ended else "settlement",
        base_delta=EXACT.minus(base) if ended else ZERO,
        quote=normal(EXACT.multiply(abs(base), price)) if ended else ZERO,
        price=price if ended else None,
        **told,
    )
    yield Owner(stream=row["stream"], account=f["user"], wallet=None)


def _deposit(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Deposits, withdrawals, and each side of a transfer between sub-accounts."""
    market = spot_market(f["marketIndex"])
    amount = scaled(f["amount"], market.decimals)
    sign = {"Deposit": 1, "Withdraw": -1}[f["direction"]]
    after = _or_none(f.get("userTokenAmountAfter"), market.decimals)
    yield Transfer(
        **row,
        wallet=f["userAuthority"],
        asset=market.mint,
        kind="deposit" if sign > 0 else "withdraw",
        amount=amount,
        free_delta=EXACT.multiply(amount, sign),
        locked_delta=ZERO,
        free_after=after,
        locked_after=None if after is None else ZERO,
        position_key=None,
        sub_account=f["user"],
    )
    if after is not None:
        yield Balance(
            stream=row["stream"],
            wallet=f["userAuthority"],
            asset=market.mint,
            free=after,
            locked=ZERO,
            updated_at=row["block_time"],
            updated_slot=row["slot"],
            updated_tx_index=row["tx_index"],
            updated_ordinal=row["ordinal"],
            sub_account=f["user"],
        )
    yield Owner(stream=row["stream"], account=f["user"], wallet=f["userAuthority"])


def _user(row: dict[str, Any], f: Fields) -> Iterable[State]:
    yield Owner(stream=row["stream"], account=f["user"], wallet=f["userAuthority"])


# -- liquidations


def _liquidation(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    made = _LIQUIDATIONS[f["liquidationType"]](f)
    if made is None:
        return
    yield Liquidation(
        **row,
        wallet=f["user"],
        **{
            "liquidation_id": f"{f['user']}/{f['liquidationId']}",
            "liquidator": f["liquidator"],
            "mark_price": None,
            "fee": ZERO,
            "realized_pnl": None,
            "bad_debt": ZERO,
            **made,
        },
    )
    yield Owner(stream=row["stream"], account=f["user"], wallet=None)
    if made.get("liquidator", f["liquidator"]) is not None:
        yield Owner(stream=row["stream"], account=f["liquidator"], wallet=None)


def _of_perp(f: Fields) -> dict[str, Any] | None:
    """Of a part of a position; None where cancelling orders was enough, which took nothing from it."""
    f = {"user": f["user"], **f["liquidatePerp"]}
    base = scaled(f["baseAssetAmount"], BASE)
    if not base:
        return None
    quote = abs(scaled(f["quoteAssetAmount"], QUOTE))
    return {
        "kind": "perp",
        "market": perp_market(f["marketIndex"]),
        "position_key": position_key(f["user"], f["marketIndex"]),
        # Equals the fill's trade id: the fill carries the volume.
        "liquidation_id": str(f["fillRecordId"]),
        # What the user's base changed by: a long loses base.
        "side": "long" if base < 0 else "short",
        "size": abs(base),
        "price": quotient(quote, abs(base)),
        "mark_price": scaled(f["oraclePrice"], PRICE),
        "quote": quote,
        "fee": EXACT.add(_amount(f["liquidatorFee"]), _amount(f["ifFee"])),
    }


def _of_spot(f: Fields) -> dict[str, Any] | None:
    """A borrow that the liquidator took over, for a deposit."""
    f = {"user": f["user"], **f["liquidateSpot"]}
    market = spot_market(f["liabilityMarketIndex"])
    if not f["liabilityTransfer"]:
        return None
    return {
        "kind": "spot",
        **_spot(f, market, "liability", "short"),
        "fee": _worth(f["ifFee"], market, f["liabilityPrice"]),
    }


def _of_borrow_for_perp_pnl(f: Fields) -> dict[str, Any] | None:
    """A borrow that the liquidator took over, for profit of a perp market."""
    f = {"user": f["user"], **f["liquidateBorrowForPerpPnl"]}
    if not f["liabilityTransfer"]:
        return None
    spot = _spot(f, spot_market(f["liabilityMarketIndex"]), "liability", "short")
    return {"kind": "borrow_for_perp_pnl", **spot, "quote": scaled(f["pnlTransfer"], QUOTE)}


def _of_perp_pnl_for_deposit(f: Fields) -> dict[str, Any] | None:
    """A loss of a perp market that the liquidator took over, for a deposit: that is what was taken."""
    f = {"user": f["user"], **f["liquidatePerpPnlForDeposit"]}
    if not f["assetTransfer"]:
        return None
    spot = _spot(f, spot_market(f["assetMarketIndex"]), "asset", "long")
    return {"kind": "perp_pnl_for_deposit", **spot, "quote": scaled(f["pnlTransfer"], QUOTE)}


def _of_perp_bankruptcy(f: Fields) -> dict[str, Any]:
    """A loss that nobody covers but the insurance fund and the market's other users; nothing is left of the position."""
    f = {"user": f["user"], **f["perpBankruptcy"]}
    return {
        "kind": "perp_bankruptcy",
        "market": perp_market(f["marketIndex"]),
        "position_key": position_key(f["user"], f["marketIndex"]),
        "side": None,
        "size": ZERO,
        "price": None,
        "quote": ZERO,
        "bad_debt": abs(scaled(f["pnl"], QUOTE)),
    }


def _of_spot_bankruptcy(f: Fields) -> dict[str, Any]:
    """A borrow that nobody repays. Its worth in quote is not told, but for the quote market."""
    f = {"user": f["user"], **f["spotBankruptcy"]}
    market = spot_market(f["marketIndex"])
    amount = scaled(f["borrowAmount"], market.decimals)
    if market is not QUOTE_MARKET:
        raise ValueError(
            f"bankruptcy of a borrow of {market.symbol}: the event tells no price for its worth in quote"
        )
    return {
        "kind": "spot_bankruptcy",
        "market": spot_market_address(f["marketIndex"]),
        "position_key": spot_key(f["user"], f["marketIndex"]),
        "side": "short",
        "size": amount,
        "price": None,
        "quote": ZERO,
        "bad_debt": amount,
    }


def _spot(f: Fields, market: SpotMarket, what: str, side: Side) -> dict[str, Any]:
    """what: prefix of the fields of the transfer."""
    index, amount, price = f[f"{what}MarketIndex"], f[f"{what}Transfer"], f[f"{what}Price"]
    return {
        "market": spot_market_address(index),
        "position_key": spot_key(f["user"], index),
        "side": side,
        "size": scaled(amount, market.decimals),
        "price": scaled(price, PRICE),
        "mark_price": scaled(price, PRICE),
        "quote": _worth(amount, market, price),
    }


def _worth(amount: int, market: SpotMarket, price: int) -> Decimal:
    return normal(EXACT.multiply(scaled(amount, market.decimals), scaled(price, PRICE)))


_LIQUIDATIONS: Mapping[str, Callable[[Fields], dict[str, Any] | None]] = {
    "LiquidatePerp": _of_perp,
    "LiquidateSpot": _of_spot,
    "LiquidateBorrowForPerpPnl": _of_borrow_for_perp_pnl,
    "LiquidatePerpPnlForDeposit": _of_perp_pnl_for_deposit,
    "PerpBankruptcy": _of_perp_bankruptcy,
    "SpotBankruptcy": _of_spot_bankruptcy,
}


# -- accounts


def _perp_market(stream: str, state: AccountState, f: Fields) -> Iterable[State]:
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
        index_price=_or_none(amm["historicalOracleData"]["lastOraclePrice"] or None, PRICE),
        funding_rate=rate,
        open_interest_long=abs(scaled(amm["baseAssetAmountLong"], BASE)),
        open_interest_short=abs(scaled(amm["baseAssetAmountShort"], BASE)),
    )


def _user_account(stream: str, state: AccountState, f: Fields) -> Iterable[State | Holding]:
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


# -- keys and amounts


@cache
def perp_market(index: int) -> str:
    """Address of a perp market."""
    return _derived(b"perp_market", index)


@cache
def spot_market_address(index: int) -> str:
    return _derived(b"spot_market", index)


def _derived(seed: bytes, index: int) -> str:
    address, _ = Pubkey.find_program_address([seed, index.to_bytes(2, "little")], Pubkey.from_string(PROGRAM))
    return str(address)


def position_key(user: str, market_index: int) -> str:
    return f"{user}-{market_index}"


def spot_key(user: str, market_index: int) -> str:
    """Of a deposit or borrow that was liquidated; spot markets count from 0 as perp markets do."""
    return f"{user}-spot-{market_index}"


def _of_position(user: str, market_index: int) -> dict[str, Any]:
    """wallet: the sub-account, until its owner is known."""
    return {
        "market": perp_market(market_index),
        "wallet": user,
        "position_key": position_key(user, market_index),
    }


def _nothing_told() -> dict[str, Any]:
    return {
        "fee": ZERO,
        "funding": ZERO,
        "settled_pnl": ZERO,
        "base_before": None,
        "base_after": None,
        "entry_quote_after": None,
        "entry_quote_released": None,
        "quote_places": QUOTE,
        "trade_id": None,
    }


def _signed(base: Decimal, side: Side) -> Decimal:
    return base if side == "long" else EXACT.minus(base)


def _amount(integer: int | None) -> Decimal:
    return ZERO if integer is None else scaled(integer, QUOTE)


def _or_none(integer: int | None, places: int) -> Decimal | None:
    return None if integer is None else scaled(integer, places)


def _text(integer: int | None) -> str | None:
    return None if integer is None else str(integer)


def _name(raw: Any) -> str:
    """32 bytes, padded with blanks or zeros."""
    return bytes(raw).rstrip(b" \0").decode()


_EVENTS: Mapping[str, Projection] = {
    "OrderActionRecord": _order_action,
    "LPRecord": _liquidity,
    "FundingRateRecord": _funding_rate,
    "FundingPaymentRecord": _funding_payment,
    "SettlePnlRecord": _settle_pnl,
    "DepositRecord": _deposit,
    "LiquidationRecord": _liquidation,
    "NewUserRecord": _user,
    "DeleteUserRecord": _user,
}

_ACCOUNTS: Mapping[str, Callable[[str, AccountState, Fields], Iterable[State | Holding]]] = {
    "PerpMarket": _perp_market,
    "User": _user_account,
}
