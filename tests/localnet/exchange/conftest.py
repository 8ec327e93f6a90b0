"""A small exchange for the tests: one market at 100, three rich wallets and a poor one."""

from __future__ import annotations

import pytest

from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.facts import Terms
from heliograph_localnet.now import Now

PRICE = 100_000_000


def position_key(wallet: str, market: str) -> str:
    return f"{wallet}@{market}"


@pytest.fixture
def terms() -> Terms:
    return Terms(
        symbol="SOL-PERP",
        base_asset="SOL",
        quote_asset="USDC",
        oracle="oracle",
        tick_size=10_000,
        lot_size=10_000_000,
        initial_margin_ratio=100_000,
        maintenance_margin_ratio=50_000,
        taker_fee_rate=500,
        maker_fee_rate=-100,
        funding_interval_seconds=10,
    )


@pytest.fixture
def now() -> Now:
    return Now(1, 1_000)


@pytest.fixture
def exchange(terms: Terms, now: Now) -> Exchange:
    made = Exchange(mint="usdc", position_key=position_key)
    made.create_market("m", terms, now)
    made.set_price("m", PRICE, 1, now.time, now)
    for wallet in ("ann", "bob", "cem"):
        made.deposit(wallet, 100_000_000_000, now)
    made.deposit("poor", 1_000_000, now)
    return made
