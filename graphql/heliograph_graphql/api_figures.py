"""What the API does, as figures: requests, live clients, subscriptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from heliograph_core.figure import Figure, Histogram, Reading
from heliograph_graphql.outbox import Outbox

REQUESTS = Figure(
    "heliograph_api_requests_total", "counter", "HTTP requests answered.", ("route", "method", "status")
)
SECONDS = Figure(
    "heliograph_api_request_seconds", "histogram", "Time from a request to the end of its answer.", ("route",)
)
CLIENTS = Figure(
    "heliograph_api_websockets", "gauge", "Clients connected by WebSocket, or that are sent events over HTTP."
)
SUBSCRIPTIONS = Figure("heliograph_api_subscriptions", "gauge", "Operations that these clients follow.")
MESSAGES = Figure("heliograph_api_messages_total", "counter", "Messages of subscriptions queued for clients.")
SLOW = Figure(
    "heliograph_api_slow_clients_total", "counter", "Clients that were closed because they took too little."
)
OUTBOX = Figure("heliograph_api_outbox_depth", "gauge", "Messages that wait for the client that has most.")
OUTBOX_LIMIT = Figure("heliograph_api_outbox_limit", "gauge", "Messages that may wait for one client.")

OTHER = "other"
_METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS"})


class LiveClient(Protocol):
    """Somebody who follows something, by whichever protocol."""

    outbox: Outbox
    messages: int
    was_slow: bool

    @property
    def subscriptions(self) -> int:
        """Operations under way."""

    def go_away(self) -> None:
        """The server stops."""


class ApiFigures:
    """A FigureSource. clients: those connected now, kept by whoever accepts them."""

    figures: Sequence[Figure] = (
        REQUESTS,
        SECONDS,
        CLIENTS,
        SUBSCRIPTIONS,
        MESSAGES,
        SLOW,
        OUTBOX,
        OUTBOX_LIMIT,
    )

    def __init__(self, clients: Collection[LiveClient], queue_messages: int) -> None:
        self._clients = clients
        self._queue_messages = queue_messages
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[str, Histogram] = {}
        self._messages = self._slow = 0

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests[route, method if method in _METHODS else OTHER, str(status)] += 1
        self._seconds.setdefault(route, Histogram()).observe(seconds)

    def left(self, client: LiveClient) -> None:
        """A client is gone: what it took still counts."""
        self._messages += client.messages
        self._slow += client.was_slow

    def readings(self) -> Iterator[Reading]:
        for labels, count in sorted(self._requests.items()):
            yield Reading(REQUESTS, count, labels)
        for route, histogram in sorted(self._seconds.items()):
            yield Reading(SECONDS, histogram.read(), (route,))
        yield Reading(CLIENTS, len(self._clients))
        yield Reading(SUBSCRIPTIONS, sum(client.subscriptions for client in self._clients))
        yield Reading(MESSAGES, self._messages + sum(client.messages for client in self._clients))
        yield Reading(SLOW, self._slow + sum(client.was_slow for client in self._clients))
        yield Reading(OUTBOX, max((len(client.outbox) for client in self._clients), default=0))
        yield Reading(OUTBOX_LIMIT, self._queue_messages)
