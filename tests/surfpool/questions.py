"""What the conformance test asks of both clusters: requests by name, and subscriptions with what must come of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.surfpool.godark import POSITIONS
from tests.surfpool.trading import MARKET

Params = tuple[Any, ...]

NOBODY = "11111111111111111111111111111112"
"""An address with no account and no history."""
UNKNOWN = "5" * 88
"""A signature that no cluster has seen."""

_CONFIRMED = {"commitment": "confirmed"}
_RECORD = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 1}
_ACCOUNT = {"encoding": "base64", "commitment": "confirmed"}


@dataclass(frozen=True)
class Seen:
    """What a cluster gave the same transactions. signatures, slots: by the name of the act.

    empty: a confirmed slot with an empty block; wire: base64 of a transaction it has not seen.
    """

    signatures: Mapping[str, str]
    slots: Mapping[str, int]
    empty: int
    wire: str


@dataclass(frozen=True)
class Subscription:
    """notified: how often while the acts of transcript.ACTS run; None: without end."""

    method: str
    params: Params
    notified: int | None


def requests(seen: Seen) -> dict[str, tuple[str, Params]]:
    """By name: method and parameters."""
    future = seen.slots["open"] + 1_000_000
    block = {**_RECORD, "transactionDetails": "signatures", "rewards": False}
    asked: dict[str, tuple[str, Params]] = {
        "slot": ("getSlot", ()),
        "slot processed": ("getSlot", ({"commitment": "processed"},)),
        "slot confirmed": ("getSlot", (_CONFIRMED,)),
        "slot finalized": ("getSlot", ({"commitment": "finalized"},)),
        "slot not reached": ("getSlot", ({**_CONFIRMED, "minContextSlot": future},)),
        "block height": ("getBlockHeight", (_CONFIRMED,)),
        "health": ("getHealth", ()),
        "version": ("getVersion", ()),
        "genesis": ("getGenesisHash", ()),
        "genesis certificate": ("getAgGenesisCert", ()),
        "epoch": ("getEpochInfo", (_CONFIRMED,)),
        "first block": ("getFirstAvailableBlock", ()),
        "ledger": ("minimumLedgerSlot", ()),
        "blockhash": ("getLatestBlockhash", (_CONFIRMED,)),
        "send": ("sendTransaction", (seen.wire, {"encoding": "base64", "skipPreflight": True})),
        "send garbage": ("sendTransaction", ("aaaa", {"encoding": "base64"})),
        "statuses": (
            "getSignatureStatuses",
            ([seen.signatures["open"], seen.signatures["failed"], UNKNOWN],),
        ),
        "blocks": ("getBlocks", (seen.slots["create"], seen.slots["open"] + 1, _CONFIRMED)),
        "blocks by limit": ("getBlocksWithLimit", (seen.slots["create"], 2, _CONFIRMED)),
        "block": ("getBlock", (seen.slots["open"], block)),
        "block whole": ("getBlock", (seen.slots["open"], {**block, "transactionDetails": "full"})),
        "block accounts": ("getBlock", (seen.slots["open"], {**block, "transactionDetails": "accounts"})),
        "block head": ("getBlock", (seen.slots["open"], {**block, "transactionDetails": "none"})),
        "block empty": ("getBlock", (seen.empty, block)),
        "block to come": ("getBlock", (future, block)),
        "block processed": ("getBlock", (seen.slots["open"], {**block, "commitment": "processed"})),
        "time": ("getBlockTime", (seen.slots["open"],)),
        "time to come": ("getBlockTime", (future,)),
        "account": ("getAccountInfo", (MARKET, _ACCOUNT)),
        "account of program": ("getAccountInfo", (POSITIONS, _ACCOUNT)),
        "account unknown": ("getAccountInfo", (NOBODY, _ACCOUNT)),
        "account malformed": ("getAccountInfo", ("zzz", _ACCOUNT)),
        "accounts": ("getMultipleAccounts", ([MARKET, NOBODY], _ACCOUNT)),
        "owned": ("getProgramAccounts", (POSITIONS, _ACCOUNT)),
        "owned in context": ("getProgramAccounts", (POSITIONS, {**_ACCOUNT, "withContext": True})),
        "owned by nobody": ("getProgramAccounts", (NOBODY, {**_ACCOUNT, "withContext": True})),
        "unknown method": ("getHeliograph", ()),
        "missing parameter": ("getBlock", ()),
    }
    asked |= {
        f"transaction {act}": ("getTransaction", (signature, _RECORD))
        for act, signature in seen.signatures.items()
    }
    asked |= {
        "transaction base64": (
            "getTransaction",
            (seen.signatures["open"], {**_RECORD, "encoding": "base64"}),
        ),
        "transaction unknown": ("getTransaction", (UNKNOWN, _RECORD)),
        "transaction malformed": ("getTransaction", ("zzz", _RECORD)),
    }
    return asked | _pages(seen)


def _pages(seen: Seen) -> dict[str, tuple[str, Params]]:
    def page(**config: object) -> tuple[str, Params]:
        return ("getSignaturesForAddress", (POSITIONS, {**_CONFIRMED, **config}))

    return {
        "page": page(),
        "page of one": page(limit=1),
        "page before": page(before=seen.signatures["open"]),
        "page until": page(until=seen.signatures["create"]),
        "page before unknown": page(before=UNKNOWN),
        "page until unknown": page(until=UNKNOWN),
        "page too long": page(limit=1001),
        "page of none": page(limit=0),
        "page not reached": page(minContextSlot=2**40),
        "page of nobody": ("getSignaturesForAddress", (NOBODY, _CONFIRMED)),
        "page malformed": ("getSignaturesForAddress", ("zzz", _CONFIRMED)),
    }


SUBSCRIPTIONS: Mapping[str, Subscription] = {
    "logs": Subscription("logsSubscribe", ({"mentions": [POSITIONS]}, _CONFIRMED), 5),
    "all logs": Subscription("logsSubscribe", ("all", _CONFIRMED), 5),
    "program": Subscription("programSubscribe", (POSITIONS, _ACCOUNT), 1),
    "account": Subscription("accountSubscribe", (MARKET, _ACCOUNT), 1),
    "slots": Subscription("slotSubscribe", (), None),
    "roots": Subscription("rootSubscribe", (), None),
    "two mentions": Subscription("logsSubscribe", ({"mentions": [POSITIONS, MARKET]}, _CONFIRMED), 0),
    "no filter": Subscription("logsSubscribe", (), 0),
    "malformed": Subscription("programSubscribe", ("zzz", _ACCOUNT), 0),
    "unknown": Subscription("heliographSubscribe", (), 0),
}
"""Asked before the acts run; a refusal is an answer too."""
