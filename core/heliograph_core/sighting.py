"""Lives of a position as its account showed them: a few values a life, however often the account changed. Values only.

An account is a sample of state: it tells neither when a position opened nor what happened between two looks. What is
kept of one life is when it was first seen, the last that was seen of it, and when its account had it no longer.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from heliograph_core.records import Holding, Position


class Sighting(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One life. first_slot: of the account's first state with it; (position_key, first_slot) is its identity.

    slot, holding: of the last state that said something new of it. max_before: base, the largest that was seen before
    it. gone_slot: of the first state of the account that had it no longer, None while it has. *_at: unix seconds of
    the newest block at or below the slot. doubtful: that state is of a block that is gone.
    """

    first_slot: int
    first_at: int
    slot: int
    seen_at: int
    max_before: Decimal
    holding: Holding
    gone_slot: int | None = None
    gone_at: int | None = None
    doubtful: bool = False

    @property
    def open(self) -> bool:
        """Whether the account holds it, with a size."""
        return self.gone_slot is None and bool(self.holding.size)

    @property
    def max_size(self) -> Decimal:
        """Base, the largest that was seen."""
        return max(self.max_before, self.holding.size)


def see(
    known: Sighting | None, holding: Holding, at: int, position: Position | None = None
) -> Sighting | None:
    """What is known once an account has shown `holding`: of the life that is `known`, or of a new one.

    known: the latest life of the position. at: block time of the holding's slot, unix seconds. position: the
    latest lifecycle as it is folded. None where that is nothing new, or older than what is known.
    """
    slot = holding.account_slot
    if known is None:
        return Sighting(
            first_slot=slot, first_at=at, slot=slot, seen_at=at, max_before=Decimal(0), holding=holding
        )
    if slot < (known.slot if known.gone_slot is None else known.gone_slot):
        return None
    if ended_since(known, position) or not _same_life(known, holding):
        return see(None, holding, at)
    if not known.doubtful and msgspec.structs.replace(holding, account_slot=known.slot) == known.holding:
        return None
    replaced = known.doubtful or slot == known.slot
    return msgspec.structs.replace(
        known,
        slot=slot,
        seen_at=at,
        max_before=known.max_before if replaced else known.max_size,
        holding=holding,
        doubtful=False,
    )


def ended_since(known: Sighting, position: Position | None) -> bool:
    """Whether changes tell that the life ended after it was seen last. position: as it is folded."""
    if position is None:
        return False
    ended = position.closed_slot is not None and position.closed_slot > known.slot
    return position.opened_slot > known.slot or (known.open and ended)


def miss(known: Sighting, slot: int, at: int) -> Sighting | None:
    """The life once its account has shown, or was closed, without it; None where that is older than what is known."""
    if not known.open or slot < known.slot:
        return None
    return msgspec.structs.replace(known, gone_slot=slot, gone_at=at)


def forget(known: Sighting, since: int) -> Sighting | None:
    """The life without what was seen at `since` or later, in blocks that are gone; None where nothing is left of it.

    The last state that was seen stands until the account is seen again, which is about to happen.
    """
    if known.first_slot >= since:
        return None
    if known.gone_slot is not None and known.gone_slot >= since:
        known = msgspec.structs.replace(known, gone_slot=None, gone_at=None)
    if known.slot >= since:
        known = msgspec.structs.replace(known, slot=since - 1, doubtful=True)
    return known


def _same_life(known: Sighting, holding: Holding) -> bool:
    before = known.holding
    if known.gone_slot is not None or before.side != holding.side:
        return False
    if before.opened_at is not None and holding.opened_at is not None:
        return before.opened_at == holding.opened_at
    # What had closed and has a size again was opened anew.
    return bool(before.size) or not holding.size
