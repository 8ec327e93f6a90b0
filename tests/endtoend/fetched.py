"""Counts what a node is asked for: every transaction, by the slot in which it stands."""

from __future__ import annotations

import asyncio
from collections import Counter

from heliograph_localnet.faults import Occasion, Reaction
from heliograph_localnet.localnet import Localnet


class Fetched:
    """signatures: how often each was asked for with getTransaction since `restart`. Of slots up to now alone.

    counts: transactions of each slot.
    """

    def __init__(self, localnet: Localnet) -> None:
        rows = localnet.truth()["heliograph.transactions"]
        self._slots: dict[str, int] = {row["signature"]: row["slot"] for row in rows}
        self.signatures: Counter[str] = Counter()
        self.counts = Counter(self._slots.values())
        self._enough = 0
        self.enough = asyncio.Event()
        localnet.node.faults.add(self._note)

    def restart(self, enough: int = 1) -> None:
        """Counts anew; the event `enough` is set as the last of so many different transactions is asked for."""
        self.signatures.clear()
        self._enough = enough
        self.enough.clear()

    def slots(self) -> set[int]:
        """Slots of which anything was asked for."""
        return {self._slots[signature] for signature in self.signatures}

    def twice(self) -> list[str]:
        """What was asked for more than once."""
        return [signature for signature, count in self.signatures.items() if count > 1]

    def _note(self, occasion: Occasion) -> Reaction | None:
        if occasion.moment == "request" and occasion.method == "getTransaction":
            signature = occasion.value[0]
            if signature in self._slots:
                self.signatures[signature] += 1
                if len(self.signatures) == self._enough:
                    self.enough.set()
        return None
