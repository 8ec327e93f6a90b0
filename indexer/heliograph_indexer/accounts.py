"""Account changes: a live stream over a snapshot, reconciled now and then. A sample of state, not events.

programSubscribe has no order, no replay, and never tells of an account that closed. So: open the stream and buffer,
snapshot with its context slot, apply only what is newer, and scan everything again at times to find what is gone.
What a notification says at or below the snapshot's slot proves nothing (one runtime never moves the slot of its
notifications): such an account is read anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog
from solana.rpc.commitment import Commitment
from solana.rpc.websocket_api import OverflowPolicy, SolanaWsClient
from solders.pubkey import Pubkey
from solders.rpc.responses import ProgramNotification, SlotNotification

from heliograph_core.account import AccountState, AccountUpdate
from heliograph_core.errors import RpcUnavailable
from heliograph_indexer.decode import Layouts, decode_account
from heliograph_indexer.pipeline import QueueDepth
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.cluster import AccountScan, Cluster
from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.socket_rota import SocketRota

FLOOR_TRIES = 20
"""How often a scan is asked for while no endpoint has reached the slot that the stream has shown."""
READ_AT_ONCE = 100
"""Accounts in one getMultipleAccounts."""
CommitAccounts = Callable[[Sequence[AccountState], int | None], Awaitable[None]]
"""Stores states; the slot is that of a reconciled snapshot, None between snapshots. Waits out the database."""

_log = structlog.get_logger(__name__)


class AccountFeed:
    """Follows every account that the stream's programs own. `run()` until cancelled.

    Memory: one entry an open account, and the changes of one batch (`account_queue` at most).
    """

    def __init__(
        self,
        cluster: Cluster,
        layouts: Layouts,
        settings: IndexerSettings,
        commit: CommitAccounts,
        on_fork: Callable[[int], None] | None = None,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        """on_turn: told whenever the socket was lost or opened: another node may answer there now.

        on_fork: told of a slot that was announced again, from which on states may be of blocks that are gone."""
        self._cluster = cluster
        self._layouts = layouts
        self._settings = settings
        self._commit = commit
        self._on_fork = on_fork
        self._on_turn = on_turn
        self._highest_seen = -1
        self._forked_from: int | None = None
        self._programs = tuple(layouts.channels)
        self._open: dict[str, tuple[str, int]] = {}
        self._changed: dict[str, AccountUpdate] = {}
        self._wake = asyncio.Event()
        self._rota = SocketRota(settings)
        # Where several nodes answer, one may be behind the node whose notifications are heard.
        self._several = len(settings.endpoint_urls) > 1
        self._heard_slot: int | None = None
        self._heard = asyncio.Event()
        self.connects = 0
        """How often the socket was opened and subscribed."""
        self.through = -1
        """Context slot of the last snapshot that was applied."""

    def remember(self, stored: Iterable[tuple[str, str, int]]) -> None:
        """(address, program, slot) of accounts that the database holds open: the first scan finds which closed."""
        for address, program, slot in stored:
            self._open[address] = (program, slot)

    @property
    def queue(self) -> QueueDepth:
        """Changes that wait to be committed."""
        return QueueDepth("account_changes", len(self._changed), self._settings.account_queue)

    @property
    def trouble(self) -> str | None:
        """Why accounts are not followed now, None while they are."""
        return self._rota.trouble

    async def run(self) -> None:
        """Until cancelled. Waits out what may pass; raises RpcRefused."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            url = self._rota.shown
            why = await self._connection()
            self._on_turn()
            wait = self._rota.lost(why, loop.time() - began)
            _log.info("account_socket_lost", url=url, why=why, retry_in_s=round(wait, 2))
            await asyncio.sleep(wait)

    async def _connection(self) -> str:
        """One connection from opening to its end; returns why it ended."""
        client = SolanaWsClient(
            self._rota.url,
            request_timeout=self._settings.rpc.deadline_s,
            notification_queue_size=self._settings.account_queue,
            overflow=OverflowPolicy.RAISE,
            open_timeout=self._settings.rpc.deadline_s,
            close_timeout=1.0,
            max_size=None,
        )
        self._changed.clear()
        self._highest_seen = -1
        self._heard.clear()
        self._heard_slot = None
        reader: asyncio.Task[str] | None = None
        try:
            why = await self._subscribe(client)
            if why is not None:
                return why
            reader = asyncio.create_task(self._read(client))
            await self._follow(reader)
            return await reader
        except RpcUnavailable as error:
            return str(error)
        finally:
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            await client.close()

    async def _subscribe(self, client: SolanaWsClient) -> str | None:
        """Opens the socket and asks for everything; returns why it could not."""
        try:
            await client.connect()
            for program in self._programs:
                await client.program_subscribe(
                    program_id=Pubkey.from_string(program),
                    commitment=Commitment(self._settings.commitment),
                    encoding="base64",
                )
            await client.slot_subscribe()
            self.connects += 1
            self._on_turn()
            self._rota.opened()
        except Exception as error:  # noqa: BLE001  whatever a node answers with, it is asked again
            return self._rota.failure(error)
        return None

    async def _read(self, client: SolanaWsClient) -> str:
        """Buffers notifications, the newest of each account; returns why no more can come."""
        try:
            while len(self._changed) < self._settings.account_queue:
                async with asyncio.timeout(self._settings.socket_silence_s):
                    notification = await client.recv()
                if isinstance(notification, ProgramNotification):
                    self._buffer(notification)
                    self._hear(notification.result.context.slot)
                elif isinstance(notification, SlotNotification):
                    self._hear(notification.result.slot)
                    self._see(notification.result.slot)
            return f"{self._settings.account_queue} changes wait: a snapshot is cheaper"
        except TimeoutError:
            return f"silent for {self._settings.socket_silence_s:g} s"
        except Exception as error:  # noqa: BLE001  whatever breaks the socket, a snapshot makes up for it
            return self._rota.failure(error)
        finally:
            self._wake.set()
            self._heard.set()

    def _hear(self, slot: int) -> None:
        if self._heard_slot is None:
            self._heard_slot = slot
            self._heard.set()

    def _see(self, slot: int) -> None:
        """A slot that comes again is another block: what waits to be stored of the one before it is read anew."""
        if slot <= self._highest_seen:
            for address, update in self._changed.items():
                if update.slot >= slot:
                    self._changed[address] = AccountUpdate(address, update.owner, 0, 0, b"")
            self._forked_from = slot if self._forked_from is None else min(slot, self._forked_from)
            self._wake.set()
        self._highest_seen = slot

    def _buffer(self, notification: ProgramNotification) -> None:
        slot = notification.result.context.slot
        keyed = notification.result.value
        account = keyed.account
        address = str(keyed.pubkey)
        waiting = self._changed.get(address)
        if waiting is None or waiting.slot <= slot:
            self._changed[address] = AccountUpdate(
                address, str(account.owner), slot, account.lamports, bytes(account.data)
            )
            self._wake.set()

    async def _follow(self, reader: asyncio.Task[str]) -> None:
        loop = asyncio.get_running_loop()
        if self._several:
            await self._heard.wait()
            if self._heard_slot is None:
                # The connection ended before it said where it stands.
                return
        await self._reconcile()
        next_scan = loop.time() + self._settings.reconcile_interval_s
        while not reader.done():
            if not self._changed and self._forked_from is None:
                self._wake.clear()
                try:
                    async with asyncio.timeout_at(next_scan):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                else:
                    await asyncio.sleep(self._settings.account_batch_s)
            await self._apply()
            self._tell_of_fork()
            if loop.time() >= next_scan:
                await self._reconcile()
                next_scan = loop.time() + self._settings.reconcile_interval_s

    def _tell_of_fork(self) -> None:
        """Only now: what was read or notified before is stored, and whoever mends it must find it there."""
        forked, self._forked_from = self._forked_from, None
        if forked is not None and self._on_fork is not None:
            self._on_fork(forked)

    async def _apply(self) -> None:
        """Commits what was notified since the last time."""
        changed = list(self._changed.values())
        self._changed.clear()
        doubtful: list[str] = []
        newer: list[AccountUpdate] = []
        for update in changed:
            if update.owner not in self._layouts.channels:
                continue
            if update.slot <= self.through:
                doubtful.append(update.address)
            elif update.slot > self._open.get(update.address, ("", -1))[1]:
                newer.append(update)
        for at in range(0, len(doubtful), READ_AT_ONCE):
            some = doubtful[at : at + READ_AT_ONCE]
            newer.extend(await self._cluster.accounts(some, min_context_slot=self._floor()))
        await self._store(newer)

    def _floor(self) -> int | None:
        """The slot below which an answer could be older than what was heard or applied; None for a single node."""
        return max(self._heard_slot or 0, self.through) if self._several else None

    async def _reconcile(self) -> None:
        """Scans everything: what is there is stored, what is gone is closed."""
        slots = []
        for program in self._programs:
            scan = await self._scanned(program)
            slots.append(scan.slot)
            present = {update.address for update in scan.accounts}
            gone = [
                AccountUpdate(address, "", scan.slot, 0, b"")
                for address, (owner, slot) in self._open.items()
                if owner == program and address not in present and slot < scan.slot
            ]
            fresh = [
                update
                for update in scan.accounts
                if update.slot > self._open.get(update.address, ("", -1))[1]
            ]
            await self._store([*fresh, *gone])
        self.through = min(slots)
        await self._commit([], self.through)

    async def _scanned(self, program: str) -> AccountScan:
        """A scan that is not older than the stream. What the stream shows runs ahead of what is confirmed, so that slot is
        waited for: subscribing anew would only hear of a newer one.
        """
        floor, pause = self._floor(), Backoff(self._settings.retry_s, self._settings.retry_max_s)
        for _ in range(FLOOR_TRIES):
            try:
                return await self._cluster.program_accounts(program, min_context_slot=floor)
            except RpcUnavailable as error:
                if error.code != faults.BEHIND_CONTEXT:
                    raise
                await asyncio.sleep(pause.next(error.retry_after))
        return await self._cluster.program_accounts(program, min_context_slot=floor)

    async def _store(self, updates: Sequence[AccountUpdate]) -> None:
        for at in range(0, len(updates), self._settings.account_batch_rows):
            states = []
            for update in updates[at : at + self._settings.account_batch_rows]:
                program = update.owner
                if update.closed or program not in self._layouts.channels:
                    # Closed, or given to another owner: either way the program has it no longer.
                    known = self._open.pop(update.address, None)
                    if known is None:
                        continue
                    program = known[0]
                    update = AccountUpdate(update.address, update.owner, update.slot, 0, b"")
                else:
                    self._open[update.address] = (program, update.slot)
                states.append(decode_account(update, program, self._layouts))
            if states:
                await self._commit(states, None)
