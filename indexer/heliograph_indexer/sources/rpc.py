"""The portable source: getSignaturesForAddress is the record, getTransaction fills it, notifications only wake it.

A span ends at slot S only when the endpoint answered for block S before the pages were asked, every page was asked
with minContextSlot S, and the pages of each program reached the last signature known of it (DESIGN section 3).
Where there are several endpoints, one proof stays on one of them; what was listed and not handed out yet is listed anew
when another takes over. Final transactions may come from any; others only from one that has the same block.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import structlog

from heliograph_core.errors import RpcError
from heliograph_core.slot import Span
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.cluster import BlockHead, Cluster, SignatureRow
from heliograph_indexer.rpc.pool import Pin
from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.assembly import Assembly, Contradiction
from heliograph_indexer.sources.listing import Listing, OnIncident
from heliograph_indexer.sources.logfeed import LogFeed
from heliograph_indexer.walk import needs_record

PROOF_DEPTH = 8
"""Slots below the tip that are tried where the tip's block is not served yet."""
FINALITY_GAP = 64
"""A gap of at least this many slots, and any range with an end, is asked for its finalized part, which needs no audit."""
SKIP_GAP = 256
"""A range that ends at least this many slots below the tip is paged from its end down."""
SKIP_BLOCKS = 16
"""Blocks above such a range in which a transaction to page from is looked for."""
TRAILING_SLOTS = 150
"""A cluster's own nodes trail it by less before they call themselves unhealthy."""
HINT_FIRST_S = 0.02
"""Pause before looking again where a notification named a slot that the endpoint does not show yet."""
ANOTHER_AFTER = 3
"""Failures in a row of one plan after which another endpoint has to prove it anew."""
PATIENT_AFTER = 12
"""Failures in a row after which a slot whose answers contradict each other is asked for at `retry_stuck_s`."""

_log = structlog.get_logger(__name__)


