"""Drift's own books on localnet: what each sub-account holds of a market, in the program's integers, and the rows it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from heliograph_core.amounts import quotient, scaled

BASE = 9
QUOTE = 6
Row = dict[str, Any]
Rows = Iterator[tuple[str, Row]]


def share(amount: int, part: int, whole: int) -> int:
    """amount * part / whole, cut off towards zero as the program's division does."""
    units = abs(amount) * part // whole
    return units if amount >= 0 else -units


class Held:
    """One sub-account's base in one market: it lives from one crossing of zero to the next."""

    def __init__(self, user: str, wallet: str, index: int, market: str) -> None:
        self.user, self.wallet, self.market = user, wallet, market
        self.index = index
        self.key = f"{user}-{index}"
        self.base = self.entry = self.life = 0
        self._begin()

    def _begin(self) -> None:
        self.most = self.pnl = self.fees = self.funding = self.settled = 0
        self.entry_price: Decimal | None = None
        self.exit: Decimal | None = None
        self.status = "open"
        self.side = "long"

    def existing(self, base: int) -> tuple[int | None, int | None]:
        """What a fill tells of the entry and the base that it meets on the other side."""
        if not self.base or (self.base > 0) == (base > 0):
            return None, None
        if abs(base) > abs(self.base):
            return self.entry, abs(self.base)
        return share(self.entry, abs(base), abs(self.base)), None

    def fill(
        self, base: int, quote: int, fee: int, trade: str | None, *, part: int = 0, liquidated: bool = False
    ) -> Rows:
        """base: signed. part: 0 for a taker, 1 for a maker."""
        price = quotient(scaled(quote, QUOTE), scaled(abs(base), BASE))
        said = {"price": price, "trade_id": trade}
        if not self.base or (self.base > 0) == (base > 0):
            yield from self._grow(base, quote, fee, said, 2 * part)
            return
        closed = min(abs(base), abs(self.base))
        rest = abs(base) - closed
        got = share(quote, closed, abs(base)) if rest else quote
        paid = share(fee, closed, abs(base)) if rest else fee
        yield from self._shrink(closed, got, paid, said, 2 * part, liquidated)
        if rest:
            signed = rest if base > 0 else -rest
            yield from self._grow(signed, quote - got, fee - paid, said, 2 * part + 1)

    def pay(self, kind: str, *, funding: int = 0, settled: int = 0) -> Rows:
        self.funding += funding
        self.settled += settled
        amounts = {"funding": scaled(funding, QUOTE), "settled_pnl": scaled(settled, QUOTE)}
        yield from self._rows(kind, 0, 0, 0, 0, {"price": None, "trade_id": None, **amounts})

    def _grow(self, base: int, quote: int, fee: int, said: Row, part: int) -> Rows:
        kind = "increase"
        if not self.base:
            kind = "open"
            self.life += 1
            self._begin()
            self.side = "long" if base > 0 else "short"
        self.base += base
        self.entry += quote
        yield from self._rows(kind, abs(base), 0, fee, part, said)

    def _shrink(self, closed: int, quote: int, fee: int, said: Row, part: int, liquidated: bool) -> Rows:
        released = share(self.entry, closed, abs(self.base))
        self.entry -= released
        self.base += -closed if self.base > 0 else closed
        pnl = quote - released if self.side == "long" else released - quote
        kind = "liquidation" if liquidated else "decrease" if self.base else "close"
        if not self.base:
            self.status = "liquidated" if liquidated else "closed"
            self.exit = said["price"]
        yield from self._rows(kind, -closed, pnl, fee, part, said)

    def _rows(self, kind: str, delta: int, pnl: int, fee: int, part: int, said: Row) -> Rows:
        self.pnl += pnl
        self.fees += fee
        size = abs(self.base)
        self.most = max(self.most, size)
        after = quotient(scaled(self.entry, QUOTE), scaled(size, BASE)) if size else None
        if after is not None:
            self.entry_price = after
        of = {"market": self.market, "wallet": self.wallet, "position_key": self.key, "side": self.side}
        yield (
            "perps.position_changes",
            {
                **of,
                "part": part,
                "kind": kind,
                "size_delta": scaled(delta, BASE),
                "size_after": scaled(size, BASE),
                "entry_price_after": after,
                "collateral_delta": None,
                "collateral_after": None,
                "realized_pnl": scaled(pnl, QUOTE),
                "fee": scaled(fee, QUOTE),
                "funding": Decimal(0),
                "liquidation_price_after": None,
                "settled_pnl": Decimal(0),
                "borrow_fee": None,
                "price_impact_fee": None,
                **said,
            },
        )
        yield (
            "perps.positions",
            {
                **of,
                "lifecycle": self.life,
                "status": self.status,
                "size": scaled(size, BASE),
                "max_size": scaled(self.most, BASE),
                "entry_price": self.entry_price,
                "exit_price": self.exit,
                "collateral": None,
                "liquidation_price": None,
                "realized_pnl": scaled(self.pnl, QUOTE),
                "fees": scaled(self.fees, QUOTE),
                "funding": scaled(self.funding, QUOTE),
                "entry_quote": scaled(self.entry, QUOTE),
                "settled_pnl": scaled(self.settled, QUOTE),
                "borrow_fees": None,
                "price_impact_fees": None,
            },
        )

    def slot(self) -> Mapping[str, Any]:
        """As the user's account has it: quote that a long paid is negative."""
        return {
            "marketIndex": self.index,
            "baseAssetAmount": self.base,
            "quoteEntryAmount": -self.entry if self.base > 0 else self.entry,
        }
