"""Clearing: what a fill does to the position of one side, and to the vault. Called twice a fill."""

from __future__ import annotations

from collections.abc import Callable

from heliograph_localnet.exchange.arithmetic import Side, margin_of
from heliograph_localnet.exchange.facts import (
    CloseReason,
    CollateralLocked,
    CollateralReleased,
    Fact,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
    UpdateReason,
)
from heliograph_localnet.exchange.market import Market
from heliograph_localnet.exchange.position import Position
from heliograph_localnet.exchange.vault import Vault
from heliograph_localnet.now import Now

PositionKey = Callable[[str, str], str]
"""(wallet, market) -> key of the one position that the wallet may hold there."""


class Leg:
    """One side of a fill. fee: negative is a rebate. offer, offered_for: collateral offered, and for which size."""

    __slots__ = ("fee", "offer", "offered_for", "side", "size", "wallet")

    def __init__(self, wallet: str, side: Side, size: int, fee: int, offer: int, offered_for: int) -> None:
        self.wallet = wallet
        self.side = side
        self.size = size
        self.fee = fee
        self.offer = offer
        self.offered_for = offered_for


class Clearing:
    """Positions and vault, changed together."""

    def __init__(self, vault: Vault, position_key: PositionKey) -> None:
        self.vault = vault
        self.positions: dict[tuple[str, str], Position] = {}
        self._key = position_key
        self._births = 0

    def key(self, wallet: str, market: str) -> str:
        return self._key(wallet, market)

    def get(self, wallet: str, market: str) -> Position | None:
        return self.positions.get((wallet, market))

    def affordable(self, market: Market, leg: Leg, quote: int) -> bool:
        """Whether the wallet has the collateral that its side of the fill would lock."""
        held = self.get(leg.wallet, market.address)
        free = self.vault.free(leg.wallet)
        if held is None or held.side == leg.side:
            return free >= self._lock(market, leg, leg.size, quote, leg.fee)
        if leg.size <= held.size:
            return True
        closing, opening = _split(leg, quote, held.size)
        end = held.collateral + held.result_of(held.size, closing[1]) - closing[2]
        return free + max(0, end) >= self._lock(market, leg, *opening)

    def settle(self, market: Market, leg: Leg, price: int, quote: int, fill_id: int, now: Now) -> list[Fact]:
        """Books one side of a fill. Raises ValueError where `affordable` was not asked first."""
        held = self.get(leg.wallet, market.address)
        if held is None:
            return self._open(market, leg, leg.size, price, quote, leg.fee, fill_id, now)
        if held.side == leg.side:
            return self._increase(market, held, leg, price, quote, fill_id, now)
        if leg.size < held.size:
            return self._decrease(market, held, leg, price, quote, fill_id, now)
        if leg.size == held.size:
            return self._close(market, held, price, quote, leg.fee, fill_id, now)
        (_, closing_quote, closing_fee), (size, opening_quote, fee) = _split(leg, quote, held.size)
        facts = self._close(market, held, price, closing_quote, closing_fee, fill_id, now)
        return facts + self._open(market, leg, size, price, opening_quote, fee, fill_id, now)

    def liquidate(
        self,
        market: Market,
        held: Position,
        size: int,
        price: int,
        quote: int,
        fee: int,
        fill_id: int,
        now: Now,
    ) -> tuple[list[Fact], int, int]:
        """Takes `size` off an unhealthy position. Returns (facts, realized result, bad debt)."""
        if size == held.size:
            realized = held.result_of(size, quote)
            bad_debt = max(0, -(held.collateral + realized - fee))
            facts = self._close(market, held, price, quote, fee, fill_id, now, "liquidation")
            return facts, realized, bad_debt
        # What is left keeps all of the collateral: that is what makes it healthier.
        before = held.collateral
        realized = self._shrink(market, held, size, quote, fee, now)
        updated = self._updated(held, "liquidation", -size, price, before, realized, fee, fill_id, now)
        return [updated], realized, 0

    def _lock(self, market: Market, leg: Leg, size: int, quote: int, fee: int) -> int:
        """What an opening of `size` locks: the offer's share, and never less than the initial margin and the fee."""
        least = margin_of(quote, market.terms.initial_margin_ratio) + max(0, fee)
        return max(leg.offer * size // leg.offered_for, least)

    def _open(
        self, market: Market, leg: Leg, size: int, price: int, quote: int, fee: int, fill_id: int, now: Now
    ) -> list[Fact]:
        amount = self._lock(market, leg, size, quote, fee)
        key = self._key(leg.wallet, market.address)
        locked = self._locked(leg.wallet, key, amount, now)
        self._births += 1
        held = Position(
            key=key,
            market=market.address,
            wallet=leg.wallet,
            side=leg.side,
            size=size,
            price=price,
            cost=quote,
            locked=amount,
            fee=fee,
            maintenance=market.terms.maintenance_margin_ratio,
            birth=self._births,
            slot=now.slot,
        )
        self.positions[leg.wallet, market.address] = held
        self.vault.treasury += fee
        _interest(market, leg.side, size)
        opened = PositionOpened(
            market.address,
            leg.wallet,
            key,
            leg.side,
            size,
            price,
            amount,
            fee,
            held.collateral,
            held.liquidation_price,
            fill_id,
            now.time,
        )
        return [locked, opened]

    def _increase(
        self, market: Market, held: Position, leg: Leg, price: int, quote: int, fill_id: int, now: Now
    ) -> list[Fact]:
        amount = self._lock(market, leg, leg.size, quote, leg.fee)
        locked = self._locked(leg.wallet, held.key, amount, now)
        before = held.collateral
        held.increase(leg.size, quote, amount, leg.fee)
        held.updated_slot = now.slot
        self.vault.treasury += leg.fee
        _interest(market, held.side, leg.size)
        updated = self._updated(held, "increase", leg.size, price, before, 0, leg.fee, fill_id, now)
        return [locked, updated]

    def _decrease(
        self, market: Market, held: Position, leg: Leg, price: int, quote: int, fill_id: int, now: Now
    ) -> list[Fact]:
        before = held.collateral
        amount = held.locked * leg.size // held.size
        share = held.collateral * leg.size // held.size
        realized = self._shrink(market, held, leg.size, quote, leg.fee, now)
        # Its share of the collateral and the result are paid out; a loss above the share stays in the position.
        returned = max(0, share + realized - leg.fee)
        held.collateral -= returned
        held.locked -= amount
        updated = self._updated(held, "decrease", -leg.size, price, before, realized, leg.fee, fill_id, now)
        return [updated, self._released(leg.wallet, held.key, amount, returned, now)]

    def _close(
        self,
        market: Market,
        held: Position,
        price: int,
        quote: int,
        fee: int,
        fill_id: int,
        now: Now,
        reason: CloseReason = "close",
    ) -> list[Fact]:
        size, before = held.size, held.collateral
        realized = self._shrink(market, held, size, quote, fee, now)
        returned = max(0, held.collateral)
        self.vault.treasury += min(0, held.collateral)
        del self.positions[held.wallet, market.address]
        closed = PositionClosed(
            market.address,
            held.wallet,
            held.key,
            held.side,
            reason,
            size,
            price,
            -before,
            realized,
            fee,
            fill_id,
            now.time,
        )
        return [closed, self._released(held.wallet, held.key, held.locked, returned, now)]

    def _shrink(self, market: Market, held: Position, size: int, quote: int, fee: int, now: Now) -> int:
        realized = held.result_of(size, quote)
        held.shrink(size, realized, fee)
        held.updated_slot = now.slot
        self.vault.treasury += fee - realized
        _interest(market, held.side, -size)
        return realized

    def _updated(
        self,
        held: Position,
        reason: UpdateReason,
        size_delta: int,
        price: int,
        before: int,
        realized: int,
        fee: int,
        fill_id: int,
        now: Now,
    ) -> PositionUpdated:
        return PositionUpdated(
            held.market,
            held.wallet,
            held.key,
            held.side,
            reason,
            size_delta,
            held.size,
            price,
            held.entry_price,
            held.collateral - before,
            held.collateral,
            realized,
            fee,
            held.liquidation_price,
            fill_id,
            now.time,
        )

    def _locked(self, wallet: str, key: str, amount: int, now: Now) -> CollateralLocked:
        purse = self.vault.lock(wallet, amount)
        return CollateralLocked(wallet, self.vault.mint, key, amount, purse.free, purse.locked, now.time)

    def _released(self, wallet: str, key: str, amount: int, returned: int, now: Now) -> CollateralReleased:
        purse = self.vault.release(wallet, amount, returned)
        return CollateralReleased(
            wallet, self.vault.mint, key, amount, returned, purse.free, purse.locked, now.time
        )


def _split(leg: Leg, quote: int, held: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """A flip as (size, quote, fee) of what closes and of what opens; nothing is lost between them."""
    closing_quote = quote * held // leg.size
    closing_fee = leg.fee * held // leg.size
    return (held, closing_quote, closing_fee), (leg.size - held, quote - closing_quote, leg.fee - closing_fee)


def _interest(market: Market, side: Side, size: int) -> None:
    if side == "long":
        market.open_long += size
    else:
        market.open_short += size
