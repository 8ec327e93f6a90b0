"""Drift: fills are trades and flows; liquidity of the AMM that becomes a position is a flow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from heliograph_core.amounts import quotient, scaled
from heliograph_core.records import Flow, Owner, Record, Side, State, Trade
from heliograph_indexer.protocols.drift.units import (
    BASE,
    OTHER,
    QUOTE,
    SIDES,
    ZERO,
    Fields,
    amount,
    nothing_told,
    of_position,
    or_none,
    perp_market,
    position_key,
    signed,
    text,
)


def order_action(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Placed, cancelled, triggered and expired orders move nothing; spot fills are no perps."""
    if f["action"] != "Fill" or f["marketType"] != "Perp":
        return
    base = scaled(f["baseAssetAmountFilled"], BASE)
    quote = scaled(f["quoteAssetAmountFilled"], QUOTE)
    taker, maker = f["taker"], f["maker"]
    taker_side = _direction(f)
    liquidation = f["actionExplanation"] == "Liquidation"
    trade_id = str(f["fillRecordId"])
    fees = {"taker": amount(f["takerFee"]), "maker": amount(f["makerFee"])}
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
        taker_order_id=text(f["takerOrderId"]),
        maker_order_id=text(f["makerOrderId"]),
        liquidation=liquidation,
    )
    for part, (who, user, side) in enumerate(
        (("taker", taker, taker_side), ("maker", maker, OTHER[taker_side]))
    ):
        if user is None:
            continue
        existing = f.get(f"{who}ExistingBaseAssetAmount")
        yield Flow(
            **{**row, "part": part},
            **of_position(user, f["marketIndex"]),
            kind="liquidation" if liquidation and who == "taker" else "fill",
            base_delta=signed(base, side),
            quote=quote,
            price=price,
            fee=fees[who],
            funding=ZERO,
            settled_pnl=ZERO,
            # Told of a fill that flips: what it closed was on the other side.
            base_before=None if existing is None else signed(scaled(existing, BASE), OTHER[side]),
            base_after=None,
            entry_quote_after=None,
            entry_quote_released=or_none(f.get(f"{who}ExistingQuoteEntryAmount"), QUOTE),
            quote_places=QUOTE,
            trade_id=trade_id,
        )
        yield Owner(stream=row["stream"], account=user, wallet=None)


def _direction(f: Fields) -> Side:
    """Of the taker. Where the AMM took, the maker's order tells it."""
    if f["takerOrderDirection"] is not None:
        return SIDES[f["takerOrderDirection"]]
    return OTHER[SIDES[f["makerOrderDirection"]]]


def liquidity(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Liquidity of the AMM that a user provided (until 2025) becomes base of the position when it is settled."""
    base = scaled(f["deltaBaseAssetAmount"], BASE)
    quote = abs(scaled(f["deltaQuoteAssetAmount"], QUOTE))
    if not base:
        return
    yield Flow(
        **row,
        **of_position(f["user"], f["marketIndex"]),
        kind="fill",
        base_delta=base,
        quote=quote,
        price=quotient(quote, abs(base)),
        **nothing_told(),
    )
    yield Owner(stream=row["stream"], account=f["user"], wallet=None)
