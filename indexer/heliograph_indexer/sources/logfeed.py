"""Live notifications as a hint: they wake the source and lend it log lines; they never decide what exists.

A lost, silent or garbled socket costs latency only. It is opened anew with a growing, jittered pause.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import structlog
from solana.rpc.commitment import Commitment
from solana.rpc.websocket_api import OverflowPolicy, SolanaWsClient
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.rpc.responses import LogsNotification, SlotNotification

from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.settings import IndexerSettings, shown_url

SOCKET_QUEUE = 10_000
"""Notifications that may wait inside the socket client; the newest are dropped beyond, which costs a fetch each."""
HEALTHY_S = 10.0
"""A connection that held this long was a success: the next pause is short again."""

_log = structlog.get_logger(__name__)


class LogFeed:
    """logsSubscribe of each program, and slotSubscribe as the heartbeat that tells silence from quiet."""

    def __init__(self, settings: IndexerSettings, programs: Sequence[str]) -> None:
        self._settings = settings
        self._programs = [Pubkey.from_string(program) for program in programs]
        self._wake = asyncio.Event()
        self._lines: OrderedDict[str, tuple[int, tuple[str, ...]]] = OrderedDict()
        self._highest_seen = -1
        self.highest_slot = -1
        """Highest slot that a log notification named: something of the stream is there."""
        self.connects = 0
        """How often the socket was opened and subscribed."""
        self.ready = asyncio.Event()
        """Set while subscribed."""
        self.trouble: str | None = None
        """Why there are no notifications, None where they come or were not waited for yet."""

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        backoff = Backoff(self._settings.retry_s, self._settings.retry_max_s)
        while True:
            began = loop.time()
            why = await self._connection()
            self.ready.clear()
            self.trouble = f"{shown_url(self._settings.websocket_url)}: {why}"
            if loop.time() - began >= HEALTHY_S:
                backoff.reset()
            wait = backoff.next()
            _log.info(
                "socket_lost", url=shown_url(self._settings.websocket_url), why=why, retry_in_s=round(wait, 2)
            )
            await asyncio.sleep(wait)

    async def wait(self, timeout_s: float) -> None:
        """Returns at the next notification worth reading the record for, or after timeout_s."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    def settle(self) -> None:
        """Whatever was notified so far has been read."""
        self._wake.clear()

    def lines(self, signature: str, slot: int) -> tuple[str, ...] | None:
        """Log lines of a transaction as notified for exactly that slot, None where there were none."""
        found = self._lines.get(signature)
        return found[1] if found is not None and found[0] == slot and found[1] else None

    def forget(self, through: int) -> None:
        """Lines of slots up to `through` were used or are not needed."""
        stale = [signature for signature, (slot, _) in self._lines.items() if slot <= through]
        for signature in stale:
            del self._lines[signature]

    async def _connection(self) -> str:
        """One connection from opening to its end; returns why it ended."""
        client = SolanaWsClient(
            self._settings.websocket_url,
            request_timeout=self._settings.rpc.deadline_s,
            notification_queue_size=SOCKET_QUEUE,
            overflow=OverflowPolicy.DROP_NEWEST,
            open_timeout=self._settings.rpc.deadline_s,
            close_timeout=1.0,
            max_size=None,
        )
        try:
            async with client:
                for program in self._programs:
                    await client.logs_subscribe(
                        filter_=RpcTransactionLogsFilterMentions(program),
                        commitment=Commitment(self._settings.commitment),
                    )
                await client.slot_subscribe()
                self.connects += 1
                self.ready.set()
                self.trouble = None
                # What happened while nobody listened is in the record: a fork among it, which no line would tell.
                self._lines.clear()
                self._highest_seen = -1
                self._wake.set()
                while True:
                    async with asyncio.timeout(self._settings.socket_silence_s):
                        notification = await client.recv()
                    self._receive(notification)
        except TimeoutError:
            return f"silent for {self._settings.socket_silence_s:g} s"
        except Exception as error:  # noqa: BLE001  whatever breaks a hint, the record stands
            return f"{type(error).__name__}: {error}"

    def _receive(self, notification: object) -> None:
        if isinstance(notification, LogsNotification):
            result = notification.result
            slot = result.context.slot
            if self._settings.log_cache:
                self._keep(str(result.value.signature), slot, tuple(result.value.logs))
            self.highest_slot = max(self.highest_slot, slot)
            self._wake.set()
        elif isinstance(notification, SlotNotification):
            self._see(notification.result.slot)
            if self._settings.wake_on_slot:
                self._wake.set()

    def _see(self, slot: int) -> None:
        """A slot that comes again is another block: the lines that the one before it said are of no use."""
        if slot <= self._highest_seen:
            for signature in [one for one, (at, _) in self._lines.items() if at >= slot]:
                del self._lines[signature]
        self._highest_seen = slot

    def _keep(self, signature: str, slot: int, lines: tuple[str, ...]) -> None:
        self._lines[signature] = (slot, lines)
        while len(self._lines) > self._settings.log_cache_transactions:
            self._lines.popitem(last=False)
