"""Finality: each slot that was not final when it was fetched is compared with the finalized record, and mended.

What is equal costs a listing and the blockhashes, and moves final_slot. What differs is fetched again and rewritten in the
transaction that moves final_slot. Trouble with the cluster or the database delays finality and skips nothing: a pass
begins with what the database says is not audited. A doubt about slots that are not final has them compared with the
confirmed record at once, and with the finalized one later all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

import structlog

from heliograph_core.account import AccountState, AccountUpdate
from heliograph_core.errors import DatabaseUnavailable, RpcError, RpcRefused, RpcUnavailable, WriteConflict
from heliograph_core.intervals import SlotSet
from heliograph_core.slot import Slot, Span
from heliograph_indexer.audit import NOTHING, is_same, suspects
from heliograph_indexer.decode import Layouts, decode_account, decode_slot
from heliograph_indexer.pipeline import make_batch
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.cluster import BlockHead, Cluster
from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.assembly import Assembly
from heliograph_indexer.sources.listing import OnIncident
from heliograph_indexer.sources.record import Listed, list_record, proved_slot, require_skipped, see_blocks
from heliograph_sql.audit import (
    AuditProgress,
    StoredSlot,
    list_accounts_since,
    read_audit_progress,
    read_stored_slots,
)
from heliograph_sql.batch import Incident
from heliograph_sql.database import Database
from heliograph_sql.writer import Writer

DOUBTS = frozenset({"late_row", "anchor_lost", "record_changed"})
"""Incidents of a source which say that slots were read that may not be so any more."""
EARLY_SLOTS = 512
"""How far below the head a doubt has slots compared before they are final."""
MOST_DOUBTS = 1_000
"""Doubtful slots kept in memory; beyond, the lowest are left to finality."""
MOST_FAILURES = 3
"""Ranges that one pass may fail at before it gives the cluster a pause."""
ALPENGLOW_ASKS = 3
"""How often it is asked whether confirmed is final, where the cluster does not answer."""
AmendAccounts = Callable[[Sequence[AccountState], int], Awaitable[None]]
"""Stores states that were read anew; what was seen of these accounts at the slot or later is of blocks that are gone."""
ACCOUNTS_AT_ONCE = 100
"""Accounts in one getMultipleAccounts."""

_log = structlog.get_logger(__name__)


class Finalizer:
    """Audits one stream; its leader alone runs it. `run()` until cancelled."""

    def __init__(
        self,
        database: Database,
        stream: str,
        programs: Sequence[str],
        writer: Writer,
        protocol: Protocol,
        layouts: Layouts,
        settings: IndexerSettings,
        *,
        confirmed: Cluster,
        finalized: Cluster,
        epoch: int,
        on_incident: OnIncident,
        on_correction: Callable[[], None],
        amend_accounts: AmendAccounts | None,
    ) -> None:
        """confirmed, finalized: the cluster at either commitment. on_correction: told after slots were rewritten.

        amend_accounts: None where accounts are not followed.
        """
        self._database = database
        self._stream = stream
        self._programs = tuple(programs)
        self._writer = writer
        self._protocol = protocol
        self._layouts = layouts
        self._settings = settings
        self._confirmed = confirmed
        self._finalized = finalized
        self._epoch = epoch
        self._on_incident = on_incident
        self._on_correction = on_correction
        self._amend_accounts = amend_accounts
        self._asks_left = ALPENGLOW_ASKS
        self._doubts: set[int] = set()
        self._wake = asyncio.Event()
        self._touched_from: int | None = None
        self._touched: set[str] = set()
        self._refusals: set[int | None] = set()
        self.final_slot: int | None = None
        """Rows at or below are final, None before the first audit."""
        self.corrections = 0
        """Slots rewritten by this process."""
        self.trouble: str | None = None
        """What finality waits for, None where all goes well."""

    @property
    def doubts(self) -> tuple[int, int]:
        """Slots that wait to be compared early, and how many may."""
        return len(self._doubts), MOST_DOUBTS

    def doubt(self, slot: int) -> None:
        """Something was seen that `slot`, and slots near it, may not be stored as they are: they are compared soon."""
        self._doubts.add(slot)
        if len(self._doubts) > MOST_DOUBTS:
            self._doubts.remove(min(self._doubts))
        self._wake.set()

    def doubt_accounts(self, slot: int) -> None:
        """Blocks from `slot` on were replaced: accounts stored as of them are read anew with the next pass."""
        if self._amend_accounts is not None:
            self._touched_from = slot if self._touched_from is None else min(self._touched_from, slot)

    async def run(self) -> None:
        """Until cancelled. Raises LeaseLost, and DatabaseError for what no waiting mends."""
        backoff = Backoff(self._settings.retry_s, self._settings.retry_max_s)
        while True:
            try:
                await self._pass()
            except (RpcError, DatabaseUnavailable, WriteConflict) as error:
                wait = self._delayed(error, backoff)
            else:
                self.trouble = None
                self._refusals.clear()
                backoff.reset()
                wait = self._settings.finalize_interval_s
            await self._rest(wait, wakeable=self.trouble is None)

    async def _rest(self, wait: float, *, wakeable: bool) -> None:
        if not wakeable:
            # A doubt that an endpoint in trouble raises again and again must not make us ask it without pause.
            await asyncio.sleep(wait)
        try:
            async with asyncio.timeout(wait if wakeable else 0):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    def _delayed(self, error: RpcError | DatabaseUnavailable | WriteConflict, backoff: Backoff) -> float:
        wait = backoff.next(error.retry_after if isinstance(error, RpcError) else None)
        self.trouble = str(error)
        _log.warning("audit_delayed", stream=self._stream, why=str(error), retry_in_s=round(wait, 2))
        if isinstance(error, RpcRefused) and error.code not in self._refusals:
            # No waiting mends it, but events are read on, and another endpoint may be given.
            self._refusals.add(error.code)
            self._on_incident("audit_refused", None, {"why": str(error)})
        return wait

    async def _pass(self) -> None:
        """One look at all that waits: doubts, finality, accounts. What fails does not keep the others from their turn."""
        failed: RpcError | DatabaseUnavailable | WriteConflict | None = None
        for step in (self._settle_doubts, self._finalize, self._refresh_accounts):
            try:
                await step()
            except (RpcError, DatabaseUnavailable, WriteConflict) as error:
                failed = failed or error
        if failed is not None:
            raise failed

    async def _finalize(self) -> None:
        if self._asks_left:
            await self._ask_what_final_means()
        progress = await self._progress()
        if not progress.unaudited:
            return
        await self._on_one_endpoint(self._finalized, self._audit_final)
        await self._progress()

    async def _audit_final(self, node: Cluster) -> None:
        final = await proved_slot(node)
        unaudited = (await self._progress()).unaudited
        await self._audit_all(unaudited & SlotSet([(0, final)]), final, node, final=True)

    async def _on_one_endpoint(self, cluster: Cluster, errand: Callable[[Cluster], Awaitable[None]]) -> None:
        """What proves, lists and gives the blocks must be one endpoint. Where it fails, the next does all of it anew.

        Raises RpcError where every endpoint fails: one that waiting may mend, if there is any.
        """
        node, pin = cluster.pinned()
        errors: list[RpcError] = []
        while True:
            try:
                await errand(node)
            except RpcError as error:
                if faults.remedy(error) is faults.Remedy.STOP:
                    raise
                errors.append(error)
                if not pin.fail(error):
                    raise next((each for each in errors if each.retry), errors[0]) from None
            else:
                return

    async def _ask_what_final_means(self) -> None:
        self._asks_left -= 1
        try:
            alpenglow = await self._confirmed.is_alpenglow()
        except RpcUnavailable as error:
            # `finalized` is right on every cluster, only later: nothing waits for this answer.
            _log.info("finality_unknown", stream=self._stream, why=str(error))
            return
        self._asks_left = 0
        if alpenglow:
            self._finalized = self._confirmed
            _log.info("confirmed_is_final", stream=self._stream)

    async def _progress(self) -> AuditProgress:
        progress = await read_audit_progress(self._database, self._stream)
        self.final_slot = progress.final_slot
        return progress

    async def _settle_doubts(self) -> None:
        doubts = sorted(self._doubts)
        if not doubts:
            return
        await self._on_one_endpoint(self._confirmed, partial(self._compare_doubts, doubts))
        self._doubts.difference_update(doubts)

    async def _compare_doubts(self, doubts: Sequence[int], node: Cluster) -> None:
        progress = await self._progress()
        through = await proved_slot(node)
        near = SlotSet([(max(0, through - EARLY_SLOTS), through)])
        # A doubt about a final slot concerns that slot alone; above, whatever a fork may have changed with it.
        alone = SlotSet([(slot, slot) for slot in doubts if slot <= through])
        doubtful = (progress.unaudited & near) | (progress.covered & alone)
        await self._audit_all(doubtful, through, node, final=False)

    async def _audit_all(self, slots: SlotSet, tip: int, cluster: Cluster, *, final: bool) -> None:
        """Every range, as far as the cluster lets us: what cannot be judged does not keep the rest from being mended."""
        failed: list[RpcError] = []
        for first, last in slots:
            pieces = list_record(cluster, self._programs, first, last, tip, self._settings, self._on_incident)
            async with aclosing(pieces):
                try:
                    async for piece in pieces:
                        try:
                            await self._judge(piece, cluster, final=final)
                        except RpcError as error:
                            failed.append(error)
                        if len(failed) >= MOST_FAILURES:
                            break
                except RpcError as error:
                    failed.append(error)
            if len(failed) >= MOST_FAILURES:
                break
        if failed:
            raise failed[0]

    async def _judge(self, piece: Listed, cluster: Cluster, *, final: bool) -> None:
        stored = await read_stored_slots(self._database, self._stream, piece.first, piece.last)
        doubtful = suspects(stored, piece.slots, await see_blocks(cluster, stored, piece.slots))
        slots = await self._read_again(doubtful, stored, piece, cluster) if doubtful else {}
        wrong = [slot for slot in doubtful if not _is_as_stored(stored.get(slot, NOTHING), slots.get(slot))]
        if wrong:
            await self._rewrite(piece, wrong, [slots[slot] for slot in wrong if slot in slots], final=final)
        elif final:
            self.final_slot = await self._writer.mark_audited(piece.first, piece.last, epoch=self._epoch)

    async def _read_again(
        self, doubtful: Sequence[int], stored: Mapping[int, StoredSlot], piece: Listed, cluster: Cluster
    ) -> dict[int, Slot]:
        """The doubtful slots whole, without those that hold nothing of the stream. Raises RpcUnavailable on a doubt."""
        heads: dict[int, BlockHead] = {}
        for slot, head in zip(doubtful, await cluster.blocks(doubtful), strict=True):
            listed = piece.slots.get(slot, {})
            if isinstance(head, RpcError):
                if head.code not in faults.MISSING | faults.NOT_YET or listed:
                    raise RpcUnavailable(
                        f"slot {slot} is in doubt and its block is not given: {head}"
                    ) from head
                await require_skipped(cluster, slot)
                continue
            heads[slot] = head
            for each in stored.get(slot, NOTHING).transactions:
                if each.signature not in listed and each.signature in head.signatures:
                    raise RpcUnavailable(
                        f"{cluster.endpoint} does not list {each.signature} of slot {slot}, which its block holds: "
                        "nothing is taken back until it does"
                    )
        rows = [row for slot in doubtful for row in piece.slots.get(slot, {}).values()]
        assembly = Assembly(cluster, _no_lines, self._settings.null_rounds)
        return {slot.number: slot for slot in await assembly.slots(rows, heads, hashes=True)}

    async def _rewrite(
        self, piece: Listed, wrong: Sequence[int], slots: Sequence[Slot], *, final: bool
    ) -> None:
        decoded = []
        for slot in slots:
            decoded.append(decode_slot(slot, self._layouts))
            await asyncio.sleep(0)
        projected = project_slots(self._stream, decoded, self._protocol)
        detail = {"slots": list(wrong), "final": final}
        projected.incidents.append(Incident(kind="corrected", slot=wrong[0], detail=detail))
        span = Span(wrong[0], wrong[-1], tuple(slots), final=final)
        batch = make_batch(self._stream, span, decoded, projected, "heal")
        # Accounts come first: once the slots are rewritten nothing else tells that these are to be read again.
        self._touch(wrong[0], slots)
        audited = (piece.first, piece.last) if final else None
        seq = await self._writer.rewrite_slots(wrong, batch, epoch=self._epoch, audited=audited)
        self.corrections += len(wrong)
        self._on_correction()
        _log.warning("corrected", stream=self._stream, seq=seq, slots=list(wrong), final=final)

    def _touch(self, first: int, slots: Iterable[Slot]) -> None:
        if self._amend_accounts is None:
            return
        self.doubt_accounts(first)
        for slot in slots:
            for transaction in slot.transactions:
                for instruction in transaction.instructions or ():
                    self._touched.update(instruction.accounts)
                    for inner in instruction.inner:
                        self._touched.update(inner.accounts)

    async def _refresh_accounts(self) -> None:
        """Reads anew the accounts that corrected slots touched, and those whose state may be of a block that is gone.

        At the confirmed tip, which is asked to be no older than what is stored: a finalized state would set back
        what changed since. A state of a fork is thus replaced by one of the chain as it is now.
        """
        if self._amend_accounts is not None and self._touched_from is not None:
            await self._on_one_endpoint(self._confirmed, self._read_accounts_again)

    async def _read_accounts_again(self, node: Cluster) -> None:
        if self._amend_accounts is None or self._touched_from is None:
            return
        since, touched = self._touched_from, frozenset(self._touched)
        stored = {
            address: (program, slot)
            for address, program, slot in await list_accounts_since(
                self._database, self._stream, since, sorted(touched)
            )
        }
        addresses = sorted(touched | stored.keys())
        newest = max((slot for _, slot in stored.values()), default=since)
        if await node.slot() < newest:
            # The chain that replaced those blocks is not as long yet: another time.
            return
        for at in range(0, len(addresses), ACCOUNTS_AT_ONCE):
            found = await node.accounts(addresses[at : at + ACCOUNTS_AT_ONCE], min_context_slot=newest)
            states = [
                decode_account(*state, self._layouts)
                for update in found
                if (state := _of_stream(update, stored, self._layouts.channels)) is not None
            ]
            if states:
                await self._amend_accounts(states, since)
        if self._touched_from == since and self._touched == touched:
            self._touched_from = None
            self._touched = set()


def _is_as_stored(stored: StoredSlot, slot: Slot | None) -> bool:
    return not stored.transactions if slot is None else is_same(stored, slot)


def _of_stream(
    update: AccountUpdate, stored: Mapping[str, tuple[str, int]], programs: Collection[str]
) -> tuple[AccountUpdate, str] | None:
    """The account and the program whose it is or was; None for one that the stream has nothing to do with."""
    if not update.closed and update.owner in programs:
        return update, update.owner
    known = stored.get(update.address)
    if known is None:
        return None
    return AccountUpdate(update.address, update.owner, update.slot, 0, b""), known[0]


def _no_lines(signature: str, slot: int) -> None:
    """Lines that were notified may be those of the block that is being replaced."""
