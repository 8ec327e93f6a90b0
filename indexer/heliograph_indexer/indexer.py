"""One stream's indexer: leads by lease, begins at the head, and runs live, healer and accounts side by side.

Coverage is the only checkpoint: where live begins is told in beginning.py, what it leaves behind is healed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from uuid import uuid4

import structlog

from heliograph_core.errors import (
    DatabaseUnavailable,
    IdlConflict,
    LeaseLost,
    RpcRefused,
    RpcUnavailable,
    SettingsError,
)
from heliograph_indexer.account_store import AccountStore, Reached
from heliograph_indexer.accounts import AccountFeed, CommitAccounts
from heliograph_indexer.beginning import live_begins
from heliograph_indexer.committing import Committed
from heliograph_indexer.decode import Layouts
from heliograph_indexer.event_store import open_event_tables, open_layouts
from heliograph_indexer.finalizer import DOUBTS, Finalizer
from heliograph_indexer.genesis import bind_cluster
from heliograph_indexer.healer import Healer, heal_share
from heliograph_indexer.indexer_status import IndexerStatus, State
from heliograph_indexer.pipeline import Pipeline, QueueDepth
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.refolder import Refolder
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.counters import RpcCount
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.logfeed import LogFeed
from heliograph_indexer.sources.rpc import RpcSource
from heliograph_sql.accounts import list_open_accounts
from heliograph_sql.commit_figures import CommitFigures
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.streams import StreamRow, read_coverage
from heliograph_sql.writer import Writer

RENEW_EVERY_S = 1.0
"""How often the lease is renewed, and how often one who waits for it asks."""

SUBSCRIBE_S = 5.0
"""Longest wait for the subscription before live begins: without it rows come late, and none is lost."""

T = TypeVar("T")

_log = structlog.get_logger(__name__)


async def current_slot(settings: IndexerSettings) -> int:
    """The cluster's newest slot at the commitment: where a new stream begins unless told otherwise.

    Raises RpcError, naming an endpoint, where none can be reached or it is none.
    """
    async with Pool.open(settings.endpoint_urls, settings.rpc) as pool:
        return await Cluster(pool, settings.commitment).slot()


class Indexer:
    """Indexes one stream until stopped. Several may run for one stream: one leads, the others wait to take over."""

    def __init__(
        self,
        database: Database,
        stream: StreamRow,
        protocol: Protocol,
        settings: IndexerSettings,
        *,
        holder: str | None = None,
    ) -> None:
        """holder: names this process in the lease; unique among all processes. Raises SettingsError, IdlError."""
        self._database = database
        self._stream = stream
        self._protocol = protocol
        self._layouts = Layouts.of(protocol, instructions=stream.instructions)
        # Log lines do not tell the instructions: where these are wanted every record is fetched.
        self._settings = settings = replace(
            settings, log_cache=settings.log_cache and not self._layouts.calls
        )
        foreign = sorted(set(stream.programs) - set(self._layouts.channels))
        if foreign:
            known = ", ".join(sorted(self._layouts.channels))
            raise SettingsError(
                f"stream {stream.name!r} has program {foreign[0]}, which protocol {protocol.name!r} does not know "
                f"(it knows {known}): remove the program or choose another protocol"
            )
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._stopping = asyncio.Event()
        self._state: State = "starting"
        self._source: RpcSource | None = None
        self._pool: Pool | None = None
        self._feed: LogFeed | None = None
        self._healer: Healer | None = None
        self._account_feed: AccountFeed | None = None
        self._last: Committed | None = None
        self._commits = self._transactions = self._rows = self._accounts = 0
        self._accounts_through: int | None = None
        self._finalizer: Finalizer | None = None
        self._reached = Reached()
        self._pipeline: Pipeline | None = None
        self._connects = {"logs": 0, "accounts": 0}
        self.leases_lost = 0
        """How often another process took over since run() began."""
        self.figures = CommitFigures()
        """What all writers of this indexer committed."""

    @property
    def status(self) -> IndexerStatus:
        """As of now; cheap."""
        head = self._source.head_slot if self._source is not None else -1
        last = self._last
        return IndexerStatus(
            stream=self._stream.name,
            state=self._state,
            head_slot=head if head >= 0 else None,
            committed_slot=last.last if last is not None else None,
            committed_time=last.last_time if last is not None else None,
            commits=self._commits,
            transactions=self._transactions,
            rows=self._rows,
            accounts=self._accounts,
            accounts_through=self._accounts_through,
            final_slot=self._finalizer.final_slot if self._finalizer is not None else None,
            trouble=_told(self._source, self._finalizer, self._pool),
            deaf=_told(self._feed, self._account_feed),
            healing=self._healer.status if self._healer is not None else None,
            corrected_slots=self._finalizer.corrections if self._finalizer is not None else 0,
        )

    @property
    def rpc_calls(self) -> tuple[RpcCount, ...]:
        """JSON-RPC calls since run() began, by host, method and code."""
        return self._pool.counters.read() if self._pool is not None else ()

    @property
    def queues(self) -> tuple[QueueDepth, ...]:
        """Every bounded queue of this indexer but those inside the WebSocket clients; empty before it leads."""
        found: list[QueueDepth] = []
        for part, name in ((self._pipeline, "live"), (self._healer, "heal")):
            queues = part.queues if part is not None else ()
            found += [queue._replace(queue=f"{name}_{queue.queue}") for queue in queues]
        if self._account_feed is not None:
            found.append(self._account_feed.queue)
        if self._feed is not None:
            found.append(QueueDepth("log_lines", *self._feed.lines_kept))
        if self._finalizer is not None:
            found.append(QueueDepth("doubted_slots", *self._finalizer.doubts))
        return tuple(found)

    @property
    def connects(self) -> dict[str, int]:
        """How often each WebSocket was opened and subscribed since run() began."""
        now = {"logs": self._feed, "accounts": self._account_feed}
        return {name: past + _connects(now[name]) for name, past in self._connects.items()}

    async def run(self) -> None:
        """Until stop() or cancellation. A lost lease means waiting for it again.

        Raises RpcError at once where the endpoint cannot be reached at the start, and later RpcRefused or
        DatabaseError for what no waiting mends.
        """
        main = asyncio.create_task(self._run())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((main, stop), return_when=asyncio.FIRST_COMPLETED)
            if main.done():
                main.result()
        finally:
            main.cancel()
            stop.cancel()
            await asyncio.gather(main, stop, return_exceptions=True)
            self._state = "stopped"

    async def stop(self) -> None:
        """Ends run() cleanly: what is committed stays, what is under way is given up, the lease is released."""
        self._stopping.set()

    async def _run(self) -> None:
        async with Pool.open(self._settings.endpoint_urls, self._settings.rpc) as pool:
            self._pool = pool
            cluster = Cluster(pool, self._settings.commitment)
            await cluster.slot()
            await self._waited(lambda: bind_cluster(self._database, self._stream.name, cluster))
            while True:
                lease = Lease(self._database, self._stream.name, self.holder, self._settings.lease_ttl_s)
                epoch = await self._acquired(lease)
                try:
                    await self._lead(pool, cluster, lease, epoch)
                except LeaseLost as error:
                    self.leases_lost += 1
                    _log.warning("lease_lost", stream=self._stream.name, why=str(error))
                except IdlConflict as error:
                    # Coverage is the checkpoint: what was decoded with the IDLs of before is fetched again.
                    _log.info("idl_added", stream=self._stream.name, why=str(error))
                finally:
                    self._connects = self.connects
                    self._feed = self._account_feed = None
                    await self._release(lease)

    async def _acquired(self, lease: Lease) -> int:
        while True:
            epoch = await self._waited(lease.acquire)
            if epoch is not None:
                return epoch
            self._state = "standby"
            await asyncio.sleep(RENEW_EVERY_S)

    async def _release(self, lease: Lease) -> None:
        try:
            # It runs out by itself; a stop must not wait for a database that is away.
            async with asyncio.timeout(self._settings.lease_ttl_s):
                await lease.release()
        except (DatabaseUnavailable, TimeoutError) as error:
            _log.warning("lease_not_released", stream=self._stream.name, why=str(error))

    async def _lead(self, pool: Pool, cluster: Cluster, lease: Lease, epoch: int) -> None:
        self._layouts = await self._waited(
            lambda: open_layouts(self._database, self._stream.name, self._protocol)
        )
        tables = await self._waited(
            lambda: open_event_tables(self._database, self._stream.name, self._layouts)
        )
        writer = Writer(
            self._database,
            self._stream.name,
            self.holder,
            event_tables=tables,
            figures=self.figures,
            idl_count=self._layouts.added,
        )
        pipeline = Pipeline(
            self._database,
            self._stream.name,
            writer,
            self._protocol,
            self._layouts,
            self._settings,
            epoch=epoch,
            on_commit=self._committed,
        )
        accounts = AccountStore(
            self._stream.name,
            self._protocol,
            writer,
            epoch=epoch,
            events=self._reached,
            waited=self._waited,
            on_incident=pipeline.incident,
            on_stored=self._stored,
        )
        refolder = Refolder(writer, epoch)
        finalizer = Finalizer(
            self._database,
            self._stream.name,
            self._stream.programs,
            writer,
            self._protocol,
            self._layouts,
            self._settings,
            confirmed=cluster,
            finalized=Cluster(pool, "finalized"),
            epoch=epoch,
            on_incident=pipeline.incident,
            on_correction=refolder.wake,
            amend_accounts=accounts.amend if self._settings.accounts else None,
        )

        def on_incident(kind: str, slot: int | None, detail: dict[str, object]) -> None:
            pipeline.incident(kind, slot, detail)
            if kind in DOUBTS and slot is not None:
                finalizer.doubt(slot)

        feed = LogFeed(self._settings, self._stream.programs, pool.doubt)
        source = RpcSource(cluster, self._stream.programs, self._settings, feed=feed, on_incident=on_incident)
        self._source, self._feed, self._finalizer, self._pipeline = source, feed, finalizer, pipeline
        self._healer = Healer(
            self._database,
            self._stream,
            self._protocol,
            self._settings,
            Cluster(heal_share(pool, self._settings), self._settings.commitment),
            holder=f"{self.holder}:heal",
            figures=self.figures,
        )
        self._state = "leading"
        _log.info("leading", stream=self._stream.name, epoch=epoch, rpc=cluster.endpoint)
        begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew(lease))
                tasks.create_task(pool.watch())
                tasks.create_task(feed.run())
                tasks.create_task(self._follow(cluster, feed, source, pipeline, begun))
                tasks.create_task(self._fill_below(self._healer, begun))
                tasks.create_task(finalizer.run())
                tasks.create_task(refolder.run())
                if self._settings.accounts:
                    tasks.create_task(
                        self._follow_accounts(
                            cluster, accounts.commit, pipeline, finalizer.doubt_accounts, pool.doubt
                        )
                    )
        except BaseExceptionGroup as group:
            # The first failure is the cause; the others were cancelled for it.
            raise group.exceptions[0] from None

    async def _follow(
        self,
        cluster: Cluster,
        feed: LogFeed,
        source: RpcSource,
        pipeline: Pipeline,
        begun: asyncio.Future[int],
    ) -> None:
        """Live: from the head on, as beginning.py says."""
        try:
            async with asyncio.timeout(SUBSCRIBE_S):
                await feed.ready.wait()
        except TimeoutError:
            _log.warning("not_subscribed", stream=self._stream.name, waited_s=SUBSCRIBE_S)
        noted = await self._noted_slot(cluster)
        coverage = await self._waited(lambda: read_coverage(self._database, self._stream.name))
        catch_up = self._settings.heal.catch_up_slots
        first = live_begins(coverage, self._stream.first_slot, noted, catch_up)
        _log.info("live_begins", stream=self._stream.name, first=first, noted=noted)
        begun.set_result(first)
        await pipeline.run(source.spans(first, None))

    async def _noted_slot(self, cluster: Cluster) -> int:
        backoff = Backoff(self._settings.retry_s, self._settings.retry_max_s)
        while True:
            try:
                return await cluster.slot()
            except RpcUnavailable as error:
                wait = backoff.next(error.retry_after)
                _log.warning(
                    "slot_unavailable", stream=self._stream.name, why=str(error), retry_in_s=round(wait, 2)
                )
                await asyncio.sleep(wait)

    async def _fill_below(self, healer: Healer, begun: asyncio.Future[int]) -> None:
        await healer.run(await begun - 1)

    async def _waited(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of a database call, after however many tries."""
        backoff = Backoff(self._settings.retry_s, self._settings.retry_max_s)
        while True:
            try:
                return await attempt()
            except DatabaseUnavailable as error:
                wait = backoff.next()
                _log.warning(
                    "database_away", stream=self._stream.name, why=str(error), retry_in_s=round(wait, 2)
                )
                await asyncio.sleep(wait)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await lease.renew()
            except DatabaseUnavailable as error:
                # The epoch guards every write; a lease that runs out meanwhile only lets another one lead.
                _log.warning("lease_not_renewed", stream=self._stream.name, why=str(error))

    async def _follow_accounts(
        self,
        cluster: Cluster,
        commit: CommitAccounts,
        pipeline: Pipeline,
        on_fork: Callable[[int], None],
        on_turn: Callable[[], None],
    ) -> None:
        feed = AccountFeed(cluster, self._layouts, self._settings, commit, on_fork, on_turn)
        self._account_feed = feed
        feed.remember(await self._waited(lambda: list_open_accounts(self._database, self._stream.name)))
        try:
            await feed.run()
        except RpcRefused as error:
            # Events do not depend on accounts: many public endpoints refuse to scan them.
            pipeline.incident("accounts_refused", None, {"why": str(error)})

    def _stored(self, accounts: int, through: int | None) -> None:
        self._accounts += accounts
        if through is not None:
            self._accounts_through = through

    def _committed(self, commit: Committed) -> None:
        self._last = commit
        self._reached.reach(commit.last)
        self._commits += 1
        self._transactions += commit.transactions
        self._rows += commit.rows


def _connects(feed: LogFeed | AccountFeed | None) -> int:
    return feed.connects if feed is not None else 0


def _told(*parts: RpcSource | Finalizer | Pool | LogFeed | AccountFeed | None) -> str | None:
    """What the parts say is wrong, each thing once: a source repeats its endpoint, two feeds share a WebSocket."""
    told = [part.trouble for part in parts if part is not None and part.trouble is not None]
    return "; ".join(dict.fromkeys(told)) or None
