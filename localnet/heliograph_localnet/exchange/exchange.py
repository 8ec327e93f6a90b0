"""The exchange: every operation a program instruction asks for. Pure: no clock, no chance, no I/O.

Each operation takes `now`, returns the facts it brought about, in order, and is all or nothing: a Refusal has
changed nothing.
"""

from __future__ import annotations

from heliograph_localnet.exchange.arithmetic import Side, fee_of, funding_payment, other, quote_of
from heliograph_localnet.exchange.book import Order
from heliograph_localnet.exchange.clearing import Clearing, Leg, PositionKey
from heliograph_localnet.exchange.facts import (
    CollateralDeposited,
    CollateralWithdrawn,
    Fact,
    FundingRatePaid,
    FundingRateUpdated,
    LiquidationExecuted,
    MarketCreated,
    OraclePriceUpdated,
    OrderKind,
    OrderPlaced,
    Terms,
)
from heliograph_localnet.exchange.market import INTEREST, Market, Settlement
from heliograph_localnet.exchange.matching import Matching
from heliograph_localnet.exchange.position import Position
from heliograph_localnet.exchange.refusal import Refusal
from heliograph_localnet.exchange.vault import Vault
from heliograph_localnet.now import Now

LIQUIDATION_FEE = 10_000
"""Fraction of the quote taken, 6 decimals; never more than the equity that is left."""
SMALL_POSITION = 10_000_000_000
"""Quote, 6 decimals: a position worth less is liquidated whole."""


