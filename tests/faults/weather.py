"""What goes wrong between an indexer and its nodes, by name: reactions for localnet's nodes, drawn from a seed.

Each fault is tried by itself (test_websocket.py, test_rpc.py) and all of them at once (test_storm.py). A code is given
only to methods that a real node gives it for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from random import Random
from typing import NamedTuple

from heliograph_localnet.faults import Moment, Occasion, Reaction
from heliograph_localnet.node import Node

HISTORY = frozenset(
    {
        "getSignaturesForAddress",
        "getTransaction",
        "getBlock",
        "getBlocks",
        "getBlockTime",
        "getFirstAvailableBlock",
    }
)
BLOCKS = frozenset({"getBlock", "getBlockTime"})
SCANS = frozenset({"getProgramAccounts"})
CONTEXT = frozenset({"getSignaturesForAddress", "getMultipleAccounts", "getProgramAccounts"})
BATCH = frozenset({"http batch"})
LOGS = frozenset({"logsNotification"})
SUBSCRIBE = frozenset({"logsSubscribe", "slotSubscribe", "programSubscribe"})


class Fault(NamedTuple):
    """make: one reaction, drawn anew each time. share: of the occasions, when the fault is alone.

    methods: None for all.
    """

    moment: Moment
    make: Callable[[Random], Reaction]
    share: float
    methods: frozenset[str] | None = None


class Weather:
    """Faults of one node. hits: how often each struck."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.hits: Counter[str] = Counter()

    def begin(
        self, node: Node, faults: Mapping[str, Fault], *, scale: float = 1.0, most: int | None = None
    ) -> Callable[[], None]:
        """Lets these strike, each at its share times `scale`; returns what ends it. most: strikes of each."""

        def rule(occasion: Occasion) -> Reaction | None:
            for name, fault in faults.items():
                if occasion.moment != fault.moment:
                    continue
                if fault.methods is not None and occasion.method not in fault.methods:
                    continue
                if (most is None or self.hits[name] < most) and self._dice.random() < fault.share * scale:
                    self.hits[name] += 1
                    return fault.make(self._dice)
            return None

        return node.faults.add(rule)


def socket_faults(delay_s: float) -> dict[str, Fault]:
    """delay_s: of a notification that comes late, longer than the indexer's fallback poll."""
    return {
        "dropped": Fault("notification", lambda _: Reaction(abort=True), 0.03),
        "lost": Fault("notification", lambda _: Reaction(copies=0), 0.5),
        "doubled": Fault("notification", lambda dice: Reaction(copies=dice.randint(2, 5)), 0.5),
        "reordered": Fault("notification", lambda dice: Reaction(hold=dice.randint(1, 9)), 0.5),
        "delayed": Fault("notification", lambda dice: Reaction(delay_s=delay_s * dice.uniform(0.8, 1)), 0.5),
        "garbage": Fault("notification", lambda dice: Reaction(garbage=dice.choice(FRAMES)), 0.05),
        "silent": Fault("notification", lambda _: Reaction(hang=True), 1.0),
        "logs alone silent": Fault("notification", lambda _: Reaction(hang=True), 1.0, LOGS),
        "refused": Fault("connect", lambda dice: Reaction(status=dice.choice((403, 429, 503))), 0.6),
        "broken at once": Fault("connect", lambda _: Reaction(abort=True), 0.6),
        "opened slowly": Fault("connect", lambda _: Reaction(delay_s=0.3), 0.9),
        "not subscribed": Fault("request", _error(-32603, "Subscription refused"), 0.4, SUBSCRIBE),
        "subscribed never": Fault("request", lambda _: Reaction(hang=True), 0.3, SUBSCRIBE),
        "garbled subscription": Fault(
            "request", lambda dice: Reaction(garbage=dice.choice(FRAMES)), 0.3, SUBSCRIBE
        ),
    }


