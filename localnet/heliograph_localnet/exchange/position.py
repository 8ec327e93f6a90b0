"""An isolated-margin position of one wallet in one market, and how fills and funding change it."""

from __future__ import annotations

from heliograph_localnet.exchange.arithmetic import (
    BASE,
    Side,
    ceil_div,
    liquidation_price,
    margin_of,
    quote_of,
    unrealized,
)


class Position:
    """size: base, above 0 while it lives. cost: quote paid or received at entry, exact, so that no rounding of the
    entry price ever makes or destroys money. locked: its share of the wallet's lock. collateral: locked less fees
    plus funding plus results not paid out; may be negative. birth: number of its opening, to tell lifecycles apart.
    """

    __slots__ = (
        "birth",
        "collateral",
        "cost",
        "entry_price",
        "key",
        "locked",
        "maintenance",
        "market",
        "opened_slot",
        "side",
        "size",
        "updated_slot",
        "wallet",
    )

    def __init__(
        self,
        *,
        key: str,
        market: str,
        wallet: str,
        side: Side,
        size: int,
        price: int,
        cost: int,
        locked: int,
        fee: int,
        maintenance: int,
        birth: int,
        slot: int,
    ) -> None:
        self.key = key
        self.market = market
        self.wallet = wallet
        self.side: Side = side
        self.size = size
        self.entry_price = price
        self.cost = cost
        self.locked = locked
        self.collateral = locked - fee
        self.maintenance = maintenance
        self.birth = birth
        self.opened_slot = slot
        self.updated_slot = slot

    @property
    def liquidation_price(self) -> int:
        return liquidation_price(self.side, self.size, self.cost, self.collateral, self.maintenance)

    def equity(self, mark: int) -> int:
        """What it would be worth if it were closed at `mark`; quote, may be negative."""
        return self.collateral + unrealized(self.side, self.size, self.cost, mark)

    def required(self, mark: int) -> int:
        """The maintenance margin at `mark`; quote."""
        return margin_of(quote_of(mark, self.size), self.maintenance)

    def increase(self, size: int, quote: int, locked: int, fee: int) -> None:
        self.size += size
        self.cost += quote
        self.locked += locked
        self.collateral += locked - fee
        self.entry_price = self.cost * BASE // self.size

    def cost_of(self, size: int) -> int:
        """The part of the entry cost that belongs to `size`; all of it for the whole size."""
        return ceil_div(self.cost * size, self.size)

    def result_of(self, size: int, quote: int) -> int:
        """Realized profit or loss if `size` of it is closed for `quote`, before the fee."""
        cost = self.cost_of(size)
        return quote - cost if self.side == "long" else cost - quote

    def shrink(self, size: int, realized: int, fee: int) -> None:
        """Takes `size` off (all of it ends the position) and books the result; pays nothing out."""
        self.cost -= self.cost_of(size)
        self.size -= size
        self.collateral += realized - fee