class Exchange:
    """price_band: a fill is at most this far from the mark (ratio, 6 decimals); a limit price at most five times.

    most_fills: of one order in one instruction; what is left of it is then dropped, so that the book never crosses.
    oracle_age_s: an older index stops trading. order_life_s: resting orders end after it.
    """

    def __init__(
        self,
        *,
        mint: str,
        position_key: PositionKey,
        price_band: int = 20_000,
        most_fills: int = 3,
        oracle_age_s: int = 600,
        order_life_s: int = 60,
    ) -> None:
        self.vault = Vault(mint)
        self.clearing = Clearing(self.vault, position_key)
        self.markets: dict[str, Market] = {}
        self.price_band = price_band
        self.oracle_age_s = oracle_age_s
        self.order_life_s = order_life_s
        self._matching = Matching(self.clearing, price_band, most_fills)

    def position(self, wallet: str, market: str) -> Position | None:
        return self.clearing.get(wallet, market)

    def create_market(self, address: str, terms: Terms, now: Now) -> list[Fact]:
        """Raises ValueError where the market exists."""
        if address in self.markets:
            raise ValueError(f"market {address} exists already")
        self.markets[address] = Market(address, len(self.markets), terms, now.slot, now.time)
        return [MarketCreated(address, terms, now.time)]

    def set_price(self, address: str, price: int, confidence: int, publish_time: int, now: Now) -> list[Fact]:
        """The oracle's word. price, confidence: quote per base, 6 decimals."""
        market = self.markets[address]
        if price <= 0:
            raise Refusal("PriceOutOfBounds")
        market.observe(price, now.time)
        market.updated_slot = now.slot
        return [OraclePriceUpdated(address, market.terms.oracle, price, confidence, publish_time)]

    def deposit(self, wallet: str, amount: int, now: Now) -> list[Fact]:
        purse = self.vault.deposit(wallet, amount)
        return [CollateralDeposited(wallet, self.vault.mint, amount, purse.free, purse.locked, now.time)]

    def withdraw(self, wallet: str, amount: int, now: Now) -> list[Fact]:
        purse = self.vault.withdraw(wallet, amount)
        return [CollateralWithdrawn(wallet, self.vault.mint, amount, purse.free, purse.locked, now.time)]

    def place_order(
        self,
        address: str,
        wallet: str,
        side: Side,
        size: int,
        now: Now,
        *,
        price: int | None = None,
        reduce_only: bool = False,
        collateral: int = 0,
    ) -> list[Fact]:
        """Matches an order, then rests what is left of a limit order. price None: a market order.

        collateral: offered for the whole size; an opening locks its share of it, at least the initial margin.
        """
        market = self.markets[address]
        self._check_order(market, size, price, now)
        number = self._matching.orders + 1
        kind: OrderKind = "market" if price is None else "limit"
        placed = OrderPlaced(address, wallet, number, side, kind, price, size, reduce_only, now.time)
        order = Order(
            order_id=number,
            wallet=wallet,
            side=side,
            price=market.mark_price if price is None else price,
            size=size,
            reduce_only=reduce_only,
            collateral=collateral,
            expires=now.time + self.order_life_s,
        )
        try:
            facts, rests = self._matching.match(market, order, now, any_price=price is None)
        except Refusal as refusal:
            raise Refusal(refusal.reason, (placed, *refusal.said)) from None
        self._matching.orders += 1
        market.updated_slot = now.slot
        if price is not None and rests and order.left and not market.book.crosses(side, price):
            market.book.rest(order)
        return [placed, *facts]

    def update_funding(self, address: str, now: Now) -> list[Fact]:
        """One second's funding rate. Raises Refusal before the oracle spoke."""
        market = self.markets[address]
        if not market.index_price:
            raise Refusal("StaleOracle")
        market.book.expire(now.time)
        premium, rate = market.update_funding()
        market.updated_slot = now.slot
        return [
            FundingRateUpdated(
                address,
                market.mark_price,
                market.index_price,
                premium,
                INTEREST,
                rate,
                market.terms.funding_interval_seconds,
                now.time,
            )
        ]

    def settle_funding(self, address: str, now: Now, most: int = 8) -> list[Fact]:
        """Settles up to `most` positions of the interval that ended; begins a settlement where none is under way.

        `markets[address].settlement` is None again once every position has paid.
        """
        market = self.markets[address]
        if market.settlement is None:
            waiting = [
                (held.wallet, held.birth)
                for held in reversed(self.clearing.positions.values())
                if held.market == address
            ]
            market.settlement = Settlement(market.end_interval(now.time), market.mark_price, waiting)
        settlement, facts = market.settlement, list[Fact]()
        while settlement.waiting and len(facts) < most:
            wallet, birth = settlement.waiting.pop()
            held = self.clearing.get(wallet, address)
            if held is not None and held.birth == birth:
                facts.append(self._pay_funding(market, held, settlement, now))
        if not settlement.waiting:
            market.settlement = None
        return facts

    def liquidate(self, address: str, wallet: str, liquidator: str, now: Now) -> list[Fact]:
        """Takes over all or half of a position below its maintenance margin, at the mark."""
        market = self.markets[address]
        held = self.clearing.get(wallet, address)
        mark = market.mark_price
        if held is None or wallet == liquidator or held.equity(mark) >= held.required(mark):
            raise Refusal("PositionHealthy")
        tick, lot = market.terms.tick_size, market.terms.lot_size
        price = max(tick, mark // tick * tick if held.side == "long" else -(-mark // tick) * tick)
        size = held.size
        large = quote_of(mark, size) >= SMALL_POSITION and size >= 2 * lot
        if large and held.equity(mark) * 2 > held.required(mark):
            size = (held.size // lot + 1) // 2 * lot
        quote = quote_of(price, size)
        taker_fee = fee_of(quote, market.terms.taker_fee_rate)
        left = held.collateral + held.result_of(held.size, quote_of(price, held.size)) - taker_fee
        penalty = max(0, min(fee_of(quote, LIQUIDATION_FEE), left))
        leg = Leg(liquidator, held.side, size, fee_of(quote, market.terms.maker_fee_rate), 0, size)
        if not self.clearing.affordable(market, leg, quote):
            raise Refusal("InsufficientCollateral")
        fill = self._matching.take(market, wallet, other(held.side), price, quote, taker_fee, leg, now)
        side, key = held.side, held.key
        facts, realized, bad_debt = self.clearing.liquidate(
            market, held, size, price, quote, taker_fee + penalty, fill.fill_id, now
        )
        after = self.clearing.get(wallet, address)
        executed = LiquidationExecuted(
            address,
            wallet,
            liquidator,
            key,
            side,
            fill.fill_id,
            size,
            price,
            mark,
            quote,
            penalty,
            realized,
            bad_debt,
            after.size if after else 0,
            now.time,
        )
        market.updated_slot = now.slot
        return [fill, *facts, executed, *self.clearing.settle(market, leg, price, quote, fill.fill_id, now)]

    def unhealthy(self, address: str) -> list[Position]:
        """Positions that may be liquidated now, oldest first."""
        mark = self.markets[address].mark_price
        return [
            held
            for held in self.clearing.positions.values()
            if held.market == address and held.equity(mark) < held.required(mark)
        ]

    def _pay_funding(
        self, market: Market, held: Position, settlement: Settlement, now: Now
    ) -> FundingRatePaid:
        seconds = market.terms.funding_interval_seconds
        payment = funding_payment(held.side, quote_of(settlement.mark, held.size), settlement.rate, seconds)
        held.collateral += payment
        held.updated_slot = now.slot
        self.vault.treasury -= payment
        return FundingRatePaid(
            market.address,
            held.wallet,
            held.key,
            held.side,
            held.size,
            settlement.rate,
            seconds,
            payment,
            held.collateral,
            held.liquidation_price,
            now.time,
        )

    def _check_order(self, market: Market, size: int, price: int | None, now: Now) -> None:
        if market.paused:
            raise Refusal("MarketPaused")
        if not market.index_price or now.time - market.index_time > self.oracle_age_s:
            raise Refusal("StaleOracle")
        if size <= 0 or size % market.terms.lot_size:
            raise Refusal("InvalidSize")
        if price is not None and (
            price <= 0 or price % market.terms.tick_size or not market.within(price, 5 * self.price_band)
        ):
            raise Refusal("PriceOutOfBounds")
