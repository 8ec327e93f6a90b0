"""What an account's state does to the lifecycle that is folded so far. Values in, values out.

The state stands behind every transaction of its slot, and its word on size, prices and collateral replaces what the
changes before it came to. A life that no change opened begins, incomplete, where the account first showed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple, TypeVar

import msgspec

from heliograph_core.amounts import EXACT
from heliograph_core.records import END_OF_SLOT, EventRecord, Holding, Position
from heliograph_core.sighting import Sighting, ended_since

ZERO = Decimal(0)
SAME_OPENING_S = 60
"""How much later an account may say that a position opened than the block that opened it, and mean the same opening."""
Place = tuple[int, int, int]
"""slot, tx_index, ordinal."""
E = TypeVar("E", bound=EventRecord)


class Mark(NamedTuple):
    """A moment of a life that an account showed: first seen, last seen, gone from the account. at: unix seconds."""

    slot: int
    at: int
    what: Literal["first", "last", "gone"]
    sighting: Sighting

    @property
    def place(self) -> Place:
        """Behind every transaction of the slot."""
        return (self.slot, END_OF_SLOT, 0)


def marks_of(sightings: Iterable[Sighting], below: int | None = None) -> list[Mark]:
    """The moments of one position's lives in chain order. below: none of that slot or later."""
    found: list[Mark] = []
    for each in sorted(sightings, key=lambda one: one.first_slot):
        # Where nothing was seen before the last state, that one is the first to show it with a size, if any does.
        if each.first_slot < each.slot and each.max_before:
            found.append(Mark(each.first_slot, each.first_at, "first", each))
        found.append(Mark(each.slot, each.seen_at, "last", each))
        if each.gone_slot is not None and each.gone_at is not None:
            found.append(Mark(each.gone_slot, each.gone_at, "gone", each))
    return sorted((mark for mark in found if below is None or mark.slot < below), key=lambda mark: mark.slot)


def shown_bases(marks: Iterable[Mark]) -> list[tuple[int, Decimal]]:
    """Slot and signed base of the moments that tell one: of a life's first moment the account's state is not kept."""
    return [
        (mark.slot, ZERO if mark.what == "gone" else _signed(mark.sighting.holding))
        for mark in marks
        if mark.what != "first"
    ]


def _signed(held: Holding) -> Decimal:
    return held.size if held.side == "long" else EXACT.minus(held.size)


def where(position: Position) -> Place:
    """The place of what last altered it."""
    return (position.updated_slot, position.updated_tx_index, position.updated_ordinal)


def _opening(position: Position) -> Place:
    return (position.opened_slot, position.opened_tx_index, position.opened_ordinal)


def fold_shown(
    current: Position | None,
    entries: Sequence[E],
    marks: Sequence[Mark],
    fold_run: Callable[[Position | None, Sequence[E]], Sequence[Position]],
) -> list[Position]:
    """Every lifecycle that `entries` and `marks` create or alter, in order.

    current: the latest lifecycle of that key that is known already, None where there is none. entries: of one key, in
    chain order, all of them after `current`. marks: of the same key, in chain order; those before `current` say nothing.
    fold_run: folds entries that stand between two marks into the latest lifecycle; the lifecycles that it touched.
    """
    touched: list[Position] = []
    position = current
    # The lifecycle that an account has shown, and as which of its lives.
    shown: tuple[int, int] | None = None
    at = 0

    def take(positions: Sequence[Position]) -> None:
        nonlocal position
        for each in positions:
            if touched and touched[-1].lifecycle == each.lifecycle:
                touched[-1] = each
            else:
                touched.append(each)
            position = each

    for mark in marks:
        begin = at
        while at < len(entries) and entries[at].slot <= mark.slot:
            at += 1
        if begin < at:
            take(fold_run(position, entries[begin:at]))
        life = mark.sighting.first_slot
        other = shown is not None and position is not None and shown[0] == position.lifecycle
        take(show(position, mark, other_life=other and shown is not None and shown[1] != life))
        # A moment of before it began showed an earlier one, of which `current` is the successor.
        if position is not None and _opening(position) <= mark.place:
            shown = position.lifecycle, life
    if at < len(entries):
        take(fold_run(position, entries[at:]))
    return touched


def goes_on(known: Sighting | None, life: Sighting, position: Position | None) -> bool:
    """Whether the last mark of `life` can be folded into the latest lifecycle as it is stored.

    known: the latest life before it. Where it cannot, the position is folded anew from everything.
    """
    if position is not None and position.status == "open" and position.size is None:
        # With what the account shows, what flows came to is known from the first of them on.
        return False
    if known is None or not known.open:
        return known is None or known.first_slot != life.first_slot or not life.open
    if known.first_slot == life.first_slot:
        return True
    return ended_since(known, position)


def show(position: Position | None, mark: Mark, *, other_life: bool) -> list[Position]:
    """The lifecycles that the mark alters or begins, in order; empty where it says nothing new.

    position: the latest lifecycle, None where there is none. other_life: the account has shown it as another life.
    """
    held = mark.sighting.holding
    if position is not None and where(position) > mark.place:
        return []
    if mark.what == "gone":
        return [_end(position, mark)] if position is not None and position.status == "open" else []
    touched: list[Position] = []
    if position is not None and position.status == "open" and (other_life or _is_other(held, position)):
        position = lose_sight(position, mark.at, mark.slot)
        touched.append(position)
    if position is None or position.status != "open":
        closed = mark.what == "last" and not held.size and not touched
        if position is not None and closed and not _opened_later(held, position):
            settled = _settle(position, held)
            return [] if settled == position else [settled]
        position = _begin(mark, 1 if position is None else position.lifecycle + 1)
        touched.append(position)
    if mark.what == "last":
        taken = _take(position, mark)
        if touched and touched[-1].lifecycle == taken.lifecycle:
            touched[-1] = taken
        elif taken != position:
            touched.append(taken)
    return touched


