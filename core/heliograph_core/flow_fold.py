"""Folding flows into positions and their changes: for programs that tell a signed movement of a key and no side.

The signed base of a key at its first flow is found from whatever tells it later: what a flow says it was before or after
it, less everything that moved up to there. So a fold from the first flow that is stored knows more than one that
went on from flow to flow, and late history makes both positions and changes anew. Values in, values out.
"""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from heliograph_core.amounts import EXACT, normal, quotient
from heliograph_core.records import ChangeKind, Flow, Position, PositionChange, Side

ZERO = Decimal(0)
PARTS_A_FLOW = 2
"""A flow that flips a position makes two changes: their parts are 2 * its own and the next."""


class Folded(NamedTuple):
    """positions: every lifecycle that was begun or altered, in order. changes: what the flows did to them, in chain order.

    surprised: a flow told a base that what was known did not lead to, or that was not known at all: a fold of all flows
    of the key may know better.
    """

    positions: list[Position]
    changes: list[PositionChange]
    surprised: bool


def fold_flows(current: Position | None, flows: Sequence[Flow], start: Decimal | None = None) -> Folded:
    """Every lifecycle that `flows` create or alter, and the changes that they are.

    current: the latest lifecycle of that key that is known already, None where there is none.
    flows: of one position_key, in chain order, all of them after `current`. start: the signed base before the first of
    them, where `current` is None and something else than these flows tells it.

    Where nothing tells the base, size is None and sides are the flows' own; where what is told contradicts what is
    known, something is not covered: the position goes on as told, `complete: False`.
    """
    fold = _Fold(current, flows, start)
    for flow in flows:
        fold.take(flow)
    return Folded(fold.touched, fold.changes, fold.surprised)


def find_start(flows: Sequence[Flow], seen: Sequence[tuple[int, Decimal]] = ()) -> Decimal | None:
    """The signed base before the first of `flows`, as the first that tells one implies; None where none does.

    seen: slot, and the signed base behind it as an account showed it; asked where no flow tells.
    """
    moved = ZERO
    for flow in flows:
        if flow.base_before is not None:
            return EXACT.subtract(flow.base_before, moved)
        moved = EXACT.add(moved, flow.base_delta)
        if flow.base_after is not None:
            return EXACT.subtract(flow.base_after, moved)
    for slot, base in seen:
        for flow in flows:
            if flow.slot <= slot:
                base = EXACT.subtract(base, flow.base_delta)
        return base
    return None


