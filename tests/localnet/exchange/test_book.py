from __future__ import annotations

import pytest

from heliograph_localnet.exchange.arithmetic import Side
from heliograph_localnet.exchange.book import Order, OrderBook


def order(number: int, side: Side, price: int, wallet: str = "ann", expires: int = 100) -> Order:
    return Order(
        order_id=number,
        wallet=wallet,
        side=side,
        price=price,
        size=1,
        reduce_only=False,
        collateral=0,
        expires=expires,
    )


def test_the_best_bid_is_the_highest_and_the_best_ask_the_lowest() -> None:
    book = OrderBook()
    for number, price in enumerate((9, 11, 10)):
        book.rest(order(number, "long", price))
        book.rest(order(number + 10, "short", price + 10))
    bid, ask = book.best("long"), book.best("short")
    assert bid is not None
    assert ask is not None
    assert (bid.price, ask.price, book.middle()) == (11, 19, 15)


def test_orders_at_one_price_keep_their_turn_when_one_is_put_back() -> None:
    book = OrderBook()
    first, second = order(1, "long", 10), order(2, "long", 10)
    book.rest(first)
    book.rest(second)
    book.remove(first)
    assert book.best("long") is second
    book.put_back(first)
    assert book.best("long") is first
    assert [each.order_id for each in book] == [1, 2]


def test_an_emptied_price_is_put_back_too() -> None:
    book = OrderBook()
    only = order(1, "short", 10)
    book.rest(only)
    book.remove(only)
    assert book.best("short") is None
    book.put_back(only)
    assert book.best("short") is only


def test_a_crossing_order_cannot_rest() -> None:
    book = OrderBook()
    book.rest(order(1, "short", 10))
    with pytest.raises(ValueError, match="would cross"):
        book.rest(order(2, "long", 10))


def test_expired_orders_go() -> None:
    book = OrderBook()
    book.rest(order(1, "long", 10, expires=5))
    book.rest(order(2, "long", 10, expires=6))
    assert book.expire(5) == 1
    assert [each.order_id for each in book] == [2]
