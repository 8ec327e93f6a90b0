"""What a chain tells its listeners."""

from __future__ import annotations

import msgspec

from heliograph_localnet.block import Block


class Processed(msgspec.Struct, frozen=True, gc=False):
    """The block was executed."""

    block: Block


class Confirmed(msgspec.Struct, frozen=True, gc=False):
    """The block is confirmed; each block once, in order, unless a fork brought another in its place."""

    block: Block


class Rooted(msgspec.Struct, frozen=True, gc=False):
    """The block is finalized."""

    block: Block


class Forked(msgspec.Struct, frozen=True, gc=False):
    """These blocks are no longer of the chain."""

    blocks: tuple[Block, ...]


ChainEvent = Processed | Confirmed | Rooted | Forked
