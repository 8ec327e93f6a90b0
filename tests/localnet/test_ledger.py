from __future__ import annotations

import pickle

import msgspec
import pytest

from heliograph_localnet import catalogue
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.ledger import sane
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.manner import Manner
from heliograph_localnet.operation import UpdateFunding
from heliograph_localnet.settings import LocalnetSettings

BUSY = LocalnetSettings(seed=11, rate=80, funding_interval_seconds=5, skip_probability=0)


def books(exchange: Exchange) -> object:
    """All that money and positions are, as plain values."""
    positions = {
        key: (held.size, held.cost, held.collateral, held.locked, held.entry_price)
        for key, held in exchange.clearing.positions.items()
    }
    purses = {wallet: (purse.free, purse.locked) for wallet, purse in exchange.vault.purses.items()}
    orders = {
        address: sorted((order.order_id, order.price, order.left) for order in market.book)
        for address, market in exchange.markets.items()
    }
    return positions, purses, orders, exchange.vault.treasury


def test_a_fork_that_changes_nothing_leaves_the_books_as_they_were() -> None:
    localnet = Localnet(BUSY)
    for depth in (1, 3, 8):
        for _ in range(20):
            localnet.produce()
        before = books(localnet.exchange)
        assert localnet.fork(depth, shuffle=False) == ()
        assert books(localnet.exchange) == before


def test_the_exchange_survives_being_written_down() -> None:
    localnet = Localnet(BUSY)
    for _ in range(20):
        localnet.produce()
    assert books(pickle.loads(pickle.dumps(localnet.exchange))) == books(localnet.exchange)


def test_checkpoints_are_kept_no_longer_than_a_fork_can_need_them() -> None:
    localnet = Localnet(LocalnetSettings(seed=1, rate=4))
    for _ in range(300):
        localnet.produce()
    assert len(localnet.ledger._checkpoints) <= 5
    assert len(localnet.ledger._closed) <= 80


def test_a_flooded_log_costs_the_facts_behind_the_cut_and_no_others() -> None:
    localnet = Localnet(LocalnetSettings(seed=1, rate=0, symbols=("SOL-PERP",)))
    localnet.produce()
    operation = UpdateFunding(localnet.keeper, localnet.market("SOL-PERP"))
    localnet.submit(operation, Manner(before=("flood", "flood")))
    kept = localnet.submit(operation)
    localnet.produce()
    assert [row["signature"] for row in localnet.truth()["perps.funding_rates"]] == [kept]


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "x" * 33},
        {"symbol": ""},
        {"tick_size": 0},
        {"lot_size": 0},
        {"maintenance_margin_ratio": 100_000},
        {"initial_margin_ratio": 1_000_001},
        {"funding_interval_seconds": 0},
    ],
)
def test_nonsense_terms_are_refused(change: dict[str, object]) -> None:
    terms = catalogue.terms("SOL-PERP", 3_600)
    assert sane(terms)
    assert not sane(msgspec.structs.replace(terms, **change))


def test_every_catalogued_market_can_trade() -> None:
    for symbol in ("SOL-PERP", "BTC-PERP", "ETH-PERP", "JUP-PERP", "WIF-PERP", "ANY-PERP"):
        terms = catalogue.terms(symbol, 60)
        assert sane(terms)
        assert catalogue.first_price(symbol) % terms.tick_size == 0
