"""Events: raw as walked out of a transaction, and decoded."""

from __future__ import annotations

import enum
from typing import Any

import msgspec


class Channel(enum.StrEnum):
    """How a program said it."""

    DATA = "data"
    """`Program data: <base64>`: Anchor's emit!."""
    LOG = "log"
    """`Program log: <base64>`: text that holds an event; only for protocols that declare it."""
    CPI = "cpi"
    """An inner instruction of the program to itself: Anchor's emit_cpi!."""
    INSTRUCTION = "instruction"
    """No event but an instruction itself: of undecoded ones, where instructions mean something to the protocol."""


class RawEvent(msgspec.Struct, frozen=True, gc=False):
    """An event's bytes and where they stood. `data` begins with the discriminator (the CPI tag is cut off).

    ordinal: counts the candidates of the whole transaction in execution order, of any program, decoded or
    not (DESIGN section 3), so that neither a new IDL nor a new program shifts a key.
    caller: the program that invoked `program`, None at depth 1.
    """

    program: str
    caller: str | None
    depth: int
    channel: Channel
    ordinal: int
    data: bytes


class EventKey(msgspec.Struct, frozen=True, gc=False, order=True):
    """Where an event stands on the chain; ordered as the chain is.

    block_time is unix seconds and comes first because tables are cut by it; it never contradicts the slot.
    """

    block_time: int
    slot: int
    tx_index: int
    ordinal: int
    signature: str

    def columns(self, stream: str, program: str) -> dict[str, Any]:
        """What every record of what stands here begins with; of the first of them, `part` counts the others."""
        return {
            "stream": stream,
            "block_time": self.block_time,
            "slot": self.slot,
            "tx_index": self.tx_index,
            "ordinal": self.ordinal,
            "part": 0,
            "signature": self.signature,
            "program": program,
        }


class Event(msgspec.Struct, frozen=True, gc=False):
    """A decoded event. `fields` are as the IDL names them: int, str (pubkeys base58, enums as variant name),

    bool, Decimal-free nested dicts and lists, bytes. since: first slot of the IDL that read it, where there are several.
    """

    key: EventKey
    program: str
    caller: str | None
    depth: int
    channel: Channel
    name: str
    fields: dict[str, Any]
    since: int = 0


class Undecoded(msgspec.Struct, frozen=True, gc=False):
    """Bytes on a declared channel of a known program that no layout fits, kept with the reason.

    caller: the program that invoked `program`, None at depth 1. accounts: of an instruction, the addresses that it was
    given; None for events.
    """

    key: EventKey
    program: str
    channel: Channel
    data: bytes
    reason: str
    caller: str | None
    accounts: tuple[str, ...] | None = None
