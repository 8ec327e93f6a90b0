"""Matching: an incoming order meets the book, best price first, oldest first."""

from __future__ import annotations

from heliograph_localnet.exchange.arithmetic import Side, fee_of, quote_of
from heliograph_localnet.exchange.book import Order
from heliograph_localnet.exchange.clearing import Clearing, Leg
from heliograph_localnet.exchange.facts import Fact, OrderFilled
from heliograph_localnet.exchange.market import Market
from heliograph_localnet.exchange.refusal import Refusal
from heliograph_localnet.now import Now


class Matching:
    """price_band: ratio, 6 decimals, of the mark within which fills happen. most_fills: of one order."""

    def __init__(self, clearing: Clearing, price_band: int, most_fills: int) -> None:
        self._clearing = clearing
        self._price_band = price_band
        self._most_fills = most_fills
        self.orders = 0
        self.fills = 0

    def match(self, market: Market, order: Order, now: Now, *, any_price: bool) -> tuple[list[Fact], bool]:
        """Fills `order` as far as it goes. Returns (facts, whether what is left of it may rest).

        Orders in its way that cannot be filled (expired, its own wallet's, left behind by the mark, without
        collateral) are dropped. Raises Refusal, everything put back, where not even the first fill can be paid for.
        """
        facts: list[Fact] = []
        dropped: list[Order] = []
        fills = 0
        while fills < self._most_fills and order.left:
            maker = self._next(market, order, dropped, now, any_price=any_price)
            size = min(self._most(market, order), self._most(market, maker)) if maker else 0
            if maker is None or not size:
                return facts, not order.reduce_only
            quote = quote_of(maker.price, size)
            taken = _leg(order, size, fee_of(quote, market.terms.taker_fee_rate))
            made = _leg(maker, size, fee_of(quote, market.terms.maker_fee_rate))
            if not self._clearing.affordable(market, taken, quote):
                if not fills:
                    said = self._filled(market, order, maker, taken, made, quote, self.fills + 1, now)
                    for gone in reversed(dropped):
                        market.book.put_back(gone)
                    raise Refusal("InsufficientCollateral", (said,))
                return facts, False
            if not self._clearing.affordable(market, made, quote):
                market.book.remove(maker)
                dropped.append(maker)
                continue
            self.fills += 1
            fills += 1
            facts.append(self._filled(market, order, maker, taken, made, quote, self.fills, now))
            facts += self._clearing.settle(market, taken, maker.price, quote, self.fills, now)
            facts += self._clearing.settle(market, made, maker.price, quote, self.fills, now)
            order.left -= size
            maker.left -= size
            if not maker.left:
                market.book.remove(maker)
        return facts, False

    def take(
        self, market: Market, wallet: str, side: Side, price: int, quote: int, fee: int, made: Leg, now: Now
    ) -> OrderFilled:
        """Numbers a fill outside the book: `wallet`, as taker of `side`, gives a position to a liquidator."""
        self.orders += 2
        self.fills += 1
        return OrderFilled(
            market.address,
            self.fills,
            wallet,
            made.wallet,
            side,
            price,
            made.size,
            quote,
            fee,
            made.fee,
            self.orders - 1,
            self.orders,
            self._clearing.key(wallet, market.address),
            self._clearing.key(made.wallet, market.address),
            True,
            now.time,
        )

    def _next(
        self, market: Market, order: Order, dropped: list[Order], now: Now, *, any_price: bool
    ) -> Order | None:
        """The order that `order` would meet, None where it meets none at its price."""
        against: Side = "short" if order.side == "long" else "long"
        while (maker := market.book.best(against)) is not None:
            worse = maker.price > order.price if order.side == "long" else maker.price < order.price
            if worse and not any_price:
                return None
            dead = maker.expires <= now.time or maker.wallet == order.wallet or not self._most(market, maker)
            if not dead and market.within(maker.price, self._price_band):
                return maker
            mark = market.mark_price
            dear = maker.price > mark if order.side == "long" else maker.price < mark
            if not dead and dear:
                return None
            market.book.remove(maker)
            dropped.append(maker)
        return None

    def _most(self, market: Market, order: Order) -> int:
        """How much of `order` may be filled: a reduce-only order never more than the position it reduces."""
        if not order.reduce_only:
            return order.left
        held = self._clearing.get(order.wallet, market.address)
        return 0 if held is None or held.side == order.side else min(order.left, held.size)

    def _filled(
        self,
        market: Market,
        order: Order,
        maker: Order,
        taken: Leg,
        made: Leg,
        quote: int,
        fill_id: int,
        now: Now,
    ) -> OrderFilled:
        return OrderFilled(
            market.address,
            fill_id,
            order.wallet,
            maker.wallet,
            order.side,
            maker.price,
            taken.size,
            quote,
            taken.fee,
            made.fee,
            order.order_id,
            maker.order_id,
            self._clearing.key(order.wallet, market.address),
            self._clearing.key(maker.wallet, market.address),
            False,
            now.time,
        )


def _leg(order: Order, size: int, fee: int) -> Leg:
    return Leg(order.wallet, order.side, size, fee, order.collateral, order.size)
