"""How a transaction comes along: its version, its fee, who calls the program, what other programs say around it."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

from heliograph_localnet.draft import Version

Noise = Literal["memo", "spoof", "spoof_cpi", "data", "flood"]
"""memo: the memo program speaks. spoof: a foreign program prints godark's own event bytes as data and as text.
spoof_cpi: a foreign program invokes itself with the event tag and godark's bytes. data: two payloads a line.
flood: so much text that the node cuts what godark prints after it; never drawn by chance."""


class Manner(msgspec.Struct, frozen=True, gc=False):
    """unit_limit: compute units asked for. unit_price: micro-lamports a unit, 0 for no priority fee.

    routed: a foreign program calls godark, which then runs at depth 2. whispers: godark itself prints the text of
    an event, which is no event. before, after: what foreign programs say ahead of it and behind it. lookup: the
    programs stand in a lookup table (version "0" only). budget: the compute budget instructions as a client wrote them.
    """

    version: Version = "legacy"
    unit_limit: int = 400_000
    unit_price: int = 0
    routed: bool = False
    whispers: bool = False
    before: tuple[Noise, ...] = ()
    after: tuple[Noise, ...] = ()
    lookup: bool = False
    budget: tuple[bytes, ...] | None = None

    @property
    def budget_instructions(self) -> tuple[bytes, ...]:
        """Data of the compute budget instructions ahead; version 1 says its limits in the message itself."""
        if self.budget is not None:
            return self.budget
        if self.version == "1":
            return ()
        limit = b"\x02" + self.unit_limit.to_bytes(4, "little")
        price = b"\x03" + self.unit_price.to_bytes(8, "little")
        return (limit, price) if self.unit_price else (limit,)

    @property
    def priority_fee(self) -> int:
        """Lamports, rounded up."""
        return -(-self.unit_limit * self.unit_price // 1_000_000)


PLAIN = Manner()
_KINDS: tuple[Noise, ...] = ("memo", "spoof", "spoof_cpi", "data")


def draw(chance: Random) -> Manner:
    """A manner as a busy day mixes them."""
    version: Version = chance.choices(("legacy", "0", "1"), (5, 4, 1))[0]
    quiet = chance.random() < 0.8
    return Manner(
        version=version,
        unit_limit=chance.choice((300_000, 400_000, 600_000)),
        unit_price=chance.choice((0, 0, 1_000, 25_000)),
        routed=chance.random() < 0.08,
        whispers=chance.random() < 0.03,
        before=() if quiet else (chance.choice(_KINDS),),
        after=() if chance.random() < 0.9 else (chance.choice(_KINDS),),
        lookup=version == "0" and chance.random() < 0.5,
    )
