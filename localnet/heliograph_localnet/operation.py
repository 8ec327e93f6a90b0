"""What can be asked of the exchange: one value an instruction, with who asks. Replayed after a fork."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from heliograph_localnet.exchange.arithmetic import Side
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.facts import Fact, Terms
from heliograph_localnet.now import Now

Home = Literal["positions", "vault"]
"""Which of the two programs an instruction is sent to."""


class Operation(msgspec.Struct, frozen=True, gc=False):
    """name: of the instruction in the IDL. by: who signs and pays."""

    name: ClassVar[str]
    home: ClassVar[Home] = "positions"

    by: str

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        """Raises Refusal, nothing changed, where the program would return an error."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does")

    def args(self) -> dict[str, Any]:
        """The instruction's arguments, as the IDL names them."""
        return {}


class CreateMarket(Operation, frozen=True, gc=False):
    name = "create_market"

    market: str
    terms: Terms

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.create_market(self.market, self.terms, now)

    def args(self) -> dict[str, Any]:
        return msgspec.structs.asdict(self.terms)


class SetPrice(Operation, frozen=True, gc=False):
    """price, confidence: quote per base, 6 decimals. publish_time: unix seconds, None for now."""

    name = "update_oracle"

    market: str
    price: int
    confidence: int
    publish_time: int

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.set_price(self.market, self.price, self.confidence, self.publish_time, now)

    def args(self) -> dict[str, Any]:
        return {"price": self.price, "confidence": self.confidence, "publish_time": self.publish_time}


class UpdateFunding(Operation, frozen=True, gc=False):
    name = "update_funding"

    market: str

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.update_funding(self.market, now)


class SettleFunding(Operation, frozen=True, gc=False):
    """most: positions in this transaction."""

    name = "settle_funding"

    market: str
    most: int

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.settle_funding(self.market, now, self.most)


class PlaceOrder(Operation, frozen=True, gc=False):
    """price: None for a market order. collateral: offered for the whole size."""

    name = "place_order"

    market: str
    side: Side
    size: int
    price: int | None = None
    reduce_only: bool = False
    collateral: int = 0

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.place_order(
            self.market,
            self.by,
            self.side,
            self.size,
            now,
            price=self.price,
            reduce_only=self.reduce_only,
            collateral=self.collateral,
        )

    def args(self) -> dict[str, Any]:
        return {
            "side": self.side.capitalize(),
            "kind": "Market" if self.price is None else "Limit",
            "price": self.price,
            "size": self.size,
            "reduce_only": self.reduce_only,
            "collateral": self.collateral,
        }


class Liquidate(Operation, frozen=True, gc=False):
    """wallet: whose position is taken over; `by` takes it."""

    name = "liquidate"

    market: str
    wallet: str

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.liquidate(self.market, self.wallet, self.by, now)


class Deposit(Operation, frozen=True, gc=False):
    name = "deposit"
    home = "vault"

    amount: int

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.deposit(self.by, self.amount, now)

    def args(self) -> dict[str, Any]:
        return {"amount": self.amount}


class Withdraw(Operation, frozen=True, gc=False):
    name = "withdraw"
    home = "vault"

    amount: int

    def run(self, exchange: Exchange, now: Now) -> list[Fact]:
        return exchange.withdraw(self.by, self.amount, now)

    def args(self) -> dict[str, Any]:
        return {"amount": self.amount}
