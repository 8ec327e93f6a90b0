"""What one node shows of the chain: it may lag, prune, keep no history or be of an older release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from heliograph_localnet.block import Block, Executed
from heliograph_localnet.chain import Chain
from heliograph_localnet.commitment import Commitment

UnknownCursor = Literal["error", "empty", "ignore"]
"""What getSignaturesForAddress does about an unknown `before` or `until`.

error: -32020, as Agave since 4.0. empty: as before 4.0, an unknown `before` gives an empty page and an
unknown `until` is ignored. ignore: both are ignored, so that the newest page comes back.
"""


class View(msgspec.Struct):
    """All may be changed while the node runs.

    lag_slots: how far behind the chain the node is, at most the chain's account_slots. keep_slots: how many
    final slots it keeps, None for as many as the chain does. history: False for a node without transaction
    history (-32011). transaction_index: whether answers carry transactionIndex (Agave 4.0). healthy: False
    makes getHealth answer -32005. alpenglow: the cluster has a certificate of its genesis, so that what is confirmed is
    final; the chain's lags have to say the same.
    """

    chain: Chain
    lag_slots: int = 0
    keep_slots: int | None = None
    history: bool = True
    transaction_index: bool = True
    unknown_cursor: UnknownCursor = "error"
    healthy: bool = True
    alpenglow: bool = False

    def slot_at(self, commitment: Commitment) -> int:
        newest = self.chain.slot_at(commitment)
        return self.chain.newest_block(newest - self.lag_slots).slot if self.lag_slots > 0 else newest

    @property
    def first_available(self) -> int:
        first = self.chain.first_available
        if self.keep_slots is None:
            return first
        return max(first, self.slot_at(Commitment.FINALIZED) - self.keep_slots)

    def block(self, slot: int) -> Block | None:
        if self.first_available <= slot <= self.slot_at(Commitment.PROCESSED):
            return self.chain.block(slot)
        return None

    def blocks(self, first: int, last: int, limit: int | None = None) -> Sequence[Block]:
        return self.chain.blocks(max(first, self.first_available), last, limit)

    def newest_block(self, commitment: Commitment) -> Block:
        return self.chain.newest_block(self.slot_at(commitment))

    def transaction(self, signature: str, commitment: Commitment) -> Executed | None:
        """None where the node does not have it, or not at this commitment yet."""
        executed = self.chain.transaction(signature)
        if executed is None or not self.first_available <= executed.slot <= self.slot_at(commitment):
            return None
        return executed

    def status(self, slot: int) -> Commitment:
        if slot <= self.slot_at(Commitment.FINALIZED):
            return Commitment.FINALIZED
        return Commitment.CONFIRMED if slot <= self.slot_at(Commitment.CONFIRMED) else Commitment.PROCESSED
