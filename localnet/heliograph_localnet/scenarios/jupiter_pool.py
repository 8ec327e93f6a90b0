"""A pool that lends what positions are made of, as Jupiter's program keeps it: the scenario's own books, in integers.

Units are the program's: USD and prices 6 decimals, rates 9, token amounts in the mint's own. What a position is in base,
which the program does not count, is kept beside it as the tables' documentation defines it: what each USD bought at its
price, rounded half-even to 18 places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal

Side = Literal["long", "short"]
RATE = 10**9
HOUR = 3_600
FEE_BPS = 6
LEVERAGE_BPS = 5_000_000
"""500 times: a position whose collateral is below a five hundredth of its size is liquidated."""
IMPACT_SCALAR = 1_250_000_000_000_000
"""USD with 6 decimals of which a trade pays its share as a fee for moving the price."""


def units(amount: int, places: int) -> Decimal:
    """An integer with so many decimals. Exact, whatever its size."""
    return Decimal(f"{amount}E-{places}")


def rounded(value: Fraction) -> Decimal:
    """Half-even to 18 places."""
    return units(round(value * 10**18), 18)


@dataclass
class Custody:
    """One token of the pool. dbps: hourly rate at full utilization, 1/100,000; 0: by the curve, which stands in `curve`.

    cumulative: interest per USD since the beginning, 9 decimals. shorts, short_price: of all shorts in this token.
    """

    address: str
    mint: str
    oracle: str
    symbol: str | None
    decimals: int
    owned: int
    dbps: int
    curve: tuple[int, int, int, int]
    updated: int = 0
    locked: int = 0
    cumulative: int = 0
    shorts: int = 0
    short_price: int = 0

    def rate(self) -> int:
        """Fraction of a position's size per hour, 9 decimals."""
        if not self.dbps:
            least, most, kink, target = self.curve
            used = self.locked * RATE // self.owned
            if used <= target:
                yearly = _up(Fraction((kink - least) * used, target)) + least
            else:
                yearly = _up(Fraction((most - kink) * (used - target), RATE - target)) + kink
            return yearly * RATE // 10_000 // (24 * 365)
        return _up(Fraction(self.locked * self.dbps * 10_000, self.owned)) if self.locked else 0

    def accrue(self, time: int) -> None:
        """Lets interest grow until `time`, unix seconds."""
        self.cumulative += _up(Fraction(self.rate() * (time - self.updated), HOUR))
        self.updated = time


@dataclass
class Life:
    """One life of a position, summed up. base, entry: as the tables define them; the rest USD with 6 decimals."""

    number: int
    base: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    entry: Decimal = Decimal(0)
    realized: int = 0
    fees: int = 0
    borrow: int = 0
    impact: int = 0
    exit: Decimal | None = None
    status: str = "open"


@dataclass
class Position:
    """What the program's account holds; it stays when the position is closed, and is used again."""

    key: str
    owner: str
    custody: Custody
    collateral_custody: Custody
    side: Side
    size: int = 0
    price: int = 0
    collateral: int = 0
    realised: int = 0
    opened: int = 0
    changed: int = 0
    snapshot: int = 0
    locked: int = 0
    life: Life = field(default_factory=lambda: Life(0))


@dataclass(frozen=True)
class Change:
    """What one transaction did. pnl: signed, before fees. value: in quote, of the base that changed hands.

    fee: all of it; position, borrow, impact: its parts. size_after: USD. base: signed. left: what was taken to keep a
    liquidation's rest. lacking: quote that the collateral did not cover.
    """

    delta: int
    size_after: int
    base: Decimal
    price: int
    entry: int
    value: Decimal
    fee: int
    position: int
    borrow: int
    impact: int
    pnl: int
    collateral_before: int
    collateral_after: int
    transfer: int
    left: int = 0
    lacking: int = 0


class Unaffordable(ValueError):
    """The fees are more than the collateral."""


def increase(held: Position, delta: int, collateral: int, price: int, time: int) -> Change:
    """delta: USD of size; collateral: USD put in; 0 of either leaves it. Raises Unaffordable, nothing changed."""
    _accrue(held, time)
    borrow, fee, impact = _borrowed(held), _fee(delta), _impact(delta)
    before = held.collateral
    if before + collateral <= borrow + fee + impact:
        raise Unaffordable(f"{held.key} cannot pay its fees")
    if not held.size:
        held.life = Life(held.life.number + 1)
        held.opened, held.realised, held.price = time, 0, price
    life = held.life
    bought = rounded(Fraction(delta, price))
    if delta:
        entered = Fraction(life.base) * Fraction(life.entry) + Fraction(bought) * Fraction(price, 10**6)
        life.entry = (
            units(price, 6) if not life.base else rounded(entered / (Fraction(life.base) + Fraction(bought)))
        )
        # USD for base: the average is that of the base which both sizes bought.
        if held.size:
            held.price = (held.size + delta) * held.price * price // (held.size * price + delta * held.price)
    life.base += bought
    life.most = max(life.most, life.base)
    held.size += delta
    held.collateral += collateral - borrow - fee - impact
    held.snapshot, held.changed = held.collateral_custody.cumulative, time
    _lock(held, delta, price)
    _pay(life, borrow, fee, impact)
    return Change(
        delta=delta,
        size_after=held.size,
        base=bought,
        price=price,
        entry=held.price,
        value=units(delta, 6),
        fee=borrow + fee + impact,
        position=fee,
        borrow=borrow,
        impact=impact,
        pnl=0,
        collateral_before=before,
        collateral_after=held.collateral,
        transfer=0,
    )


