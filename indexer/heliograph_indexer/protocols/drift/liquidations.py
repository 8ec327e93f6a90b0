"""Drift: liquidations of six kinds, in units of what was taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from heliograph_core.amounts import EXACT, normal, quotient, scaled
from heliograph_core.records import Liquidation, Owner, Record, Side, State
from heliograph_indexer.protocols.drift.spot_markets import QUOTE_MARKET, SpotMarket, spot_market
from heliograph_indexer.protocols.drift.units import (
    BASE,
    PRICE,
    QUOTE,
    ZERO,
    Fields,
    amount,
    perp_market,
    position_key,
    spot_key,
    spot_market_address,
)


def liquidation(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
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
        "fee": EXACT.add(amount(f["liquidatorFee"]), amount(f["ifFee"])),
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
