"""The writer: commits a batch whole, numbered, once; the protocol is DESIGN section 4.

A transaction takes its locks in one order: rows of a table in name order, then balances, dirty, markets, positions, and
the stream's row last, which is held for moments only. Whatever raises leaves nothing behind.

Errors: WriteConflict (another writer claimed or covered a slot of the range first: reread coverage), LeaseLost (another
process leads), IdlConflict (an IDL was added: decode anew), DatabaseUnavailable (try again), DatabaseError.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg

from heliograph_core.account import AccountState
from heliograph_core.errors import DatabaseError, IdlConflict, LeaseLost, WriteConflict
from heliograph_core.instruction import FIRST_ORDINAL
from heliograph_core.records import Flow, Holding, MarketState, PositionChange, State
from heliograph_core.slot import Slot
from heliograph_sql.account_writing import write_accounts
from heliograph_sql.archived import clear_archived, store_archived
from heliograph_sql.batch import Batch, Incident, Origin
from heliograph_sql.commit_figures import CommitFigures
from heliograph_sql.copying import is_refusal
from heliograph_sql.correction import clear_slots, store_slots
from heliograph_sql.database import Database
from heliograph_sql.event_tables import NO_TABLES, EventTables
from heliograph_sql.folded_slots import find_origins, runs_of
from heliograph_sql.folding import finish_refold, fold_live, mark_dirty, prepare_refold
from heliograph_sql.idls import UndecodedPlace
from heliograph_sql.json_text import json_text
from heliograph_sql.owners import Owners, write_owners
from heliograph_sql.prepared import Prepared, prepare
from heliograph_sql.queries import load
from heliograph_sql.row_writing import Written, has_doubles, write_rows
from heliograph_sql.sessions import begin_writing, end_sessions
from heliograph_sql.sightings import show_holdings
from heliograph_sql.states import write_states

CHANNEL = "heliograph"
"""NOTIFY channel of commits; the payload is `<stream> <seq>`."""
CLAIM_TTL_S = 30.0
"""How long a writer that stopped inside a commit keeps others from its range."""

Kind = Literal["apply", "correct", "amend", "accounts"]


class Writer:
    """Writes one stream. holder names this process in claims; event_tables: where decoded events go; figures: where commits are counted.

    Safe for several tasks: each call is a transaction.
    """

    def __init__(
        self,
        database: Database,
        stream: str,
        holder: str,
        claim_ttl_s: float = CLAIM_TTL_S,
        event_tables: EventTables | None = None,
        figures: CommitFigures | None = None,
        idl_count: int | None = None,
    ) -> None:
        """idl_count: how many of the stream's added IDLs the rows are decoded with; None writes what no IDL made."""
        self._database = database
        self._queries = load("commit.sql")
        self.stream = stream
        self.holder = holder
        self.claim_ttl_s = claim_ttl_s
        self._event_tables = event_tables if event_tables is not None else NO_TABLES
        self._figures = figures or CommitFigures()
        self._idl_count = idl_count
        self._owners = Owners(database, stream)

    async def claim(self, first: int, last: int) -> None:
        """Keeps other writers from first..last for `claim_ttl_s` seconds; again prolongs. WriteConflict where taken."""
        async with self._connection(first, last) as connection:
            await self._claim(connection, first, last)

    async def _claim(self, connection: Any, first: int, last: int) -> None:
        gone = await connection.fetch(
            self._queries["claim_range"], self.stream, first, last, self.holder, self.claim_ttl_s
        )
        if gone:
            # They may have stopped in the middle of writing what we are about to write.
            await end_sessions(connection, [row["holder"] for row in gone])

    async def release(self, first: int, last: int) -> None:
        """Gives up our claims inside first..last."""
        async with self._connection(first, last) as connection:
            await connection.execute(self._queries["release_claims"], self.stream, first, last, self.holder)

    async def prepare(self, batch: Batch) -> Prepared:
        """Encodes the batch, so that `commit` only sends it: while one batch is sent, the next can be prepared."""
        self._check(batch)
        return await prepare(await self._owners.name(batch), self._event_tables)

    async def commit(self, given: Batch | Prepared, *, epoch: int | None) -> int:
        """Writes the batch and covers its range; the commit's seq.

        What archives wrote of the range is deleted; the commit then is of kind `correct`.
        epoch: of the lease, given by the stream's leader, who also folds positions; None for every other writer.
        """
        prepared = await self.prepare(given) if isinstance(given, Batch) else given
        return await self._twice(lambda careful: self._commit(prepared, epoch, careful), prepared, "apply")

    async def add_archived(self, batch: Batch) -> int:
        """Writes the batch and covers nothing: an archive cannot vouch for its slots; the seq.

        Raises WriteConflict where one of its slots is covered, or one of its transactions is stored already.
        """
        prepared = await self.prepare(batch)
        return await self._twice(lambda careful: self._add_archived(prepared, careful), prepared, "apply")

    async def rewrite_slots(
        self,
        slots: Sequence[int],
        batch: Batch,
        *,
        epoch: int | None,
        audited: tuple[int, int] | None = None,
    ) -> int:
        """Deletes everything of `slots` and writes the batch in its place, one transaction; the seq, kind `correct`.

        slots: covered already, else WriteConflict. The batch holds nothing outside of them. Positions that lose or
        gain changes become dirty; balances and markets fall back to what is left. audited: a range, both ends inclusive,
        whose covered slots are final with this; final_slot moves in the same transaction.
        """
        prepared = await self.prepare(batch)
        wanted = sorted(set(slots))
        outside = [slot.number for slot in batch.slots if slot.number not in set(wanted)]
        if outside or not wanted:
            raise ValueError(f"stream {self.stream}: the batch writes slots {outside} that are not rewritten")
        return await self._twice(
            lambda careful: self._rewrite(wanted, prepared, epoch, careful, audited), prepared, "correct"
        )

    async def mark_audited(self, first: int, last: int, *, epoch: int | None) -> int | None:
        """The covered slots of first..last are as the finalized record has them; the final_slot that follows.

        No row changes, so that this takes no number and wakes nobody (docs/decisions/0008).
        """
        async with self._transaction(first, last) as connection:
            await self._lock(connection, epoch)
            return await self._advance(connection, (first, last))

    async def supply(self, batch: Batch, places: Sequence[UndecodedPlace]) -> int:
        """Writes what was undecoded until now, and deletes it there, one transaction; the seq, kind `correct`.

        places: of the undecoded rows that the batch's rows replace; the batch has no slots and no transactions, which
        are stored already. Positions that gain changes become dirty. Raises WriteConflict where one of the undecoded
        rows is gone: the slot was rewritten meanwhile.
        """
        prepared = await self.prepare(batch)
        return await self._twice(lambda careful: self._supply(prepared, places, careful), prepared, "correct")

    async def refold(
        self, limit: int = 200, *, epoch: int, quiet_s: float = 0.0, anyway_s: float = 0.0
    ) -> int | None:
        """Folds up to `limit` dirty positions anew; the seq, kind `amend`, or None where none waits. Leader only.

        Changes that follow from flows may be others then: before it their slots get commits of kind `correct`, one a
        run of slots that are near each other.

        Those that nobody marked for `quiet_s` seconds, or that wait for `anyway_s`; one that is marked while it is
        folded waits on.
        """
        began = time.monotonic()
        async with self._connection(0, 0) as connection:
            prepared = await prepare_refold(connection, self.stream, limit, quiet_s, anyway_s)
        if not prepared:
            return None
        async with self._transaction(0, 0) as connection:
            rewritten = await finish_refold(connection, self.stream, prepared)
            if rewritten is None:
                return None
            positions, slots = rewritten
            origins = await find_origins(connection, self.stream, slots)
            reached = await self._lock(connection, epoch)
            for run in runs_of(slots, origins):
                await connection.execute(load("idls.sql")["stamp_slots"], self.stream, run.slots)
                await self._mark_stale(connection, run.times)
                await self._number(
                    connection,
                    "correct",
                    run.origin,
                    first=run.slots[0],
                    last=run.slots[-1],
                    first_time=run.times[0],
                    last_time=run.times[-1],
                    rows=len(run.slots),
                )
            seq = await self._number(
                connection,
                "amend",
                "heal",
                first=min((position.opened_slot for position in positions), default=reached),
                last=max((position.updated_slot for position in positions), default=reached),
                first_time=min((position.opened_at for position in positions), default=None),
                last_time=max((position.updated_at for position in positions), default=None),
                rows=len(positions),
            )
        self._figures.add_commit("amend", time.monotonic() - began)
        return seq

    async def commit_accounts(
        self,
        accounts: Sequence[AccountState],
        projected: Sequence[State | Holding],
        *,
        through: int | None,
        epoch: int | None,
        understood: Collection[str] = (),
        since: int | None = None,
    ) -> int:
        """Stores account states and what was projected from them; the seq, kind `accounts`.

        through: context slot of a snapshot that was reconciled with this, None otherwise.
        understood: addresses of those accounts of which `projected` has every position that they hold; what they were
        seen to hold before and is not there is closed. since: slot from which on what was seen of the accounts before
        is of blocks that are gone.
        """
        holdings = [state for state in projected if isinstance(state, Holding)]
        states = [state for state in projected if not isinstance(state, Holding)]
        slots = {account.address: account.slot for account in accounts}
        for state in states:
            if isinstance(state, MarketState):
                slots[state.market] = state.account_slot
        seen = [*slots.values(), *([] if through is None else [through])]
        first, last = min(seen, default=0), max(seen, default=0)

        async def once(careful: bool) -> int:
            async with self._transaction(first, last) as connection:
                stored, refused = await write_accounts(
                    connection, self.stream, accounts, self._event_tables, careful=careful
                )
                await write_owners(connection, self.stream, states, folds=True)
                refused += await write_states(connection, states, slots, careful=careful)
                refused += await show_holdings(
                    connection,
                    self.stream,
                    {address: stored[address] for address in understood if address in stored},
                    [
                        each
                        for each in holdings
                        if each.account in understood and stored.get(each.account) == each.account_slot
                    ],
                    since=since,
                    careful=careful,
                )
                await self._lock(connection, epoch)
                return await self._number(
                    connection,
                    "accounts",
                    "live",
                    first=first,
                    last=last,
                    rows=len(accounts),
                    through=through,
                    incidents=[_incident(one.plan.full_name, one.row, one.reason) for one in refused],
                )

        seq = await self._twice(once, None, "accounts")
        self._figures.add_rows({"heliograph.accounts": len(accounts)})
        return seq

    async def _commit(self, prepared: Prepared, epoch: int | None, careful: bool) -> int:
        batch = prepared.batch
        # The leader claims nothing: a claim that it left when it was killed would hold up its successor, and the
        # epoch and the coverage keep two from writing one slot.
        async with self._transaction(batch.first, batch.last, claiming=epoch is None) as connection:
            cleared = await clear_archived(connection, self.stream, batch)
            written = await self._write(connection, prepared, epoch, careful)
            if cleared is not None:
                await mark_dirty(connection, self.stream, cleared.keys)
            await self._lock(connection, epoch)
            if cleared is not None:
                await self._mark_stale(connection, cleared.times)
            extended = await connection.fetchval(
                self._queries["extend_coverage"], self.stream, batch.first, batch.last, batch.final
            )
            if extended is None:
                raise WriteConflict(
                    f"stream {self.stream}: a slot of {batch.first}..{batch.last} was covered by another writer meanwhile"
                )
            seq = await connection.fetchval(
                self._queries["number_commit"],
                self.stream,
                batch.first,
                batch.last,
                batch.last_time,
                self.holder,
                *slot_columns(batch.slots),
                *_incident_columns([*batch.incidents, *written.incidents]),
                "apply" if cleared is None else "correct",
                batch.origin,
                *_times(batch.slots, () if cleared is None else cleared.times),
                written.count,
            )
        assert isinstance(seq, int)
        self._figures.add_rows(written.tables)
        return seq

    async def _add_archived(self, prepared: Prepared, careful: bool) -> int:
        batch = prepared.batch
        async with self._transaction(batch.first, batch.last) as connection:
            written = await self._write(connection, prepared, None, careful)
            await self._lock(connection, None)
            await store_archived(connection, self.stream, batch.slots)
            await self._mark_stale(connection, [slot.block_time for slot in batch.slots])
            first_time, last_time = _times(batch.slots)
            seq = await self._number(
                connection,
                "apply",
                batch.origin,
                first=batch.first,
                last=batch.last,
                first_time=first_time,
                last_time=last_time,
                rows=written.count,
                incidents=[*batch.incidents, *written.incidents],
            )
        self._figures.add_rows(written.tables)
        return seq

    async def _rewrite(
        self,
        slots: Sequence[int],
        prepared: Prepared,
        epoch: int | None,
        careful: bool,
        audited: tuple[int, int] | None,
    ) -> int:
        batch = prepared.batch
        async with self._transaction(slots[0], slots[-1]) as connection:
            cleared = await clear_slots(connection, self.stream, slots, batch)
            written = await self._write(connection, prepared, None, careful)
            await mark_dirty(connection, self.stream, cleared.keys)
            await self._lock(connection, epoch)
            await store_slots(connection, self.stream, slots, batch, slot_columns(batch.slots))
            await self._mark_stale(connection, [*cleared.times, *(slot.block_time for slot in batch.slots)])
            if audited is not None:
                await self._advance(connection, audited)
            first_time, last_time = _times(batch.slots, cleared.times)
            seq = await self._number(
                connection,
                "correct",
                batch.origin,
                first=slots[0],
                last=slots[-1],
                first_time=first_time,
                last_time=last_time,
                rows=written.count,
                incidents=[*batch.incidents, *written.incidents],
            )
        self._figures.add_rows(written.tables)
        return seq

    async def _supply(self, prepared: Prepared, places: Sequence[UndecodedPlace], careful: bool) -> int:
        batch = prepared.batch
        queries = load("idls.sql")
        columns = [list(column) for column in zip(*places, strict=True)]
        slots = sorted(set(columns[1]))
        async with self._transaction(slots[0], slots[-1]) as connection:
            deleted = await connection.fetch(queries["delete_undecoded"], self.stream, *columns)
            if len(deleted) != len(places):
                raise WriteConflict(
                    f"stream {self.stream}: a slot of {slots[0]}..{slots[-1]} was rewritten by another writer meanwhile"
                )
            written = await self._write(connection, prepared, None, careful)
            changes = [record for record in batch.records if isinstance(record, PositionChange)]
            await connection.execute(
                queries["delete_restated"],
                self.stream,
                [change.block_time for change in changes],
                [change.slot for change in changes],
                [change.tx_index for change in changes],
                [change.position_key for change in changes],
                FIRST_ORDINAL,
            )
            await self._lock(connection, None)
            await connection.execute(queries["stamp_slots"], self.stream, slots)
            await self._mark_stale(connection, columns[0])
            seq = await self._number(
                connection,
                "correct",
                batch.origin,
                first=slots[0],
                last=slots[-1],
                first_time=min(columns[0]),
                last_time=max(columns[0]),
                rows=written.count,
                incidents=[*batch.incidents, *written.incidents],
            )
        self._figures.add_rows(written.tables)
        return seq

    async def _write(self, connection: Any, prepared: Prepared, epoch: int | None, careful: bool) -> Written:
        batch = prepared.batch
        written = await write_rows(connection, prepared, careful=careful)
        await write_owners(connection, self.stream, batch.states, folds=epoch is not None)
        refused = await write_states(connection, batch.states, {}, careful=careful)
        entries = [
            record
            for record in batch.records
            if isinstance(record, (PositionChange, Flow)) and id(record) not in written.refused
        ]
        if epoch is None:
            await mark_dirty(connection, self.stream, [entry.position_key for entry in entries])
        else:
            refused += await fold_live(connection, self.stream, entries, careful=careful)
        written.incidents += [_incident(one.plan.full_name, one.row, one.reason) for one in refused]
        return written

    async def _lock(self, connection: Any, epoch: int | None) -> int:
        """Locks the stream until the end of the transaction; the slot it has reached."""
        row = await connection.fetchrow(self._queries["lock_stream"], self.stream)
        if row is None:
            raise DatabaseError(f"stream {self.stream} does not exist: add it with `heliograph stream add`")
        if epoch is not None and row["epoch"] != epoch:
            raise LeaseLost(f"stream {self.stream}: epoch {epoch} is over, {row['epoch']} leads now")
        if self._idl_count is not None and row["idl_count"] > self._idl_count:
            raise IdlConflict(f"stream {self.stream}: an IDL was added since: read the IDLs anew")
        reached = row["reached"]
        assert isinstance(reached, int)
        return reached

    async def _mark_stale(self, connection: Any, times: Sequence[int]) -> None:
        """Rows of these block times changed: aggregates of them count no longer. After `_lock`."""
        if times:
            await connection.execute(load("rollup.sql")["mark_stale"], self.stream, min(times), max(times))

    async def _advance(self, connection: Any, audited: tuple[int, int]) -> int | None:
        queries = load("audit.sql")
        await connection.execute(queries["mark_range_audited"], self.stream, *audited)
        final_slot = await connection.fetchval(queries["advance_final_slot"], self.stream)
        assert final_slot is None or isinstance(final_slot, int)
        return final_slot

    async def _number(
        self,
        connection: Any,
        kind: Kind,
        origin: Origin,
        *,
        first: int,
        last: int,
        rows: int,
        first_time: int | None = None,
        last_time: int | None = None,
        through: int | None = None,
        incidents: Sequence[Incident] = (),
    ) -> int:
        seq = await connection.fetchval(
            self._queries["number_change"],
            self.stream,
            kind,
            origin,
            first,
            last,
            first_time,
            last_time,
            rows,
            through,
            *_incident_columns(incidents),
        )
        assert isinstance(seq, int)
        return seq

    async def _twice(
        self,
        attempt: Callable[[bool], Coroutine[Any, Any, int]],
        prepared: Prepared | None,
        kind: Kind,
    ) -> int:
        """Tries fast; where the database refuses a row, tries again and finds it, so that the others get in."""
        began = time.monotonic()
        seq = await self._fast_or_careful(attempt, prepared)
        self._figures.add_commit(kind, time.monotonic() - began)
        return seq

    async def _fast_or_careful(
        self, attempt: Callable[[bool], Coroutine[Any, Any, int]], prepared: Prepared | None
    ) -> int:
        try:
            return await attempt(False)
        except DatabaseError as error:
            # Two rows of the batch at one place look like another writer's row, and would for ever.
            doubled = (
                isinstance(error.__cause__, asyncpg.UniqueViolationError)
                and prepared
                and has_doubles(prepared)
            )
            if error.__cause__ is None or not (doubled or is_refusal(error.__cause__)):
                raise
        return await attempt(True)

    @asynccontextmanager
    async def _connection(self, first: int, last: int) -> AsyncIterator[Any]:
        """A connection; what says that another writer was first leaves as WriteConflict."""
        try:
            async with self._database.acquire() as connection:
                yield connection
        except DatabaseError as error:
            if isinstance(error.__cause__, (asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError)):
                raise WriteConflict(
                    f"stream {self.stream}: another writer has {first}..{last} or a part of it: {error.__cause__}"
                ) from error.__cause__
            raise

    @asynccontextmanager
    async def _transaction(self, first: int, last: int, *, claiming: bool = False) -> AsyncIterator[Any]:
        """A connection in a transaction that whoever takes over from us can find and end."""
        async with self._connection(first, last) as connection:
            if claiming:
                await self._claim(connection, first, last)
            await begin_writing(connection, self.holder)
            async with connection.transaction():
                yield connection

    def _check(self, batch: Batch) -> None:
        if batch.stream != self.stream:
            raise ValueError(f"the writer of stream {self.stream} was given a batch of {batch.stream}")


def slot_columns(slots: Sequence[Slot]) -> tuple[list[Any], ...]:
    """slot, blockhash, parent, block_time."""
    return (
        [slot.number for slot in slots],
        [slot.blockhash for slot in slots],
        [slot.parent for slot in slots],
        [slot.block_time for slot in slots],
    )


def _times(slots: Sequence[Slot], cleared: Sequence[int] = ()) -> tuple[int | None, int | None]:
    """First and last block time of what a commit wrote, and took back."""
    times = [*cleared, *(slot.block_time for slot in slots)]
    return min(times, default=None), max(times, default=None)


def _incident_columns(incidents: Sequence[Incident]) -> tuple[list[Any], ...]:
    return (
        [incident.kind for incident in incidents],
        [incident.slot for incident in incidents],
        [json_text(incident.detail) for incident in incidents],
    )


def _incident(table: str, row: Any, reason: str) -> Incident:
    detail: Mapping[str, Any] = {"table": table, "row": repr(row), "reason": reason}
    return Incident(kind="refused", slot=getattr(row, "slot", None), detail=detail)
