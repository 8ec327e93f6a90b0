"""The healer: fills the gaps below where live indexing began, beside it. Gaps are the complement of coverage.

It writes as any late writer does (epoch None): positions that it touches become dirty and the leader folds them anew.
It begins at streams.first_slot, which moves down only onto slots that are covered, so that it never does the work of
a backfill.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from heliograph_core.errors import DatabaseUnavailable, RpcError, RpcRefused
from heliograph_core.intervals import SlotSet
from heliograph_indexer.committing import Committed
from heliograph_indexer.filling import Filler
from heliograph_indexer.pieces import Piece
from heliograph_indexer.pipeline import QueueDepth
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.rpc.caller import Caller
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.share import ClientShare
from heliograph_indexer.settings import (
    PUBLIC_METHOD_REQUESTS_PER_SECOND,
    PUBLIC_REQUESTS_PER_SECOND,
    IndexerSettings,
    is_loopback,
)
from heliograph_sql.commit_figures import CommitFigures
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, get_stream

_log = structlog.get_logger(__name__)


class HealStatus(msgspec.Struct, frozen=True, gc=False):
    """What a healer is doing, as values for metrics. Counts are since run() began.

    gaps, gap_slots: uncovered ranges below live, and their slots, as last read; None before. healed_gaps: gaps that
    were seen and are whole now, whoever filled them. healed_slots, commits, transactions, rows: by this healer. piece:
    what is under way. trouble: what is being waited for, None where all goes well.
    """

    gaps: int | None
    gap_slots: int | None
    healed_gaps: int
    healed_slots: int
    commits: int
    transactions: int
    rows: int
    piece: Piece | None
    trouble: str | None


class Healer:
    """Heals one stream until cancelled."""

    def __init__(
        self,
        database: Database,
        stream: StreamRow,
        protocol: Protocol,
        settings: IndexerSettings,
        cluster: Cluster,
        *,
        holder: str,
        figures: CommitFigures | None = None,
    ) -> None:
        """holder: unique among all writers of the stream. figures: where commits are counted. Raises IdlError."""
        self._database = database
        self._stream = stream
        self._settings = settings
        self._filler = Filler(
            database,
            stream,
            protocol,
            settings,
            cluster,
            holder=holder,
            origin="heal",
            on_commit=self._committed,
            figures=figures,
        )
        self._cluster = cluster
        self._gaps: SlotSet | None = None
        self._refused: dict[Piece, float] = {}
        self._why: str | None = None
        self._healed_gaps = self._healed_slots = self._commits = self._transactions = self._rows = 0

    @property
    def status(self) -> HealStatus:
        """As of now; cheap."""
        gaps = self._gaps
        return HealStatus(
            gaps=len(gaps.ranges) if gaps is not None else None,
            gap_slots=len(gaps) if gaps is not None else None,
            healed_gaps=self._healed_gaps,
            healed_slots=self._healed_slots,
            commits=self._commits,
            transactions=self._transactions,
            rows=self._rows,
            piece=self._filler.piece,
            trouble=self._filler.trouble or (self._why if self._refused else None),
        )

    @property
    def queues(self) -> tuple[QueueDepth, ...]:
        """Between the stages of healing."""
        return self._filler.queues

    async def run(self, through: int) -> None:
        """Keeps everything up to slot `through` whole: live indexing sees to what is above."""
        loop = asyncio.get_running_loop()
        while True:
            first = await self._first_slot()
            self._refused = {slots: until for slots, until in self._refused.items() if until > loop.time()}
            try:
                step = await self._filler.advance(first, through, SlotSet(self._refused))
            except RpcRefused as error:
                await self._put_off(error, loop.time() + self._settings.heal.refused_s)
                continue
            self._note(step.left)
            await asyncio.sleep(step.wait_s)

    async def _first_slot(self) -> int:
        try:
            row = await get_stream(self._database, self._stream.name)
        except DatabaseUnavailable:
            # The next statement waits for it.
            row = None
        return self._stream.first_slot if row is None else row.first_slot

    async def _put_off(self, error: RpcRefused, until: float) -> None:
        """Live indexing must not stop because history is refused: other pieces go on, this one waits.

        So does all that every endpoint has pruned, which would otherwise be asked for piece by piece.
        """
        piece = self._filler.piece
        assert piece is not None
        try:
            kept_from = min([await node.first_available_block() for node in self._cluster.each()])
        except RpcError:
            kept_from = 0
        refused = Piece(0, kept_from - 1) if kept_from > piece.first else piece
        self._refused[refused] = until
        if self._why != str(error):
            await self._filler.incident("heal_refused", piece.first, {"last": piece.last, "why": str(error)})
        self._why = str(error)

    def _note(self, left: SlotSet) -> None:
        for first, last in self._gaps or ():
            if not left & SlotSet([(first, last)]):
                self._healed_gaps += 1
                _log.info("gap_healed", stream=self._stream.name, first=first, last=last)
        for first, last in left - (self._gaps or SlotSet()):
            _log.info("gap_found", stream=self._stream.name, first=first, last=last)
        self._gaps = left

    def _committed(self, commit: Committed) -> None:
        self._healed_slots += commit.last - commit.first + 1
        self._commits += 1
        self._transactions += commit.transactions
        self._rows += commit.rows


def heal_share(client: Caller, settings: IndexerSettings) -> ClientShare:
    """The part of the client or pool that a healer beside live indexing may use.

    Any call may come to any endpoint, so that the rate is a part of what the most limited of them allows.
    """
    local = all(is_loopback(url) for url in settings.endpoint_urls)
    limits = [
        settings.rpc.requests_per_second,
        settings.rpc.method_requests_per_second,
    ]
    public = (PUBLIC_REQUESTS_PER_SECOND, PUBLIC_METHOD_REQUESTS_PER_SECOND)
    rates = [
        (0.0 if local else usual) if limit is None else limit
        for limit, usual in zip(limits, public, strict=True)
    ]
    in_force = [rate for rate in rates if rate]
    heal = settings.heal
    return ClientShare(
        client,
        rate=min(in_force) * heal.rate_share if in_force else None,
        burst=heal.batch_calls,
        concurrency=heal.concurrency,
        batch_calls=heal.batch_calls,
    )
