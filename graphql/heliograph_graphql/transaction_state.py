"""Where a transaction stands, out of what the database has of it, and what of that is news to a client. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from heliograph_graphql.entity import Choice, Field, Kind, Part
from heliograph_graphql.message import MessageItem
from heliograph_graphql.plan import Source

ROOT = "transactionStatus"
MESSAGE = "TransactionStatusMessage"
EXPIRY_SLOTS = 300
"""A blockhash is good for 150 blocks; as many slots may have been skipped."""


class State(enum.StrEnum):
    """What is known of a transaction, as TRANSACTION_STATE describes it."""

    PENDING = "pending"
    UNKNOWN = "unknown"
    SEEN = "seen"
    INDEXED = "indexed"
    FAILED = "failed"
    FINALIZED = "finalized"


TRANSACTION_STATE = Choice(
    "TransactionState",
    "What is known of a transaction.",
    {
        State.PENDING: "It is not in yet; whether the cluster has it is not known here.",
        State.UNKNOWN: f"It is not in, although the streams have come {EXPIRY_SLOTS} slots further than they were: further than a blockhash is good for. It may have been dropped, or mention no program of theirs.",
        State.SEEN: "It is in, and slots below it are missing still.",
        State.INDEXED: "It is in, and its stream is complete through its slot: queries tell what it did.",
        State.FAILED: "It is in, and failed: nothing but its fee was taken.",
        State.FINALIZED: "It is in a finalized block and succeeded: this stays.",
    },
)

STATUS = Part(
    name="TransactionStatus",
    description="Where one transaction stands.",
    fragment="",
    fields=(
        Field("signature", Kind.TEXT, "Its signature."),
        Field("status", TRANSACTION_STATE, "What is known of it."),
        Field(
            "final",
            Kind.BOOL,
            "Whether nothing changes any more: its block is finalized, failed or not it be.",
        ),
        Field(
            "correction",
            Kind.BOOL,
            "True where what was said before is taken back: its block was dropped, and it is in another one or not in.",
        ),
        Field(
            "stream", Kind.TEXT, "The stream that has it; of several the one that is furthest.", nullable=True
        ),
        Field("slot", Kind.SLOT, "Slot of its block.", nullable=True),
        Field("block_time", Kind.TIME, "Time of its block.", nullable=True),
        Field("tx_index", Kind.INT, "Index among all transactions of its block, from 0.", nullable=True),
        Field("err", Kind.JSON, "The cluster's error; null where it succeeded.", nullable=True),
        Field("err_name", Kind.TEXT, "The IDL's name of a custom error.", nullable=True),
    ),
)
SNAPSHOT = Field("snapshot", Kind.BOOL, "True for the first message, which has every signature.")


@dataclass(frozen=True)
class Landing:
    """A transaction in one stream. complete: the stream is, through its slot. err: JSON text."""

    stream: str
    slot: int
    tx_index: int
    block_time: str
    err: str | None
    err_name: str | None
    final: bool
    complete: bool

    @property
    def state(self) -> State:
        if self.err is not None:
            return State.FAILED
        if self.final:
            return State.FINALIZED
        return State.INDEXED if self.complete else State.SEEN


@dataclass(frozen=True)
class Standing:
    """What a client is told of a signature. landing: None where no stream has it."""

    state: State
    landing: Landing | None = None

    @property
    def final(self) -> bool:
        return self.landing is not None and self.landing.final

    def takes_back(self, told: Standing | None) -> bool:
        """Whether this contradicts what was told before, and does not merely go on from it."""
        if told is None or told.landing is None:
            return False
        now = self.landing
        return now is None or (now.slot, now.tx_index, now.err) != (
            told.landing.slot,
            told.landing.tx_index,
            told.landing.err,
        )


@dataclass(frozen=True)
class Reach:
    """How far a stream is. head: at all, through: without a gap from its first slot."""

    head: int | None
    through: int | None


def standing(landings: Iterable[Landing], *, expired: bool) -> Standing:
    """Of one signature. Of several streams the furthest counts; in two slots, of which one was dropped, the higher."""
    found = list(landings)
    if not found:
        return Standing(State.UNKNOWN if expired else State.PENDING)
    best = max(found, key=lambda each: (each.final, each.slot, each.complete, each.stream))
    return Standing(best.state, best)


def has_expired(began: Mapping[str, Reach], now: Mapping[str, Reach]) -> bool:
    """Whether a transaction that was signed when the streams stood at `began`, and is in none of them, will not come."""
    if not began:
        return False
    for stream, then in began.items():
        here = now.get(stream)
        if here is None or here.through is None or then.head is None:
            return False
        if here.through < then.head + EXPIRY_SLOTS:
            return False
    return True


@dataclass(frozen=True)
class StatusPlan:
    """What of each message. items: of the message; a list of nodes has its selected fields as members."""

    key: str
    items: tuple[MessageItem, ...]
    signatures: Source
    streams: Source | None

    @property
    def characters(self) -> int:
        """As much as is kept of it."""
        return len(repr(self.items))