class _Fold:
    """base: signed, of the key, None while unknown. entry: quote for which it was entered, None while unknown."""

    def __init__(self, current: Position | None, flows: Sequence[Flow], start: Decimal | None) -> None:
        self.position = current
        self.touched: list[Position] = []
        self.changes: list[PositionChange] = []
        self.surprised = False
        self.entry: Decimal | None = None
        self.base: Decimal | None = ZERO
        if current is None:
            self.base = find_start(flows) if start is None else start
        elif current.status == "open":
            self.base = None if current.size is None else _signed(current.side, current.size)
            self.entry = current.entry_quote

    def take(self, flow: Flow) -> None:
        if flow.base_before is not None:
            self._believe(flow, flow.base_before)
        elif self.position is None and self.base:
            self._begin_unseen(flow, self.base)
        if flow.base_delta:
            self._move(flow)
        if flow.base_after is not None:
            self._believe(flow, flow.base_after)
        if not flow.base_delta:
            self._pay(flow)
        if flow.entry_quote_after is not None and self.base:
            self._enter(flow.entry_quote_after)

    # -- what a flow moves

    def _move(self, flow: Flow) -> None:
        bought: Side = "long" if flow.base_delta > 0 else "short"
        size = abs(flow.base_delta)
        if self.base is None:
            self._move_unknown(flow, bought, size)
        elif self.base == 0 or _side(self.base) == bought:
            self._grow(flow, bought, size, flow.quote, flow.fee, part=0)
        elif size <= abs(self.base):
            self._shrink(flow, size, flow.quote, flow.fee)
        else:
            closed = abs(self.base)
            quote = _share(flow.quote, closed, size, flow.quote_places)
            fee = _share(flow.fee, closed, size, flow.quote_places)
            self._shrink(flow, closed, quote, fee)
            rest = EXACT.subtract(size, closed)
            self._grow(
                flow, bought, rest, EXACT.subtract(flow.quote, quote), EXACT.subtract(flow.fee, fee), part=1
            )

    def _grow(self, flow: Flow, side: Side, size: Decimal, quote: Decimal, fee: Decimal, part: int) -> None:
        assert self.base is not None
        kind: ChangeKind = "increase"
        if self.base == 0:
            kind = "open"
            self.entry = ZERO
            self._begin(flow, side, complete=True)
        self.base = EXACT.add(self.base, _signed(side, size))
        self.entry = None if self.entry is None else EXACT.add(self.entry, quote)
        self._change(flow, kind, size_delta=size, fee=fee, part=part)

    def _shrink(self, flow: Flow, size: Decimal, quote: Decimal, fee: Decimal) -> None:
        assert self.base is not None
        side, open_size = _side(self.base), abs(self.base)
        released = flow.entry_quote_released
        if released is None and self.entry is not None:
            released = (
                self.entry if size == open_size else _share(self.entry, size, open_size, flow.quote_places)
            )
        self.base = EXACT.subtract(self.base, _signed(side, size))
        self.entry = None if self.entry is None or released is None else EXACT.subtract(self.entry, released)
        kind: ChangeKind = "close" if self.base == 0 else "decrease"
        if flow.kind == "liquidation":
            kind = "liquidation"
        self._change(flow, kind, size_delta=-size, fee=fee, pnl=_profit(side, quote, released))

    def _move_unknown(self, flow: Flow, bought: Side, size: Decimal) -> None:
        known = self.position.side if self.position is not None and self.position.status == "open" else None
        side: Side = known or bought
        if flow.entry_quote_released is not None:
            side = "short" if bought == "long" else "long"
        if known != side:
            self._lose_sight(flow)
            self._begin(flow, side, complete=False)
        if side == bought:
            self._change(flow, "increase", size_delta=size, fee=flow.fee)
            return
        kind: ChangeKind = "liquidation" if flow.kind == "liquidation" else "decrease"
        pnl = _profit(side, flow.quote, flow.entry_quote_released)
        self._change(flow, kind, size_delta=-size, fee=flow.fee, pnl=pnl)

    def _pay(self, flow: Flow) -> None:
        if self.position is None:
            # Of a lifecycle that ended before what is covered: there is nothing to add it to.
            return
        kind: ChangeKind = "funding" if flow.kind == "funding" else "settlement"
        self._change(flow, kind, size_delta=ZERO, fee=flow.fee)

    # -- what a flow tells

    def _believe(self, flow: Flow, told: Decimal) -> None:
        if self.base == told:
            if self.position is None and told:
                self._begin_unseen(flow, told)
            return
        self.surprised = True
        same = self.base is None or (self.base != 0 and told != 0 and _side(self.base) == _side(told))
        is_open = self.position is not None and self.position.status == "open"
        if is_open and self.position is not None and same and told and self.position.side == _side(told):
            self.base, self.entry = told, None
            self._replace(size=abs(told), max_size=None, entry_price=None, entry_quote=None, complete=False)
            return
        if is_open:
            self._lose_sight(flow)
        self.base, self.entry = told, None
        if told:
            self._begin_unseen(flow, told)

    def _begin_unseen(self, flow: Flow, base: Decimal) -> None:
        self.base, self.entry = base, None
        self._begin(flow, _side(base), complete=False)
        self._replace(size=abs(base))

    def _enter(self, entry: Decimal) -> None:
        assert self.base is not None
        self.entry = entry
        self._replace(entry_quote=entry, entry_price=quotient(entry, abs(self.base)))

    # -- positions

    def _begin(self, flow: Flow, side: Side, *, complete: bool) -> None:
        before = self.position
        self.position = Position(
            stream=flow.stream,
            position_key=flow.position_key,
            opened_slot=flow.slot,
            opened_tx_index=flow.tx_index,
            opened_ordinal=flow.ordinal,
            lifecycle=1 if before is None else before.lifecycle + 1,
            program=flow.program,
            market=flow.market,
            wallet=flow.wallet,
            side=side,
            status="open",
            size=ZERO if complete else None,
            max_size=ZERO if complete else None,
            entry_price=None,
            exit_price=None,
            collateral=None,
            liquidation_price=None,
            realized_pnl=ZERO,
            fees=ZERO,
            funding=ZERO,
            changes=0,
            opened_at=flow.block_time,
            updated_at=flow.block_time,
            updated_slot=flow.slot,
            updated_tx_index=flow.tx_index,
            updated_ordinal=flow.ordinal,
            closed_at=None,
            closed_slot=None,
            complete=complete,
            settled=True,
            entry_quote=None,
        )
        self._put(before)

    def _change(
        self,
        flow: Flow,
        kind: ChangeKind,
        *,
        size_delta: Decimal,
        fee: Decimal,
        pnl: Decimal | None = ZERO,
        part: int = 0,
    ) -> None:
        position = self.position
        assert position is not None
        size = None if self.base is None else abs(self.base)
        was_open = position.status == "open"
        ended = was_open and size == 0
        entry_price = quotient(self.entry, size) if size and self.entry is not None else None
        self.changes.append(
            PositionChange(
                stream=flow.stream,
                block_time=flow.block_time,
                slot=flow.slot,
                tx_index=flow.tx_index,
                ordinal=flow.ordinal,
                part=flow.part * PARTS_A_FLOW + part,
                signature=flow.signature,
                program=flow.program,
                market=flow.market,
                wallet=flow.wallet,
                position_key=flow.position_key,
                kind=kind,
                side=position.side,
                size_delta=size_delta,
                size_after=size,
                price=flow.price if size_delta else None,
                entry_price_after=entry_price,
                collateral_delta=None,
                collateral_after=None,
                realized_pnl=pnl,
                fee=fee,
                funding=flow.funding,
                liquidation_price_after=None,
                trade_id=flow.trade_id,
                settled_pnl=flow.settled_pnl,
            )
        )
        if was_open:
            self._replace(
                size=size,
                max_size=None if position.max_size is None or size is None else max(position.max_size, size),
                entry_price=entry_price if size else position.entry_price,
                entry_quote=ZERO if ended else self.entry,
            )
        if ended:
            self._replace(
                status="liquidated" if kind == "liquidation" else "closed",
                exit_price=flow.price,
                closed_at=flow.block_time,
                closed_slot=flow.slot,
            )
        self._replace(
            wallet=flow.wallet,
            realized_pnl=None
            if position.realized_pnl is None or pnl is None
            else EXACT.add(position.realized_pnl, pnl),
            fees=EXACT.add(position.fees, fee),
            funding=EXACT.add(position.funding, flow.funding),
            settled_pnl=EXACT.add(position.settled_pnl, flow.settled_pnl),
            changes=position.changes + 1,
            updated_at=flow.block_time,
            updated_slot=flow.slot,
            updated_tx_index=flow.tx_index,
            updated_ordinal=flow.ordinal,
        )

    def _lose_sight(self, flow: Flow) -> None:
        """What is open ended unseen, before this flow."""
        if self.position is not None and self.position.status == "open":
            self._replace(
                status="closed",
                size=None,
                entry_quote=None,
                closed_at=flow.block_time,
                closed_slot=flow.slot,
                complete=False,
            )

    def _replace(self, **fields: object) -> None:
        assert self.position is not None
        before = self.position
        self.position = msgspec.structs.replace(before, **fields)
        self._put(before)

    def _put(self, before: Position | None) -> None:
        assert self.position is not None
        if self.touched and self.touched[-1].lifecycle == self.position.lifecycle:
            self.touched[-1] = self.position
            return
        if self.touched and _place(self.touched[-1]) == _place(self.position):
            # Known by nothing but the end that this flow put to it: a position is named by where it began, and that is
            # where the next begins. Its change is told; a row of its own it cannot have.
            self.position = msgspec.structs.replace(self.position, lifecycle=self.touched[-1].lifecycle)
            self.touched[-1] = self.position
            return
        self.touched.append(self.position)


