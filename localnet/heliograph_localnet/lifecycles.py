"""Position lifecycles, followed fact by fact: the expected rows of perps.positions.

Works on the exchange's integers, not on rows: another road to the same numbers than the one it judges.
"""

from __future__ import annotations

from decimal import Decimal

from heliograph_core.amounts import scaled
from heliograph_localnet.exchange.facts import (
    Fact,
    FundingRatePaid,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
)
from heliograph_localnet.statements import BASE, PRICE, QUOTE, Place, Row, price_or_none

_Change = PositionOpened | PositionUpdated | PositionClosed | FundingRatePaid


class _Life:
    """Sums in the programs' integers. entry: None where nobody said it yet."""

    def __init__(self, fact: _Change, place: Place, number: int) -> None:
        self.first = fact
        self.begun = place
        self.number = number
        self.changes = 0
        self.size = self.most = self.realized = self.fees = self.funding = self.collateral = 0
        self.entry: int | None = None
        self.exit: int | None = None
        self.liquidation_price = 0
        self.status = "open"
        self.latest = place

    def add(self, fact: _Change, place: Place) -> None:
        self.changes += 1
        self.latest = place
        match fact:
            case PositionOpened():
                self.size, self.entry = fact.size, fact.price
                self.collateral, self.liquidation_price = fact.collateral_after, fact.liquidation_price
                self.fees += fact.fee
            case PositionUpdated():
                self.size, self.entry = fact.size_after, fact.entry_price_after
                self.collateral, self.liquidation_price = fact.collateral_after, fact.liquidation_price_after
                self.fees += fact.fee
                self.realized += fact.realized_pnl
            case FundingRatePaid():
                self.size = fact.size
                self.collateral, self.liquidation_price = fact.collateral_after, fact.liquidation_price_after
                self.funding += fact.payment
            case PositionClosed():
                self.size = self.collateral = self.liquidation_price = 0
                self.exit = fact.price
                self.fees += fact.fee
                self.realized += fact.realized_pnl
                self.status = "liquidated" if fact.reason == "liquidation" else "closed"
        self.most = max(self.most, self.size)

    def row(self) -> Row:
        fact, begun, latest = self.first, self.begun, self.latest
        ended = self.status != "open"
        return {
            "stream": begun.stream,
            "position_key": fact.position,
            "opened_slot": begun.slot,
            "opened_tx_index": begun.tx_index,
            "opened_ordinal": begun.ordinal,
            "lifecycle": self.number,
            "program": begun.program,
            "market": fact.market,
            "wallet": fact.wallet,
            "side": fact.side,
            "status": self.status,
            "size": scaled(self.size, BASE),
            "max_size": scaled(self.most, BASE),
            "entry_price": _price(self.entry),
            "exit_price": _price(self.exit),
            "collateral": scaled(self.collateral, QUOTE),
            "liquidation_price": price_or_none(self.liquidation_price),
            "realized_pnl": scaled(self.realized, QUOTE),
            "fees": scaled(self.fees, QUOTE),
            "funding": scaled(self.funding, QUOTE),
            "changes": self.changes,
            "opened_at": begun.block_time,
            "updated_at": latest.block_time,
            "updated_slot": latest.slot,
            "updated_tx_index": latest.tx_index,
            "updated_ordinal": latest.ordinal,
            "closed_at": latest.block_time if ended else None,
            "closed_slot": latest.slot if ended else None,
            "complete": isinstance(fact, PositionOpened),
            "settled": True,
            "entry_quote": None,
            "settled_pnl": Decimal(0),
            "borrow_fees": None,
            "price_impact_fees": None,
        }


class Lifecycles:
    """Feed it facts in chain order; `rows` gives every lifecycle in order of its beginning."""

    def __init__(self) -> None:
        self._all: list[_Life] = []
        self._current: dict[str, _Life] = {}

    def add(self, fact: Fact, place: Place) -> None:
        """Facts that change no position are ignored."""
        if not isinstance(fact, PositionOpened | PositionUpdated | PositionClosed | FundingRatePaid):
            return
        life = self._current.get(fact.position)
        if life is None or life.status != "open":
            life = _Life(fact, place, life.number + 1 if life else 1)
            self._current[fact.position] = life
            self._all.append(life)
        life.add(fact, place)

    def rows(self) -> list[Row]:
        return [life.row() for life in self._all]


def _price(value: int | None) -> Decimal | None:
    return None if value is None else scaled(value, PRICE)
