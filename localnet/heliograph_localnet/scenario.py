"""The traffic of a busy exchange: seeded traders, market makers, keepers and prices. Operations out, nothing done here.

A scenario is asked once a slot and yields operations; whoever asks carries each out before taking the next, so that
the scenario sees what became of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from heliograph_localnet.addresses import named
from heliograph_localnet.exchange.arithmetic import BASE, RATIO, Side
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.market import Market
from heliograph_localnet.manner import PLAIN, Manner, draw
from heliograph_localnet.now import Now
from heliograph_localnet.operation import (
    Deposit,
    Liquidate,
    Operation,
    PlaceOrder,
    SetPrice,
    SettleFunding,
    UpdateFunding,
    Withdraw,
)

USD = 1_000_000
"""One quote unit in the programs' integers."""
JUMPS_AT = (6, 12, 18, 24)
"""Seconds at which a market's price jumps for sure, one market after the other, so that each run liquidates early."""
MAKERS = 6
LIQUIDATORS = 3
_PER_SETTLEMENT = 16
_LIQUIDATIONS_A_SLOT = 4
_VOLATILITY = 0.000_6
"""Standard deviation of a price's change in one second."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """An operation, and how its transaction comes along. None: a foreign transaction that merely names godark."""

    operation: Operation | None
    manner: Manner


class Scenario:
    """rate: transactions a second; what keepers need comes first, traders get the rest.

    traders, arrivals: how many wallets in all, and how many new ones a second. jump_probability: a second and market.
    """

    def __init__(
        self, *, seed: int, rate: float, slot_ms: int, traders: int, arrivals: float, jump_probability: float
    ) -> None:
        self._chance = Random(f"scenario/{seed}")
        self._seed = seed
        self._slot_ms = slot_ms
        self._slots_a_second = 1000 / slot_ms
        self.set_rate(rate)
        self._most_traders = traders
        self._arrivals = arrivals
        self._jump_probability = jump_probability
        self._owed = 0.0
        self._arriving = 0.0
        self._started: int | None = None
        self._second = -1
        self._jumps = list(JUMPS_AT)
        self.traders: list[str] = []
        self._endangered: list[tuple[str, str]] = []
        self.keeper = named(seed, "keeper")
        self._makers = [named(seed, "maker", number) for number in range(MAKERS)]
        self._liquidators = [named(seed, "liquidator", number) for number in range(LIQUIDATORS)]

    def set_rate(self, rate: float) -> None:
        """Transactions a second from the next slot on."""
        self._per_slot = rate * self._slot_ms / 1000
        self._per_second = rate

    def slot(self, exchange: Exchange, now: Now) -> Iterator[Request]:
        """What happens in one slot."""
        self._owed += self._per_slot
        for request in self._keepers(exchange, now):
            self._owed -= 1
            yield request
        self._arriving = min(self._arriving + self._arrivals / self._slots_a_second, 1 + self._owed)
        while self._owed >= 1:
            self._owed -= 1
            yield self._trader(exchange)
        # What keepers took beyond their share is paid back slowly: trade never stops for long.
        self._owed = max(self._owed, -self._per_second)

    def skips(self, probability: float) -> bool:
        """Whether this slot makes no block."""
        return self._chance.random() < probability

    def _keepers(self, exchange: Exchange, now: Now) -> Iterator[Request]:
        if self._started is None:
            self._started = now.time
            for wallet in (*self._makers, *self._liquidators):
                yield Request(Deposit(wallet, 20_000_000 * USD), PLAIN)
        if now.time != self._second:
            self._second = now.time
            for market in list(exchange.markets.values()):
                yield from self._second_of(exchange, market, now)
        for market in exchange.markets.values():
            if market.settlement is not None or market.due(now.time):
                yield Request(self._settle(market), PLAIN)
                while market.settlement is not None:
                    yield Request(self._settle(market), PLAIN)
        yield from self._liquidate(exchange)

    def _settle(self, market: Market) -> SettleFunding:
        return SettleFunding(self.keeper, market.address, _PER_SETTLEMENT)

    def _second_of(self, exchange: Exchange, market: Market, now: Now) -> Iterator[Request]:
        if market.index_price:
            tick = market.terms.tick_size
            price = max(
                tick, round(market.index_price * (1 + self._move(exchange, market, now))) // tick * tick
            )
            publish = SetPrice(self.keeper, market.address, price, price // 2_000, now.time)
            yield Request(publish, self._manner())
            yield Request(UpdateFunding(self.keeper, market.address), PLAIN)
            known = set(self._endangered)
            fresh = [(market.address, held.wallet) for held in exchange.unhealthy(market.address)]
            self._endangered += [each for each in fresh if each not in known]

    def _move(self, exchange: Exchange, market: Market, now: Now) -> float:
        chance, elapsed = self._chance, now.time - (self._started or 0)
        due = self._jumps and elapsed >= self._jumps[0]
        turn = (len(JUMPS_AT) - len(self._jumps)) % len(exchange.markets)
        certain = bool(due) and market.number == turn
        if certain:
            self._jumps.pop(0)
        if certain or chance.random() < self._jump_probability:
            return chance.choice((-1, 1)) * chance.uniform(0.02, 0.06)
        return chance.gauss(0, _VOLATILITY)

    def _liquidate(self, exchange: Exchange) -> Iterator[Request]:
        done = 0
        while self._endangered and done < _LIQUIDATIONS_A_SLOT:
            address, wallet = self._endangered.pop(0)
            market, held = exchange.markets[address], exchange.position(wallet, address)
            if held is None or held.equity(market.mark_price) >= held.required(market.mark_price):
                continue
            done += 1
            keeper = self._chance.choice([each for each in self._liquidators if each != wallet])
            yield Request(Liquidate(keeper, address, wallet), self._manner())

    def _trader(self, exchange: Exchange) -> Request:
        chance, wallet = self._chance, None
        if self._arriving >= 1 and len(self.traders) < self._most_traders:
            self._arriving -= 1
            wallet = named(self._seed, "trader", len(self.traders))
            self.traders.append(wallet)
            return Request(Deposit(wallet, round(chance.lognormvariate(9, 1)) * USD + USD), self._manner())
        markets = [market for market in exchange.markets.values() if market.index_price]
        if not markets or not self.traders:
            return Request(Deposit(chance.choice(self._makers), 1_000 * USD), self._manner())
        market = chance.choice(markets)
        if chance.random() < 0.3:
            return Request(self._quote(market), self._manner())
        wallet = chance.choice(self.traders)
        dice = chance.random()
        if dice < 0.60:
            return Request(self._order(exchange, market, wallet), self._manner())
        if dice < 0.86:
            return Request(self._way_out(exchange, market, wallet), self._manner())
        if dice < 0.92:
            return Request(Deposit(wallet, chance.randrange(100, 5_000) * USD), self._manner())
        if dice < 0.95:
            return Request(Withdraw(wallet, exchange.vault.free(wallet) // 4 or 1), self._manner())
        if dice < 0.96:
            return Request(None, PLAIN)
        return Request(self._mistake(exchange, market, wallet), self._manner())

    def _quote(self, market: Market) -> PlaceOrder:
        """A market maker's resting order."""
        chance = self._chance
        side: Side = chance.choice(("long", "short"))
        away = abs(chance.gauss(0.000_5, 0.000_8)) + 0.000_1
        price = self._price(market, side, -away)
        size = self._size(market, chance.lognormvariate(10.5, 0.7))
        return PlaceOrder(
            chance.choice(self._makers), market.address, side, size, price, False, _worth(price, size) // 4
        )

    def _order(self, exchange: Exchange, market: Market, wallet: str) -> PlaceOrder:
        """A trader's order, sized by what the wallet has and the leverage it likes."""
        chance = self._chance
        stake = exchange.vault.free(wallet) / USD * chance.uniform(0.05, 0.4)
        most = RATIO / market.terms.initial_margin_ratio
        leverage = chance.choice((2, 3, 5, 0.6 * most, 0.85 * most, 0.95 * most))
        size = self._size(market, max(stake * min(leverage, 0.95 * most), 1))
        side: Side = chance.choice(("long", "short"))
        price = None
        if chance.random() < 0.4:
            price = self._price(market, side, chance.gauss(-0.000_3, 0.000_8))
        return PlaceOrder(wallet, market.address, side, size, price, False, round(stake * USD))

    def _way_out(self, exchange: Exchange, market: Market, wallet: str) -> PlaceOrder:
        """A reduce-only order for all or half of what the wallet holds; an ordinary order where it holds nothing."""
        held = exchange.position(wallet, market.address)
        if held is None:
            return self._order(exchange, market, wallet)
        lot = market.terms.lot_size
        size = held.size if self._chance.random() < 0.7 else max(lot, held.size // 2 // lot * lot)
        side: Side = "short" if held.side == "long" else "long"
        return PlaceOrder(wallet, market.address, side, size, None, True, 0)

    def _mistake(self, exchange: Exchange, market: Market, wallet: str) -> Operation:
        """Something that the programs refuse."""
        side: Side = self._chance.choice(("long", "short"))
        lot, tick = market.terms.lot_size, market.terms.tick_size
        match self._chance.randrange(5):
            case 0:
                return Withdraw(wallet, exchange.vault.free(wallet) + USD)
            case 1:
                return PlaceOrder(wallet, market.address, side, lot + 1)
            case 2:
                return PlaceOrder(wallet, market.address, side, lot, market.index_price * 2 // tick * tick)
            case 3:
                poor = named(self._seed, "nobody", self._chance.randrange(50))
                return PlaceOrder(poor, market.address, side, 100 * lot)
            case _:
                return Liquidate(wallet, market.address, self._chance.choice(self._makers))

    def _price(self, market: Market, side: Side, better: float) -> int:
        """A limit price `better` (fraction) than the mark for the other side."""
        towards = better if side == "long" else -better
        tick = market.terms.tick_size
        return max(tick, round(market.mark_price * (1 + towards)) // tick * tick)

    def _size(self, market: Market, dollars: float) -> int:
        lot = market.terms.lot_size
        return max(lot, round(dollars * USD * BASE / market.mark_price) // lot * lot)

    def _manner(self) -> Manner:
        return draw(self._chance)


def _worth(price: int, size: int) -> int:
    return price * size // BASE
