"""Live notifications as a hint: they wake the source and lend it log lines; they never decide what exists.

A lost, silent or garbled socket costs latency only. It is opened anew with a growing, jittered pause, at another
address after repeated failures.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog
from solana.rpc.commitment import Commitment
from solana.rpc.websocket_api import OverflowPolicy, SolanaWsClient
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.rpc.responses import LogsNotification, SlotNotification

from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.socket_rota import SocketRota

SOCKET_QUEUE = 10_000
"""Notifications that may wait inside the socket client; the newest are dropped beyond, which costs a fetch each."""

_log = structlog.get_logger(__name__)


class LogFeed:
    """logsSubscribe of each program, and slotSubscribe as the heartbeat that tells silence from quiet."""

    def __init__(
        self,
        settings: IndexerSettings,
        programs: Sequence[str],
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        """on_turn: told whenever the socket was lost or opened: another node may answer there now."""
        self._settings = settings
        self._programs = [Pubkey.from_string(program) for program in programs]
        self._rota = SocketRota(settings)
        self._on_turn = on_turn
        self._wake = asyncio.Event()
        self._read_through = -1
        self._lines: OrderedDict[str, tuple[int, tuple[str, ...]]] = OrderedDict()
        self._highest_seen = -1
        self._speaker = ""
        self.highest_slot = -1
        """Highest slot that a log notification named: something of the stream is there."""
        self.connects = 0
        """How often the socket was opened and subscribed."""
        self.ready = asyncio.Event()
        """Set while subscribed."""

    @property
    def trouble(self) -> str | None:
        """Which WebSocket is not there and why, None while one is."""
        return self._rota.trouble

    @property
    def lines_kept(self) -> tuple[int, int]:
        """Transactions whose lines are kept until their slot is read, and how many may be."""
        return len(self._lines), self._settings.log_cache_transactions

    @property
    def endpoint(self) -> str:
        """The WebSocket in use or tried next, as it may be printed."""
        return self._rota.shown

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            url = self._rota.shown
            why = await self._connection()
            self.ready.clear()
            self._on_turn()
            wait = self._rota.lost(why, loop.time() - began)
            _log.info("socket_lost", url=url, why=why, retry_in_s=round(wait, 2), next=self._rota.shown)
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

    def speaks_for(self, endpoint: str) -> bool:
        """Whether the lines are of the node that the endpoint is: another one may have had another block there."""
        return self._speaker in self._settings.websockets_of(endpoint)

    def forget(self, through: int) -> None:
        """Lines of slots up to `through` were used or are not needed."""
        self._read_through = max(self._read_through, through)
        stale = [signature for signature, (slot, _) in self._lines.items() if slot <= through]
        for signature in stale:
            del self._lines[signature]

    async def _connection(self) -> str:
        """One connection from opening to its end; returns why it ended."""
        client = SolanaWsClient(
            self._rota.url,
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
                self._on_turn()
                self.ready.set()
                self._rota.opened()
                self._speaker = self._rota.url
                # What happened while nobody listened is in the record: a fork among it, which no line would tell.
                self._lines.clear()
                self._highest_seen = -1
                self._wake.set()
                await self._listen(client)
        except TimeoutError:
            return f"no slot notified for {self._settings.socket_silence_s:g} s"
        except Exception as error:  # noqa: BLE001  whatever breaks a hint, the record stands
            return self._rota.failure(error)

    async def _listen(self, client: SolanaWsClient) -> NoReturn:
        """Until the slots stop. Raises TimeoutError: logs that still come do not tell that the node follows the chain."""
        loop = asyncio.get_running_loop()
        beats = False
        silent_at = loop.time() + self._settings.socket_silence_s
        while True:
            async with asyncio.timeout_at(silent_at):
                notification = await client.recv()
            beat = isinstance(notification, SlotNotification)
            beats = beats or beat
            # A runtime that notifies no slots at all is judged by whatever it does notify.
            if beat or not beats:
                silent_at = loop.time() + self._settings.socket_silence_s
            self._receive(notification)

    def _receive(self, notification: object) -> None:
        if isinstance(notification, LogsNotification):
            result = notification.result
            slot = result.context.slot
            if slot <= self._read_through:
                # Late or doubled: that slot was read, and reading again for each such line would be a storm of requests.
                return
            if self._settings.log_cache:
                self._keep(str(result.value.signature), slot, tuple(result.value.logs))
            self.highest_slot = max(self.highest_slot, slot)
            self._wake.set()
        elif isinstance(notification, SlotNotification):
            self._see(notification.result.slot)
            if self._settings.wake_on_slot:
                self._wake.set()

    def _see(self, slot: int) -> None:
        """A slot that comes again is another block, and so may slots be whose own coming again was not heard: of all of
        them the lines are of no use.
        """
        if slot <= self._highest_seen:
            self._lines.clear()
        self._highest_seen = slot

    def _keep(self, signature: str, slot: int, lines: tuple[str, ...]) -> None:
        self._lines[signature] = (slot, lines)
        while len(self._lines) > self._settings.log_cache_transactions:
            self._lines.popitem(last=False)
