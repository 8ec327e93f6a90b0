from __future__ import annotations

from heliograph_localnet.exchange.book import Order
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.market import INTEREST, MOST_RATE
from heliograph_localnet.now import Now


def quote(exchange: Exchange, bid: int, ask: int) -> None:
    for number, (side, price) in enumerate((("long", bid), ("short", ask))):
        exchange.markets["m"].book.rest(
            Order(
                order_id=number,
                wallet="bob",
                side="long" if side == "long" else "short",
                price=price,
                size=10_000_000,
                reduce_only=False,
                collateral=0,
                expires=10**9,
            )
        )


def test_an_empty_book_leaves_the_mark_at_the_index(exchange: Exchange) -> None:
    market = exchange.markets["m"]
    premium, rate = market.update_funding()
    assert (premium, rate, market.mark_price) == (0, INTEREST, market.index_price)


def test_a_book_above_the_index_pulls_the_mark_up_and_makes_longs_pay(exchange: Exchange) -> None:
    quote(exchange, 100_300_000, 100_400_000)
    market = exchange.markets["m"]
    premium, rate = market.update_funding()
    assert market.index_price < market.mark_price < 100_350_000
    assert premium > 0
    assert rate == premium + INTEREST


def test_the_book_moves_the_mark_half_a_percent_at_most(exchange: Exchange) -> None:
    quote(exchange, 50_000_000, 60_000_000)
    market = exchange.markets["m"]
    for _ in range(200):
        _, rate = market.update_funding()
        assert abs(rate) <= MOST_RATE
    assert market.mark_price >= 99_500_000


def test_a_jump_of_the_index_makes_no_premium(exchange: Exchange, now: Now) -> None:
    exchange.set_price("m", 200_000_000, 1, now.time, now)
    assert exchange.markets["m"].mark_price == 200_000_000


def test_the_interval_pays_the_average_of_its_rates(exchange: Exchange) -> None:
    market = exchange.markets["m"]
    market.rates_sum, market.rates_count = 30, 3
    assert market.end_interval(2_000) == 10
    assert (market.rates_sum, market.rates_count) == (0, 0)
    assert not market.due(2_009)
    assert market.due(2_010)
