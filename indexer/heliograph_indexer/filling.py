"""Fills uncovered slots of a range, piece by piece: claim, fetch, commit, give up. The healer and backfill share it.

A piece is claimed before anything of it is fetched, and its coverage is read again under the claim, so that two who
meet fetch no slot twice. The claim is prolonged while the piece is under way; that of a writer which died ends by
itself. Nothing is skipped: a piece that was not filled stays uncovered, and coverage is the only checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal, NamedTuple, TypeVar

import structlog

from heliograph_core.errors import DatabaseUnavailable, IdlConflict, WriteConflict
from heliograph_core.intervals import SlotSet
from heliograph_indexer.batching import BatchLimits
from heliograph_indexer.committing import Committed
from heliograph_indexer.event_store import open_event_tables, open_layouts
from heliograph_indexer.pieces import Piece, pieces
from heliograph_indexer.pipeline import Pipeline, QueueDepth
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.rpc import RpcSource
from heliograph_sql.claims import read_claims
from heliograph_sql.commit_figures import CommitFigures
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, read_coverage
from heliograph_sql.writer import Writer

RELEASE_S = 2.0
"""How long a stop waits for the claim to be given up; it ends by itself anyway."""

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Advance(NamedTuple):
    """What one step did. left: slots of the range that were uncovered before it.

    piece: what was filled; None where nothing is left, or all that is left is claimed by others or put off. wait_s:
    until looking again is worth it, where there is something left.
    """

    left: SlotSet
    piece: Piece | None
    wait_s: float


class Hand(NamedTuple):
    """How what may be in hand is divided: so many spans of so many transactions each."""

    spans: int
    span_transactions: int


def hand_of(settings: IndexerSettings) -> Hand:
    """At least two spans, so that one is committed while the next is fetched; but one alone where that is all. Pure."""
    most = settings.heal.hand_transactions
    if most < 2:
        return Hand(1, 1)
    each = min(settings.span_transactions, most // 2)
    return Hand(most // each, each)


class Filler:
    """One writer of late history of one stream. Several may meet in any range; each needs a holder of its own."""

    def __init__(
        self,
        database: Database,
        stream: StreamRow,
        protocol: Protocol,
        settings: IndexerSettings,
        cluster: Cluster,
        *,
        holder: str,
        origin: Literal["heal", "backfill"],
        on_commit: Callable[[Committed], None] | None = None,
        figures: CommitFigures | None = None,
    ) -> None:
        """holder: unique among all writers of the stream. figures: where commits are counted."""
        # What is in memory when the process is killed is fetched again.
        self._hand = hand_of(settings)
        self._settings = settings = replace(settings, span_transactions=self._hand.span_transactions)
        self._database = database
        self._stream = stream
        self._heal = heal = settings.heal
        self._holder = holder
        # For claims; what writes knows the tables of the events too.
        self._writer = Writer(database, stream.name, holder, claim_ttl_s=heal.claim_ttl_s)
        self._protocol = protocol
        self._cluster = cluster
        self._origin: Literal["heal", "backfill"] = origin
        self._on_commit = on_commit
        self._figures = figures
        self._opened: tuple[Pipeline, RpcSource] | None = None
        self.piece: Piece | None = None
        """What is under way."""

    @property
    def trouble(self) -> str | None:
        """What the cluster is being waited for, None where all goes well."""
        return self._opened[1].trouble if self._opened is not None else None

    @property
    def queues(self) -> tuple[QueueDepth, ...]:
        """Between the stages of what fills."""
        return self._opened[0].queues if self._opened is not None else ()

    async def incident(self, kind: str, slot: int | None, detail: dict[str, object]) -> None:
        """Records something that was survived, with the next commit."""
        pipeline, _ = await self._open()
        pipeline.incident(kind, slot, detail)

    async def advance(self, first: int, last: int, put_off: SlotSet | None = None) -> Advance:
        """Fills the next piece of what is uncovered in first..last, but for slots put off.

        Raises RpcRefused where the endpoint will not give the piece; `piece` then still names it.
        """
        coverage = await self._waited(lambda: read_coverage(self._database, self._stream.name))
        left = coverage.gaps(first, last)
        wait_s = self._heal.poll_s
        if not left:
            return Advance(left, None, wait_s)
        claims = await self._waited(
            lambda: read_claims(self._database, self._stream.name, besides=self._holder)
        )
        free = left - claims.slots - (put_off or SlotSet())
        for piece in pieces(free, self._heal.piece_slots, self._heal.order):
            self.piece = piece
            if await self._fill(piece):
                self.piece = None
                return Advance(left, piece, 0.0)
        self.piece = None
        if claims.expires_in_s is not None:
            wait_s = min(wait_s, claims.expires_in_s + 0.01)
        return Advance(left, None, wait_s)

    async def _fill(self, piece: Piece) -> bool:
        """Whether the piece could be claimed. Afterwards it is covered, unless the claim was lost meanwhile."""
        try:
            await self._waited(lambda: self._writer.claim(*piece))
        except WriteConflict:
            return False
        prolonging = asyncio.create_task(self._prolong(piece))
        filling = asyncio.create_task(self._fill_claimed(piece))
        try:
            await asyncio.wait((prolonging, filling), return_when=asyncio.FIRST_COMPLETED)
            if filling.done():
                filling.result()
            else:
                prolonging.result()
        finally:
            prolonging.cancel()
            filling.cancel()
            await asyncio.gather(prolonging, filling, return_exceptions=True)
            await self._release(piece)
        return True

    async def _fill_claimed(self, piece: Piece) -> None:
        # Who held the piece a moment ago has covered it, or a part of it.
        while True:
            coverage = await self._waited(lambda: read_coverage(self._database, self._stream.name))
            pipeline, source = await self._open()
            try:
                for first, last in coverage.gaps(*piece).ranges:
                    await pipeline.run(source.spans(first, last))
                return
            except IdlConflict as error:
                _log.info("idl_added", stream=self._stream.name, why=str(error))
                self._opened = None

    async def _open(self) -> tuple[Pipeline, RpcSource]:
        """What fills, made at the first use: the tables of the stream's events have to be there. Raises IdlError."""
        if self._opened is None:
            layouts = await self._waited(
                lambda: open_layouts(self._database, self._stream.name, self._protocol)
            )
            tables = await self._waited(lambda: open_event_tables(self._database, self._stream.name, layouts))
            heal = self._heal
            pipeline = Pipeline(
                self._database,
                self._stream.name,
                Writer(
                    self._database,
                    self._stream.name,
                    self._holder,
                    heal.claim_ttl_s,
                    tables,
                    self._figures,
                    layouts.added,
                ),
                self._protocol,
                layouts,
                self._settings,
                epoch=None,
                origin=self._origin,
                limits=BatchLimits(
                    heal.batch_rows, heal.batch_bytes, heal.batch_age_s, max(1, self._hand.spans - 1)
                ),
                spans_in_hand=self._hand.spans,
                # Whoever follows the healer is sent its commits in order; of a backfill nobody is told.
                at_once=heal.commits_at_once if self._origin == "backfill" else 1,
                on_commit=self._on_commit,
            )
            source = RpcSource(
                self._cluster, self._stream.programs, self._settings, on_incident=pipeline.incident
            )
            self._opened = (pipeline, source)
        return self._opened

    async def _prolong(self, piece: Piece) -> None:
        """Returns when somebody else has the piece."""
        while True:
            await asyncio.sleep(self._heal.claim_ttl_s / 3)
            try:
                await self._writer.claim(*piece)
            except DatabaseUnavailable as error:
                _log.warning("claim_not_prolonged", stream=self._stream.name, why=str(error))
            except WriteConflict as error:
                _log.warning("claim_lost", stream=self._stream.name, piece=str(piece), why=str(error))
                return

    async def _release(self, piece: Piece) -> None:
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._writer.release(*piece)
        except (DatabaseUnavailable, TimeoutError) as error:
            _log.warning("claim_not_released", stream=self._stream.name, why=str(error))

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