class RpcSource:
    """Spans of one stream's programs from a cluster's endpoints. `feed` may be absent: then the poll interval alone wakes it.

    The caller runs `feed.run()` beside it. on_incident is told what was found wrong and survived.
    """

    def __init__(
        self,
        cluster: Cluster,
        programs: Sequence[str],
        settings: IndexerSettings,
        *,
        feed: LogFeed | None = None,
        on_incident: OnIncident | None = None,
    ) -> None:
        self._cluster = cluster
        self._programs = tuple(programs)
        self._stream_programs = frozenset(programs)
        self._settings = settings
        self._feed = feed
        self._on_incident = on_incident or _unheard
        self._hint = Backoff(HINT_FIRST_S, settings.poll_interval_s)
        self.head_slot = -1
        """Highest slot that the endpoint has shown."""
        self._tip = -1
        """The slot that it showed last."""
        self.trouble: str | None = None
        """Why the record is being waited for, None where all goes well."""

    async def spans(self, first: int, last: int | None = None) -> AsyncGenerator[Span, None]:
        """See Source. Waits out RpcUnavailable with growing pauses; raises RpcRefused where no endpoint can answer."""
        node, pin = self._cluster.pinned()
        listings = [self._listing(node, program, first) for program in self._programs]
        lines = partial(self._cached_lines, node)
        assembly = Assembly(node, lines, self._settings.null_rounds, records=self._cluster)
        backoff = Backoff(self._settings.retry_s, self._settings.retry_max_s)
        opened = first
        skipped = last is None
        while last is None or opened <= last:
            if pin.leave_if_ill():
                _rewind(listings)
            try:
                proof = await self._prove(node, opened, last, assembly)
                if proof is None:
                    self.trouble = self._trailing(opened)
                    await self._wait(opened)
                    continue
                if last is not None and not skipped and proof.slot > last:
                    skipped = True
                    await skip_above(node, last, proof.slot, listings)
                # Where one node does not know a cursor and the others refuse, only a walk without it goes on.
                give_up = pin.last_resort or pin.exhausted
                for listing in listings:
                    if listing.complete_through < proof.through:
                        await listing.extend(proof.through, give_up_cursors=give_up)
            except RpcError as error:
                await self._elsewhere(pin, error, listings, backoff, opened)
                continue
            through = min(listing.complete_through for listing in listings)
            rows = union_rows(listing.rows_through(through) for listing in listings)
            for plan in _plans(opened, through, rows, self._settings.span_transactions, proof.final):
                span = await self._fetched(plan, proof, assembly, pin, listings, backoff)
                if span is None:
                    break
                for listing in listings:
                    listing.take(span.last)
                if self._feed is not None:
                    self._feed.forget(span.last)
                opened = span.last + 1
                backoff.reset()
                pin.settled()
                self.trouble = None
                self._hint.reset()
                yield span
            if opened > proof.through and (last is None or opened <= last):
                await self._wait(opened)

    def _listing(self, node: Cluster, program: str, first: int) -> Listing:
        return Listing(
            node,
            program,
            first,
            page=self._settings.page_signatures,
            window=self._settings.window_signatures,
            on_incident=self._on_incident,
        )

    async def _elsewhere(
        self, pin: Pin, error: RpcError, listings: Sequence[Listing], backoff: Backoff, slot: int
    ) -> None:
        """Another endpoint takes over at once; where all have failed, they are tried again after a pause.

        Raises the error where nobody can mend it: it is our own, or every endpoint refuses.
        """
        if faults.remedy(error) is faults.Remedy.STOP:
            raise error
        self.trouble = str(error)
        if pin.fail(error):
            _rewind(listings)
            return
        if pin.refused is not None:
            raise pin.refused
        if pin.begin_anew():
            _rewind(listings)
        await self._pause(backoff, error, slot)

    async def _prove(self, node: Cluster, opened: int, last: int | None, assembly: Assembly) -> _Proof | None:
        """A block at or above `opened` that the endpoint answers for now, None where there is none yet."""
        tip = await node.slot()
        self._tip = tip
        self.head_slot = max(self.head_slot, tip)
        final = -1
        if last is not None or tip - opened >= FINALITY_GAP:
            final = await node.slot("finalized")
        for slot in range(tip, max(opened, tip - PROOF_DEPTH + 1) - 1, -1):
            try:
                head = await node.block(slot)
            except RpcError as error:
                if error.code in faults.NOT_YET | faults.MISSING:
                    continue
                raise
            through = slot if last is None else min(slot, last)
            time = await assembly.time_of(slot, head) if through == slot else None
            return _Proof(slot, through, head, time, final)
        return None

    def _trailing(self, opened: int) -> str | None:
        """Why nothing can come: a cluster that began anew, or another one, is far below where reading goes on."""
        if opened - self._tip <= TRAILING_SLOTS:
            return None
        return (
            f"it is at slot {self._tip}, far below {opened}, the next to be indexed: wait until it gets there, "
            "or give a cluster that is another one a database of its own"
        )

    async def _fetched(
        self,
        plan: _Plan,
        proof: _Proof,
        assembly: Assembly,
        pin: Pin,
        listings: Sequence[Listing],
        backoff: Backoff,
    ) -> Span | None:
        """The plan as a span, after however many tries; None where it has to be proved anew."""
        while True:
            try:
                # The same transactions on another parent have other effects, and only the blockhash tells: what
                # will be audited keeps it.
                slots = await assembly.slots(
                    plan.rows, {proof.slot: proof.head}, hashes=plan.last > proof.final
                )
            except Contradiction as error:
                if not backoff.failures:
                    self._on_incident("record_changed", plan.first, {"why": str(error)})
                _rewind(listings)
                if backoff.failures >= ANOTHER_AFTER and not pin.fail(error):
                    pin.begin_anew()
                await self._pause(backoff, error, plan.first)
                return None
            except RpcError as error:
                if not error.retry or pin.ill or backoff.failures >= ANOTHER_AFTER:
                    await self._elsewhere(pin, error, listings, backoff, plan.first)
                    return None
                await self._pause(backoff, error, plan.first)
                continue
            if plan.last == proof.slot:
                last_time = proof.time
            else:
                last_time = None
            if slots and slots[-1].number == plan.last:
                last_time = slots[-1].block_time
            return Span(plan.first, plan.last, slots, last_time, plan.last <= proof.final)

    async def _wait(self, opened: int) -> None:
        """Nothing new at the endpoint: until a notification, or the poll interval."""
        timeout = self._settings.poll_interval_s
        if self._feed is None:
            await asyncio.sleep(timeout)
            return
        if self._feed.highest_slot < opened:
            self._feed.settle()
        else:
            # The endpoint is about to show that slot; looking again soon is worth it, but ever less.
            timeout = min(timeout, self._hint.next())
        await self._feed.wait(timeout)

    async def _pause(self, backoff: Backoff, error: RpcError, slot: int) -> None:
        wait = backoff.next(error.retry_after)
        if isinstance(error, Contradiction) and backoff.failures > PATIENT_AFTER:
            # The endpoints answer, and what they answer does not change: asking often helps nobody.
            wait = max(wait, self._settings.retry_stuck_s)
        self.trouble = str(error)
        _log.warning("record_unavailable", slot=slot, why=str(error), retry_in_s=round(wait, 2))
        await asyncio.sleep(wait)

    def _cached_lines(self, node: Cluster, signature: str, slot: int) -> tuple[str, ...] | None:
        if self._feed is None or not self._settings.log_cache or not self._feed.speaks_for(node.endpoint):
            return None
        lines = self._feed.lines(signature, slot)
        if lines is None or needs_record(lines, self._stream_programs):
            return None
        return lines


