"""Which WebSocket to open next, and how long to wait before: the same again, or another after repeated failures. Pure."""

from __future__ import annotations

from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.settings import IndexerSettings, shown_url

HEALTHY_S = 10.0
"""A connection that held this long was a success: the next pause is short again."""


class SocketRota:
    """The addresses of the settings in turn. `trouble` says what is wrong until `opened()`."""

    def __init__(self, settings: IndexerSettings) -> None:
        self._urls = settings.websocket_urls
        self._failures_allowed = settings.socket_failures
        self._backoff = Backoff(settings.retry_s, settings.retry_max_s)
        self._at = 0
        self._failures = 0
        self.trouble: str | None = None
        """Which WebSocket is not there and why, None while one is."""

    @property
    def url(self) -> str:
        """The address to open."""
        return self._urls[self._at]

    @property
    def shown(self) -> str:
        """The address as it may be printed."""
        return shown_url(self.url)

    def failure(self, error: BaseException) -> str:
        """The error in words, without what the address may hold of keys: some libraries quote it."""
        return f"{type(error).__name__}: {error}".replace(self.url, self.shown)

    def opened(self) -> None:
        """It is open and subscribed."""
        self.trouble = None

    def lost(self, why: str, held_s: float) -> float:
        """The connection ended after so many seconds, 0 where it never opened. Returns the seconds to wait now."""
        self.trouble = f"WebSocket {self.shown}: {why}"
        if held_s >= HEALTHY_S:
            self._failures = 0
            self._backoff.reset()
        self._failures += 1
        wait = self._backoff.next()
        if self._failures >= self._failures_allowed and len(self._urls) > 1:
            self._failures = 0
            self._at = (self._at + 1) % len(self._urls)
            if self._at:
                # A new one is worth a try at once; a whole turn without success is not.
                wait = 0.0
        return wait
