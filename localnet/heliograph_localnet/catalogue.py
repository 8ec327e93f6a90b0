"""The markets that a localnet can open, with their terms and first prices."""

from __future__ import annotations

from heliograph_localnet.addresses import named
from heliograph_localnet.exchange.facts import Terms

_KNOWN: dict[str, tuple[int, int, int, int, int]] = {
    # symbol: price, tick (quote, 6 decimals), lot (base, 9 decimals), initial and maintenance ratio (6 decimals)
    "SOL-PERP": (185_000_000, 10_000, 10_000_000, 100_000, 50_000),
    "BTC-PERP": (97_000_000_000, 1_000_000, 10_000, 50_000, 25_000),
    "ETH-PERP": (3_400_000_000, 100_000, 100_000, 50_000, 25_000),
    "JUP-PERP": (850_000, 100, 1_000_000_000, 100_000, 50_000),
    "WIF-PERP": (1_200_000, 100, 1_000_000_000, 125_000, 60_000),
}
_PLAIN = (10_000_000, 1_000, 10_000_000, 100_000, 50_000)


def terms(symbol: str, funding_interval_seconds: int) -> Terms:
    """Terms of a market; symbols outside the catalogue get plain ones."""
    _, tick, lot, initial, maintenance = _KNOWN.get(symbol, _PLAIN)
    return Terms(
        symbol=symbol,
        base_asset=symbol.removesuffix("-PERP"),
        quote_asset="USDC",
        oracle=named("oracle", symbol),
        tick_size=tick,
        lot_size=lot,
        initial_margin_ratio=initial,
        maintenance_margin_ratio=maintenance,
        taker_fee_rate=500,
        maker_fee_rate=-100,
        funding_interval_seconds=funding_interval_seconds,
    )


def first_price(symbol: str) -> int:
    """Quote per base, 6 decimals."""
    return _KNOWN.get(symbol, _PLAIN)[0]