def _place(position: Position) -> tuple[int, int, int]:
    return (position.opened_slot, position.opened_tx_index, position.opened_ordinal)


def _side(base: Decimal) -> Side:
    return "long" if base > 0 else "short"


def _signed(side: Side, size: Decimal) -> Decimal:
    return size if side == "long" else -size


def _share(amount: Decimal, part: Decimal, whole: Decimal, places: int) -> Decimal:
    """amount * part / whole, truncated to the program's places as its integers are."""
    scaled = EXACT.scaleb(EXACT.multiply(amount, part), places)
    # Both divided as integers: no quotient is rounded before it is truncated.
    exponent = min(_exponent(scaled), _exponent(whole), 0)
    top = int(EXACT.scaleb(scaled, -exponent))
    bottom = int(EXACT.scaleb(whole, -exponent))
    units = abs(top) // abs(bottom)
    return normal(EXACT.scaleb(Decimal(units if (top < 0) == (bottom < 0) else -units), -places))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise decimal.InvalidOperation(f"{value} is no amount")
    return exponent


def _profit(side: Side, quote: Decimal, released: Decimal | None) -> Decimal | None:
    """Of closing a part that was entered for `released`, None where that is not known."""
    if released is None:
        return None
    return normal(EXACT.subtract(quote, released) if side == "long" else EXACT.subtract(released, quote))
