"""What the indexers of this process do, as figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from heliograph_core.figure import Figure, Reading
from heliograph_indexer.indexer import Indexer
from heliograph_sql import commit_figures


def _gauge(name: str, meaning: str, *labels: str) -> Figure:
    return Figure(f"heliograph_{name}", "gauge", meaning, ("stream", *labels))


def _counter(name: str, meaning: str, *labels: str) -> Figure:
    return Figure(f"heliograph_{name}_total", "counter", meaning, ("stream", *labels))


LEADING = _gauge("indexer_leading", "1 where this process leads the stream, 0 where it stands by.")
CLUSTER_HEAD = _gauge("cluster_head_slot", "Highest slot that the cluster showed to this process.")
LAG = _gauge("lag_slots", "Slots between the cluster's head and what this process committed.")
TRANSACTIONS = _counter("indexed_transactions", "Transactions committed live by this process.")
ACCOUNTS = _counter("indexed_accounts", "Account states committed by this process.")
HEALED_GAPS = _counter("healed_gaps", "Gaps that were seen and are whole now, whoever filled them.")
HEALED_SLOTS = _counter("healed_slots", "Slots that the healer of this process filled.")
CORRECTED = _counter(
    "corrected_slots", "Slots that this process rewrote because the chain has them otherwise."
)
RPC_CALLS = _counter(
    "rpc_calls",
    "JSON-RPC calls, each try counted. code: `ok`, `unreachable`, `other`, a JSON-RPC code or an HTTP status.",
    "host",
    "method",
    "code",
)
RPC_TROUBLE = _gauge("rpc_trouble", "1 while an endpoint is ill or something of the cluster is waited for.")
SOCKET_TROUBLE = _gauge(
    "notifications_trouble", "1 while a WebSocket is not there, which costs latency only."
)
CONNECTS = _counter("socket_connects", "How often a WebSocket was opened and subscribed.", "socket")
LEASES_LOST = _counter("leases_lost", "How often another process took the lead from this one.")
QUEUE = _gauge("queue_depth", "What waits in a bounded queue.", "queue")
QUEUE_LIMIT = _gauge("queue_limit", "How much may wait in it.", "queue")


class IndexerFigures:
    """A FigureSource. indexers: by stream."""

    figures: Sequence[Figure] = (
        LEADING,
        CLUSTER_HEAD,
        LAG,
        TRANSACTIONS,
        ACCOUNTS,
        HEALED_GAPS,
        HEALED_SLOTS,
        CORRECTED,
        *commit_figures.FIGURES,
        RPC_CALLS,
        RPC_TROUBLE,
        SOCKET_TROUBLE,
        CONNECTS,
        LEASES_LOST,
        QUEUE,
        QUEUE_LIMIT,
    )

    def __init__(self, indexers: Mapping[str, Indexer]) -> None:
        self._indexers = indexers

    def readings(self) -> Iterator[Reading]:
        for stream, indexer in self._indexers.items():
            yield from _progress_of(stream, indexer)
            yield from indexer.figures.readings(stream)
            for count in indexer.rpc_calls:
                yield Reading(RPC_CALLS, count.calls, (stream, count.host, count.method, count.code))
            for socket, connects in indexer.connects.items():
                yield Reading(CONNECTS, connects, (stream, socket))
            for queue in indexer.queues:
                yield Reading(QUEUE, queue.depth, (stream, queue.queue))
                yield Reading(QUEUE_LIMIT, queue.limit, (stream, queue.queue))


def _progress_of(stream: str, indexer: Indexer) -> Iterator[Reading]:
    status = indexer.status
    known = {
        LEADING: int(status.state == "leading"),
        CLUSTER_HEAD: status.head_slot,
        LAG: status.lag_slots,
        TRANSACTIONS: status.transactions,
        ACCOUNTS: status.accounts,
        HEALED_GAPS: status.healing.healed_gaps if status.healing is not None else 0,
        HEALED_SLOTS: status.healing.healed_slots if status.healing is not None else 0,
        CORRECTED: status.corrected_slots,
        RPC_TROUBLE: int(status.trouble is not None),
        SOCKET_TROUBLE: int(status.deaf is not None),
        LEASES_LOST: indexer.leases_lost,
    }
    for figure, value in known.items():
        if value is not None:
            yield Reading(figure, value, (stream,))
