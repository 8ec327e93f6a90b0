"""An order book with price-time priority."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator

from heliograph_localnet.exchange.arithmetic import Side


class Order:
    """A resting order. size: as placed; left: not filled yet. collateral: offered for the whole size.

    expires: unix seconds from which it may no longer be filled.
    """

    __slots__ = (
        "collateral",
        "expires",
        "left",
        "order_id",
        "price",
        "reduce_only",
        "side",
        "size",
        "wallet",
    )

    def __init__(
        self,
        *,
        order_id: int,
        wallet: str,
        side: Side,
        price: int,
        size: int,
        reduce_only: bool,
        collateral: int,
        expires: int,
    ) -> None:
        self.order_id = order_id
        self.wallet = wallet
        self.side = side
        self.price = price
        self.size = size
        self.left = size
        self.reduce_only = reduce_only
        self.collateral = collateral
        self.expires = expires


class OrderBook:
    """Both sides of one market. Bids are long orders."""

    def __init__(self) -> None:
        self._levels: dict[Side, dict[int, deque[Order]]] = {"long": {}, "short": {}}
        self._prices: dict[Side, list[int]] = {"long": [], "short": []}

    def __len__(self) -> int:
        return sum(len(level) for side in self._levels.values() for level in side.values())

    def __iter__(self) -> Iterator[Order]:
        for side in self._levels.values():
            for level in side.values():
                yield from level

    def best(self, side: Side) -> Order | None:
        """The order of `side` that is filled next."""
        prices = self._prices[side]
        if not prices:
            return None
        return self._levels[side][prices[-1 if side == "long" else 0]][0]

    def crosses(self, side: Side, price: int) -> bool:
        """Whether an order of `side` at `price` would meet a resting one."""
        against = self.best("short" if side == "long" else "long")
        if against is None:
            return False
        return price >= against.price if side == "long" else price <= against.price

    def rest(self, order: Order) -> None:
        """Raises ValueError where it would cross the book."""
        if self.crosses(order.side, order.price):
            raise ValueError(f"order {order.order_id} at {order.price} would cross the book")
        levels = self._levels[order.side]
        if order.price not in levels:
            levels[order.price] = deque()
            insort(self._prices[order.side], order.price)
        levels[order.price].append(order)

    def put_back(self, order: Order) -> None:
        """Undoes `remove` of an order that was first at its price."""
        levels = self._levels[order.side]
        if order.price not in levels:
            levels[order.price] = deque()
            insort(self._prices[order.side], order.price)
        levels[order.price].appendleft(order)

    def remove(self, order: Order) -> None:
        level = self._levels[order.side][order.price]
        if level[0] is order:
            level.popleft()
        else:
            level.remove(order)
        if not level:
            del self._levels[order.side][order.price]
            prices = self._prices[order.side]
            del prices[bisect_left(prices, order.price)]

    def expire(self, time: int) -> int:
        """Removes what expired by `time`; says how many."""
        gone = [order for order in self if order.expires <= time]
        for order in gone:
            self.remove(order)
        return len(gone)

    def cancel_of(self, wallet: str) -> int:
        """Removes every order of `wallet`; says how many."""
        gone = [order for order in self if order.wallet == wallet]
        for order in gone:
            self.remove(order)
        return len(gone)

    def middle(self) -> int | None:
        """Half-way between best bid and best ask, None where a side is empty."""
        bid, ask = self.best("long"), self.best("short")
        return None if bid is None or ask is None else (bid.price + ask.price) // 2