def rpc_faults(hang_share: float = 0.08) -> dict[str, Fault]:
    """What passes: the same node answers well a moment later. hang_share: each costs the indexer its deadline."""
    return {
        "429": Fault("exchange", lambda _: Reaction(status=429), 0.3),
        "429 with seconds": Fault("exchange", _status(429, lambda _: "0.05"), 0.3),
        "429 with a date": Fault("exchange", _status(429, lambda _: formatdate(usegmt=True)), 0.3),
        "500": Fault("exchange", lambda _: Reaction(status=500), 0.3),
        "502 in HTML": Fault("exchange", lambda _: Reaction(status=502, garbage=HTML), 0.3),
        "503": Fault("exchange", _status(503, lambda dice: dice.choice(("0.01", "soon"))), 0.3),
        "504": Fault("exchange", lambda _: Reaction(status=504), 0.3),
        "timeout": Fault("exchange", lambda _: Reaction(hang=True), hang_share),
        "slow": Fault("exchange", lambda dice: Reaction(delay_s=dice.uniform(0, 0.1)), 0.4),
        "half a body": Fault("exchange", lambda dice: Reaction(truncate=dice.randint(0, 400)), 0.3),
        "broken off": Fault("exchange", lambda _: Reaction(abort=True), 0.3),
        "no JSON": Fault("exchange", lambda dice: Reaction(garbage=dice.choice(BODIES)), 0.3),
        "-32004": Fault("request", _error(-32004, "Block not available for slot 1"), 0.3, BLOCKS),
        "-32005": Fault("request", _error(-32005, "Node is behind by 42 slots"), 0.3),
        "-32007": Fault("request", _error(-32007, "Slot 1 was skipped, or missing"), 0.2, BLOCKS),
        "-32009": Fault("request", _error(-32009, "Slot 1 was skipped, or missing"), 0.2, BLOCKS),
        "-32012": Fault("request", _error(-32012, "scan aborted"), 0.5, SCANS),
        "-32013": Fault("request", _error(-32013, "bad data"), 0.3),
        "-32014": Fault("request", _error(-32014, "Block status not yet available"), 0.3, BLOCKS),
        "-32016": Fault("request", _error(-32016, "Minimum context slot"), 0.3, CONTEXT),
        "-32017": Fault("request", _error(-32017, "Epoch rewards period still active"), 0.3),
        "-32019": Fault("request", _error(-32019, "Failed to query long-term storage"), 0.3, HISTORY),
        "-32020": Fault(
            "request", _error(-32020, "Transaction not found"), 0.3, frozenset({"getSignaturesForAddress"})
        ),
        "-32603": Fault("request", _error(-32603, "Internal error"), 0.3),
        "a code of tomorrow": Fault("request", _error(-31999, "who knows"), 0.3),
        "no transaction": Fault("request", _null, 0.5, frozenset({"getTransaction"})),
        "no block": Fault("request", _null, 0.3, frozenset({"getBlock"})),
        "short pages": Fault("request", _short, 0.6, frozenset({"getSignaturesForAddress"})),
        "empty pages": Fault(
            "request", lambda _: Reaction(rewrite=lambda _: []), 0.3, frozenset({"getSignaturesForAddress"})
        ),
    }


def lasting_faults() -> dict[str, Fault]:
    """What does not pass: for one node of two, which never answers those methods any more."""
    return {
        "401": Fault("request", lambda _: Reaction(status=401), 1.0),
        "403": Fault("request", lambda _: Reaction(status=403), 1.0),
        "404": Fault("request", lambda _: Reaction(status=404), 1.0),
        "413": Fault("request", lambda _: Reaction(status=413), 1.0),
        # A gateway's limit on what it takes at once: one call passes.
        "413 for a batch": Fault("exchange", lambda _: Reaction(status=413), 1.0, BATCH),
        "-32001": Fault("request", _error(-32001, "Block 1 cleaned up"), 1.0, BLOCKS),
        "-32010": Fault("request", _error(-32010, "excluded from account secondary indexes"), 1.0, SCANS),
        "-32011": Fault("request", _error(-32011, "Transaction history is not available"), 1.0, HISTORY),
        "-32601": Fault("request", _error(-32601, "Method not found"), 1.0, HISTORY),
        "-32602": Fault("request", _error(-32602, "Invalid params"), 1.0, HISTORY),
        "dead": Fault("request", lambda _: Reaction(abort=True), 1.0),
    }


HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
BODIES = (
    b"",
    HTML,
    b"null",
    b"[]",
    b"{}",
    b'{"jsonrpc": "2.0", "id": 0, "result": 7}',
    b"\xff\xfe\x00",
    b'["',
    b"1",
)
"""In place of an answer."""
FRAMES = (
    b"",
    b"{",
    b"null",
    b"[1, 2]",
    b"\xff\xfe\x00",
    b'{"jsonrpc": "2.0"}',
    b'{"jsonrpc": "2.0", "method": "logsNotification"}',
    b'{"jsonrpc": "2.0", "method": "logsNotification", "params": {"result": null, "subscription": 0}}',
    b'{"jsonrpc": "2.0", "method": "slotNotification", "params": {"result": {"slot": "x"}, "subscription": 1}}',
    b'{"jsonrpc": "2.0", "method": "nobodyKnows", "params": {"result": 1, "subscription": 99999}}',
    b'{"jsonrpc": "2.0", "result": 5, "id": 424242}',
)
"""In place of a frame of the WebSocket."""


def _status(status: int, retry_after: Callable[[Random], str]) -> Callable[[Random], Reaction]:
    return lambda dice: Reaction(status=status, headers={"retry-after": retry_after(dice)})


def _error(code: int, message: str) -> Callable[[Random], Reaction]:
    return lambda _: Reaction(error=(code, message, None))


def _null(_: Random) -> Reaction:
    return Reaction(rewrite=lambda _: None)


def _short(dice: Random) -> Reaction:
    share = dice.random()
    return Reaction(rewrite=lambda page: page[: int(len(page) * share)])