def decrease(held: Position, delta: int, price: int, time: int, *, withdraw: int = 0) -> Change:
    """delta: USD of size, all of it to close; withdraw: USD of collateral. Raises Unaffordable, nothing changed."""
    _accrue(held, time)
    life, before, size = held.life, held.collateral, held.size
    borrow, fee, impact = _borrowed(held), _fee(delta), _impact(delta)
    pnl = _pnl(held, delta, price)
    after = before + min(pnl, 0) - borrow - fee - impact - withdraw
    if after < 0 or (after == 0 and delta < size):
        raise Unaffordable(f"{held.key} cannot pay its loss and fees")
    transfer = withdraw + max(pnl, 0) + (after if delta == size else 0)
    held.collateral = 0 if delta == size else after
    held.size -= delta
    held.realised += pnl
    held.snapshot, held.changed = held.collateral_custody.cumulative, time
    _lock(held, -delta, held.price)
    was, left = rounded(Fraction(size, held.price)), rounded(Fraction(held.size, held.price))
    life.base, life.entry, life.realized = left, units(held.price, 6), life.realized + pnl
    _pay(life, borrow, fee, impact)
    if not held.size:
        life.status, life.exit = "closed", units(price, 6)
    return Change(
        delta=delta,
        size_after=held.size,
        base=left - was,
        price=price,
        entry=held.price,
        value=rounded(Fraction(delta * price, held.price * 10**6)),
        fee=borrow + fee + impact,
        position=fee,
        borrow=borrow,
        impact=impact,
        pnl=pnl,
        collateral_before=before,
        collateral_after=held.collateral,
        transfer=transfer,
    )


def liquidate(held: Position, price: int, time: int) -> Change:
    """All of it goes; what the loss and the fees leave of the collateral is the fee of the liquidation."""
    _accrue(held, time)
    life, size, before = held.life, held.size, held.collateral
    borrow, fee, impact = _borrowed(held), _fee(size), _impact(size)
    pnl = _pnl(held, size, price)
    rest = before + pnl - borrow - fee - impact
    left = max(rest, 0)
    held.size = held.collateral = 0
    held.realised += pnl
    held.changed = time
    _lock(held, -size, held.price)
    base = rounded(Fraction(size, held.price))
    life.base, life.entry, life.realized = Decimal(0), units(held.price, 6), life.realized + pnl
    life.status, life.exit = "liquidated", units(price, 6)
    _pay(life, borrow, fee + left, impact)
    return Change(
        delta=size,
        size_after=0,
        base=-base,
        price=price,
        entry=held.price,
        value=rounded(Fraction(size * price, held.price * 10**6)),
        fee=borrow + fee + impact,
        position=fee,
        borrow=borrow,
        impact=impact,
        pnl=pnl,
        collateral_before=before,
        collateral_after=0,
        transfer=0,
        left=left,
        lacking=max(-rest, 0),
    )


def unhealthy(held: Position, price: int) -> bool:
    """Whether a keeper would liquidate it; interest since the last change left out."""
    if not held.size:
        return False
    rest = held.collateral + _pnl(held, held.size, price) - _fee(held.size) - _impact(held.size)
    return rest * LEVERAGE_BPS < held.size * 10_000


def _accrue(held: Position, time: int) -> None:
    held.custody.accrue(time)
    held.collateral_custody.accrue(time)


def _borrowed(held: Position) -> int:
    owed = held.collateral_custody.cumulative - held.snapshot if held.size else 0
    return _up(Fraction(owed * held.size, RATE))


def _fee(delta: int) -> int:
    return _up(Fraction(delta * FEE_BPS, 10_000))


def _impact(delta: int) -> int:
    return _up(Fraction(delta * delta, IMPACT_SCALAR))


def _pnl(held: Position, delta: int, price: int) -> int:
    won = price - held.price if held.side == "long" else held.price - price
    amount = delta * abs(won) // held.price
    return amount if won > 0 else -amount


def _lock(held: Position, delta: int, price: int) -> None:
    """Longs are covered by their own token, shorts by USD."""
    custody = held.collateral_custody
    tokens = abs(delta) * 10**custody.decimals // price if held.side == "long" else abs(delta)
    tokens = held.locked if delta < 0 and not held.size else min(tokens, held.locked) if delta < 0 else tokens
    held.locked += tokens if delta >= 0 else -tokens
    custody.locked += tokens if delta >= 0 else -tokens
    if held.side == "short":
        token = held.custody
        if delta > 0 and token.shorts:
            token.short_price = (
                (token.shorts + delta)
                * token.short_price
                * price
                // (token.shorts * price + delta * token.short_price)
            )
        elif delta > 0:
            token.short_price = price
        token.shorts += delta


def _pay(life: Life, borrow: int, fee: int, impact: int) -> None:
    life.fees += borrow + fee + impact
    life.borrow += borrow
    life.impact += impact


def _up(value: Fraction) -> int:
    return -((-value.numerator) // value.denominator)
