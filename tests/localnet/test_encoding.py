from __future__ import annotations

from heliograph_localnet import encoding
from heliograph_localnet.addresses import POSITIONS, POSITIONS_CODEC, market_address, named
from heliograph_localnet.catalogue import terms
from heliograph_localnet.exchange.facts import CollateralLocked, MarketCreated, OrderPlaced
from heliograph_localnet.exchange.market import Market
from heliograph_localnet.exchange.position import Position

ANN = named("ann")
MARKET = market_address("SOL-PERP")


def test_an_event_is_its_discriminator_and_its_borsh() -> None:
    fact = OrderPlaced(MARKET, ANN, 7, "short", "limit", 5, 6, True, 8)
    data = encoding.event(fact)
    assert data[:8] == bytes([96, 130, 204, 234, 169, 219, 216, 227])
    assert len(data) == 8 + 32 + 32 + 8 + 1 + 1 + 9 + 8 + 1 + 8
    assert data[80:82] == b"\x01\x01"


def test_a_markets_terms_are_fields_of_its_creation() -> None:
    data = encoding.event(MarketCreated(MARKET, terms("SOL-PERP", 60), 5))
    assert b"SOL-PERP" in data
    assert data[-8:] == (5).to_bytes(8, "little")


def test_the_vaults_events_are_encoded_by_the_vaults_idl() -> None:
    data = encoding.event(CollateralLocked(ANN, ANN, ANN, 1, 2, 3, 4))
    assert data[:8] == bytes([185, 146, 119, 8, 41, 179, 88, 96])


def test_a_market_account_keeps_room_and_a_position_account_none() -> None:
    market = encoding.market(Market(MARKET, 0, terms("SOL-PERP", 60), 1, 2))
    assert (market.owner, len(market.data)) == (POSITIONS, encoding.MARKET_SPACE)
    assert market.data[-1] == 0
    position = Position(
        key="k",
        market=MARKET,
        wallet=ANN,
        side="long",
        size=1,
        price=2,
        cost=3,
        locked=4,
        fee=0,
        maintenance=50_000,
        birth=1,
        slot=1,
    )
    account = encoding.position(position)
    assert len(account.data) == 8 + 32 + 32 + 1 + 6 * 8 + 1
    assert account.lamports == (128 + len(account.data)) * 6_960
    assert POSITIONS_CODEC.address == POSITIONS