def lose_sight(position: Position, at: int, slot: int) -> Position:
    """An open lifecycle whose close was not covered, once its successor is known. at: unix seconds."""
    return msgspec.structs.replace(
        position,
        status="closed",
        size=None,
        collateral=None,
        liquidation_price=None,
        entry_quote=None,
        closed_at=at,
        closed_slot=slot,
        complete=False,
    )


def _is_other(held: Holding, position: Position) -> bool:
    """Whether the account cannot mean this open lifecycle: its close, and another opening, were not covered."""
    if held.opened_at is None or not position.complete:
        return held.side != position.side
    return held.side != position.side or held.opened_at > position.opened_at + SAME_OPENING_S


def _opened_later(held: Holding, position: Position) -> bool:
    closed_at = position.closed_at
    return held.opened_at is not None and closed_at is not None and held.opened_at > closed_at


def _begin(mark: Mark, lifecycle: int) -> Position:
    held = mark.sighting.holding
    return Position(
        stream=held.stream,
        position_key=held.position_key,
        opened_slot=mark.slot,
        opened_tx_index=END_OF_SLOT,
        opened_ordinal=0,
        lifecycle=lifecycle,
        program=held.program,
        market=held.market,
        wallet=held.wallet,
        side=held.side,
        status="open",
        size=None,
        max_size=None,
        entry_price=None,
        exit_price=None,
        collateral=None,
        liquidation_price=None,
        realized_pnl=ZERO,
        fees=ZERO,
        funding=ZERO,
        changes=0,
        opened_at=mark.at if held.opened_at is None else held.opened_at,
        updated_at=mark.at,
        updated_slot=mark.slot,
        updated_tx_index=END_OF_SLOT,
        updated_ordinal=0,
        closed_at=None,
        closed_slot=None,
        complete=False,
        settled=True,
    )


def _take(position: Position, mark: Mark) -> Position:
    """The open lifecycle as the account has it."""
    held = mark.sighting.holding
    if not held.size:
        return _settle(_end(position, mark), held)
    agreed = _agrees(position, held)
    taken = _settle(
        msgspec.structs.replace(
            position,
            size=position.size if agreed else held.size,
            max_size=_largest(position, mark.sighting),
            entry_price=position.entry_price
            if held.entry_price is None or (agreed and held.rounding and position.entry_price is not None)
            else held.entry_price,
            collateral=position.collateral if held.collateral is None else held.collateral,
            liquidation_price=position.liquidation_price
            if held.liquidation_price is None
            else held.liquidation_price,
            entry_quote=_entry_quote(position, held),
            # Something changed it that nothing told, unless the account has the sums.
            complete=position.complete and (agreed or position.size is None or _accounts_for_all(held)),
        ),
        held,
    )
    # What changes led to already is no news.
    return position if taken == position else _updated(taken, mark)


def _agrees(position: Position, held: Holding) -> bool:
    """Whether the account tells the size that changes came to."""
    size = position.size
    return size is not None and abs(EXACT.subtract(size, held.size)) <= held.rounding


def _accounts_for_all(held: Holding) -> bool:
    """Whether the account gives the sums too: then nothing is missing that no change told."""
    return held.realized_pnl is not None


def _largest(position: Position, sighting: Sighting) -> Decimal | None:
    largest = position.max_size
    if largest is None or EXACT.subtract(sighting.max_size, largest) <= sighting.holding.rounding:
        return largest
    return sighting.max_size


def _entry_quote(position: Position, held: Holding) -> Decimal | None:
    """What the account says; else what is known, while it is of the same size."""
    if held.entry_quote is not None:
        return held.entry_quote
    return position.entry_quote if position.size == held.size else None


def _settle(position: Position, held: Holding) -> Position:
    """With the sums that the account gives, and how it closed."""
    over = position.status != "open" and held.collateral is not None
    return msgspec.structs.replace(
        position,
        collateral=ZERO if over else position.collateral,
        status="liquidated" if position.status == "closed" and held.liquidated else position.status,
        entry_price=held.entry_price if position.entry_price is None else position.entry_price,
        realized_pnl=position.realized_pnl if held.realized_pnl is None else held.realized_pnl,
        fees=position.fees if held.fees is None else held.fees,
        funding=position.funding if held.funding is None else held.funding,
        settled_pnl=position.settled_pnl if held.settled_pnl is None else held.settled_pnl,
    )


def _end(position: Position, mark: Mark) -> Position:
    # Nothing told what closed it, unless the account has the sums.
    untold = bool(position.size) and not _accounts_for_all(mark.sighting.holding)
    ended = msgspec.structs.replace(
        position,
        status="closed",
        size=ZERO,
        max_size=_largest(position, mark.sighting),
        collateral=None if position.collateral is None else ZERO,
        liquidation_price=None,
        entry_quote=None if position.entry_quote is None else ZERO,
        closed_at=mark.at,
        closed_slot=mark.slot,
        complete=position.complete and not untold,
    )
    return _updated(ended, mark)


def _updated(position: Position, mark: Mark) -> Position:
    return msgspec.structs.replace(
        position,
        updated_at=mark.at,
        updated_slot=mark.slot,
        updated_tx_index=END_OF_SLOT,
        updated_ordinal=0,
    )
