"""One market: its terms, its book, its prices and its funding."""

from __future__ import annotations

from heliograph_localnet.exchange.arithmetic import RATE, RATIO, clamp
from heliograph_localnet.exchange.book import OrderBook
from heliograph_localnet.exchange.facts import Terms

INTEREST = 12_500
"""Fraction per hour, 9 decimals: 0.01 % in eight hours."""
PREMIUM_HOURS = 8
"""A premium of mark over index is paid over so many hours."""
MOST_RATE = 4_000_000
"""Fraction per hour, 9 decimals: funding never exceeds 0.4 % an hour."""
MOST_BASIS = 5_000
"""Ratio, 6 decimals: the book moves the mark at most this far from the index."""
SMOOTHING = 8
"""Updates over which the basis is averaged (exponentially)."""


class Settlement:
    """A funding interval that is being settled: its average rate and the positions that are still to pay.

    waiting: (wallet, birth of the position), last first.
    """

    __slots__ = ("mark", "rate", "waiting")

    def __init__(self, rate: int, mark: int, waiting: list[tuple[str, int]]) -> None:
        self.rate = rate
        self.mark = mark
        self.waiting = waiting


class Market:
    """open_*: base of all long and all short positions, always equal. Prices: quote per base, 6 decimals."""

    def __init__(self, address: str, number: int, terms: Terms, slot: int, time: int) -> None:
        self.address = address
        self.number = number
        self.terms = terms
        self.book = OrderBook()
        self.paused = False
        self.index_price = 0
        self.index_time = 0
        self.basis = 0
        self.funding_rate = 0
        self.rates_sum = 0
        self.rates_count = 0
        self.interval_start = time
        self.settlement: Settlement | None = None
        self.open_long = 0
        self.open_short = 0
        self.created_slot = slot
        self.created_at = time
        self.updated_slot = slot

    @property
    def mark_price(self) -> int:
        """The index moved by the averaged basis of the book; 0 before the oracle spoke."""
        return self.index_price + self.basis

    def within(self, price: int, ratio: int) -> bool:
        """Whether `price` is at most `ratio` (6 decimals) of the mark away from it."""
        return abs(price - self.mark_price) * RATIO <= self.mark_price * ratio

    def observe(self, price: int, time: int) -> None:
        """The oracle spoke; the basis scales with the index, so that a jump does not make a premium."""
        if self.index_price:
            self.basis = self.basis * price // self.index_price
        self.index_price = price
        self.index_time = time

    def update_funding(self) -> tuple[int, int]:
        """One second's rate from the book. Returns (premium, rate), fractions per hour with 9 decimals."""
        middle = self.book.middle()
        most = self.index_price * MOST_BASIS // RATIO
        seen = 0 if middle is None else clamp(middle - self.index_price, -most, most)
        self.basis += (seen - self.basis) // SMOOTHING
        premium = self.basis * RATE // (self.index_price * PREMIUM_HOURS)
        self.funding_rate = clamp(premium + INTEREST, -MOST_RATE, MOST_RATE)
        self.rates_sum += self.funding_rate
        self.rates_count += 1
        return premium, self.funding_rate

    def end_interval(self, time: int) -> int:
        """Starts the next interval; returns the average rate of the one that ended."""
        average = self.rates_sum // self.rates_count if self.rates_count else self.funding_rate
        self.rates_sum = self.rates_count = 0
        self.interval_start = time
        return average

    def due(self, time: int) -> bool:
        return time - self.interval_start >= self.terms.funding_interval_seconds
