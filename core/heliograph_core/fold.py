"""Folding position changes into positions: the one rule for every event-sourced protocol. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from heliograph_core.amounts import EXACT, quotient
from heliograph_core.records import Position, PositionChange, PositionStatus
from heliograph_core.showing import lose_sight

ZERO = Decimal(0)


def fold(current: Position | None, changes: Sequence[PositionChange]) -> list[Position]:
    """Every lifecycle that `changes` create or alter, in order.

    current: the latest lifecycle of that key that is known already, None where there is none.
    changes: of one position_key, in chain order, all of them after `current`.

    A change that finds no open lifecycle begins one; if it is no opening, what came before is not covered and
    the lifecycle is `complete: false`. Where a growing position's protocol does not tell the entry price, it is the
    average of the prices that the open size was entered at, rounded as every quotient. An opening that finds an open lifecycle proves that the close was
    not covered: the open one ends there, its size and collateral unknown.
    """
    touched: list[Position] = []
    position = current
    for change in changes:
        if (position is None or position.status != "open") and change.side is None:
            # What it was is not covered, and the change does not say.
            continue
        if position is None or position.status != "open":
            position = _begin(change, 1 if position is None else position.lifecycle + 1)
        elif change.kind == "open":
            touched = _put(touched, lose_sight(position, change.block_time, change.slot))
            position = _begin(change, position.lifecycle + 1)
        else:
            position = _apply(position, change)
        touched = _put(touched, position)
    return touched


def _put(touched: list[Position], position: Position) -> list[Position]:
    if touched and touched[-1].lifecycle == position.lifecycle:
        touched[-1] = position
    else:
        touched.append(position)
    return touched


def _begin(change: PositionChange, lifecycle: int) -> Position:
    assert change.side is not None
    opened = change.kind == "open"
    blank = Position(
        stream=change.stream,
        position_key=change.position_key,
        opened_slot=change.slot,
        opened_tx_index=change.tx_index,
        opened_ordinal=change.ordinal,
        lifecycle=lifecycle,
        program=change.program,
        market=change.market,
        wallet=change.wallet,
        side=change.side,
        status="open",
        size=ZERO if opened else None,
        max_size=ZERO if opened else None,
        entry_price=None,
        exit_price=None,
        collateral=ZERO if opened else None,
        liquidation_price=None,
        realized_pnl=ZERO,
        fees=ZERO,
        funding=ZERO,
        changes=0,
        opened_at=change.block_time,
        updated_at=change.block_time,
        updated_slot=change.slot,
        updated_tx_index=change.tx_index,
        updated_ordinal=change.ordinal,
        closed_at=None,
        closed_slot=None,
        complete=opened,
        settled=True,
        borrow_fees=ZERO,
        price_impact_fees=ZERO,
    )
    return _apply(blank, change)


def _apply(position: Position, change: PositionChange) -> Position:
    size = change.size_after if change.size_after is not None else _sum(position.size, change.size_delta)
    if size is not None and size < 0:
        # Changes in between are not covered.
        size = None
    collateral = change.collateral_after
    if collateral is None:
        collateral = _sum(position.collateral, change.collateral_delta)
    # What an account said before may have missed changes that are not covered: a close ends it all the same.
    ended = size == 0 or (change.kind == "close" and not change.size_after)
    status: PositionStatus = "open"
    if ended:
        status = "liquidated" if change.kind == "liquidation" else "closed"
    return msgspec.structs.replace(
        position,
        status=status,
        size=ZERO if ended else size,
        # Without the opening the largest size is not known, only a lower bound; None says so.
        max_size=None if position.max_size is None or size is None else max(position.max_size, size),
        entry_price=_entry_price(position, change),
        exit_price=change.price if ended else None,
        collateral=collateral,
        liquidation_price=None if ended else _liquidation_price(position, change),
        realized_pnl=_sum(position.realized_pnl, change.realized_pnl),
        fees=EXACT.add(position.fees, change.fee),
        funding=EXACT.add(position.funding, change.funding),
        borrow_fees=_sum(position.borrow_fees, change.borrow_fee),
        price_impact_fees=_sum(position.price_impact_fees, change.price_impact_fee),
        changes=position.changes + 1,
        updated_at=change.block_time,
        updated_slot=change.slot,
        updated_tx_index=change.tx_index,
        updated_ordinal=change.ordinal,
        closed_at=change.block_time if ended else None,
        closed_slot=change.slot if ended else None,
    )


def _entry_price(position: Position, change: PositionChange) -> Decimal | None:
    if change.entry_price_after is not None:
        return change.entry_price_after
    if change.price is None or not change.size_delta or change.size_delta < 0:
        return position.entry_price
    if position.size == 0:
        return change.price
    if position.size is None or position.entry_price is None:
        return None
    entered = EXACT.add(
        EXACT.multiply(position.size, position.entry_price), EXACT.multiply(change.size_delta, change.price)
    )
    return quotient(entered, EXACT.add(position.size, change.size_delta))


def _liquidation_price(position: Position, change: PositionChange) -> Decimal | None:
    # A protocol that reports entry or collateral after a change reports the liquidation price with it, so that
    # its absence there means "none"; one that reports no after-values at all never had one.
    reports = change.collateral_after is not None or change.entry_price_after is not None
    return change.liquidation_price_after if reports else position.liquidation_price


def _sum(known: Decimal | None, delta: Decimal | None) -> Decimal | None:
    return None if known is None or delta is None else EXACT.add(known, delta)
