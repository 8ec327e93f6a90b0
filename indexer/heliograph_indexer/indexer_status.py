"""What an indexer is doing, as one value."""

from __future__ import annotations

from typing import Literal

import msgspec

from heliograph_indexer.healer import HealStatus

State = Literal["starting", "standby", "leading", "stopped"]


class IndexerStatus(msgspec.Struct, frozen=True, gc=False):
    """What an indexer is doing, for a line of progress. Counts are since run() began.

    head_slot: highest slot that the cluster showed; committed_slot: through which this process committed, at
    committed_time (unix seconds) where known; both None before there is one. accounts_through: context slot of
    the last snapshot of accounts. final_slot: rows at or below are final, None until that is known here.
    trouble: which endpoint is ill and what is waited for, None where all goes well.
    deaf: which WebSocket is not there and why, which costs latency only, None where notifications come.
    healing: of the gaps below live, None before this process leads. corrected_slots: rewritten since it leads.
    """

    stream: str
    state: State
    head_slot: int | None
    committed_slot: int | None
    committed_time: int | None
    commits: int
    transactions: int
    rows: int
    accounts: int
    accounts_through: int | None
    final_slot: int | None = None
    trouble: str | None = None
    deaf: str | None = None
    healing: HealStatus | None = None
    corrected_slots: int = 0

    @property
    def lag_slots(self) -> int | None:
        """Slots between the cluster's head and what is committed, None before both are known."""
        if self.head_slot is None or self.committed_slot is None:
            return None
        return max(0, self.head_slot - self.committed_slot)