class _Proof(NamedTuple):
    slot: int
    """The endpoint answered for this slot's block."""
    through: int
    """How far the pages may be believed: `slot`, or the end of the range asked for."""
    head: BlockHead
    time: int | None
    final: int
    """Highest finalized slot, -1 where it was not asked."""


class _Plan(NamedTuple):
    first: int
    last: int
    rows: list[SignatureRow]


def _rewind(listings: Iterable[Listing]) -> None:
    for listing in listings:
        listing.rewind()


async def skip_above(cluster: Cluster, last: int, tip: int, listings: Sequence[Listing]) -> None:
    """Lets the paging of a range in the past begin right above it. Where nothing is found it begins at the tip."""
    if tip - last < SKIP_GAP:
        return
    for slot in (await cluster.block_slots(last + 1, last + SKIP_GAP))[:SKIP_BLOCKS]:
        signatures = (await cluster.block(slot)).signatures
        if signatures:
            for listing in listings:
                listing.begin_below(SignatureRow(signatures[0], slot))
            return


def union_rows(listed: Iterable[list[SignatureRow]]) -> list[SignatureRow]:
    """Rows of all programs, ascending by slot; one that touches several programs once."""
    union: dict[str, SignatureRow] = {}
    for row in heapq.merge(*listed, key=lambda row: row.slot):
        union.setdefault(row.signature, row)
    return list(union.values())


def _plans(first: int, through: int, rows: list[SignatureRow], most: int, final: int) -> list[_Plan]:
    """Cuts first..through at ends of slots, so that a plan holds at least one slot and hardly more than `most` rows.

    `final` is a border too: what is final needs no audit. Empty where through is below first.
    """
    if through < first:
        return []
    plans: list[_Plan] = []
    part: list[SignatureRow] = []

    def close(last: int) -> None:
        nonlocal first, part
        plans.append(_Plan(first, last, part))
        first, part = last + 1, []

    for row in rows:
        if part and row.slot > part[-1].slot and len(part) >= most:
            close(part[-1].slot)
        if first <= final < min(row.slot, through):
            close(final)
        part.append(row)
    if first <= final < through:
        close(final)
    close(through)
    return plans


def _unheard(kind: str, slot: int | None, detail: dict[str, object]) -> None:
    _log.warning("incident", kind=kind, slot=slot, **detail)
