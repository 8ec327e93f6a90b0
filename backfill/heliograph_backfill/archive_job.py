"""Archives on request: their transactions are decoded and stored as any other, and cover nothing.

What is stored already, by an archive or by who vouches for the slot, is left out: the same files may be given again, and
a job that was killed goes on where it ended, after reading what it had read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from heliograph_core.errors import DatabaseUnavailable, IdlConflict, WriteConflict
from heliograph_core.slot import Slot, Span
from heliograph_indexer.decode import DecodedSlot, Layouts, decode_slot
from heliograph_indexer.event_store import open_event_tables, open_layouts
from heliograph_indexer.pipeline import make_batch
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.sources.archive import PAGE_TRANSACTIONS, Archived, ArchiveSource, Fault, Page, placed
from heliograph_sql.archived import FIRST_UNPLACED, read_stored
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow
from heliograph_sql.writer import Writer

RETRY_S, RETRY_MOST_S = 0.05, 5.0


class ArchiveProgress(msgspec.Struct, frozen=True, gc=False):
    """How far a job is. read_bytes of total_bytes, as the files lie on disk.

    stored: transactions, by this run. known: that were stored already. covered: whose slot is complete already, and that
    it therefore knows or that never happened. foreign: that touch no program of the stream. faults: that could not be read.
    """

    read_bytes: int
    total_bytes: int
    stored: int
    known: int
    covered: int
    foreign: int
    faults: int
    commits: int
    trouble: str | None


class ArchiveJob:
    """Stores what some files hold of one stream."""

    def __init__(
        self,
        database: Database,
        stream: StreamRow,
        protocol: Protocol,
        files: Sequence[Path],
        *,
        holder: str,
        on_fault: Callable[[Fault], None],
        page: int = PAGE_TRANSACTIONS,
    ) -> None:
        """on_fault: told of each line that could not be read. Raises SettingsError for a file that cannot be opened."""
        self._database = database
        self._stream = stream.name
        self._protocol = protocol
        self._source = ArchiveSource(files, stream.programs, page=page)
        self._holder = holder
        self._on_fault = on_fault
        self._read = self._stored = self._known = self._covered = 0
        self._foreign = self._faults = self._commits = 0
        self._trouble: str | None = None
        self._opened: tuple[Writer, Layouts] | None = None

    @property
    def progress(self) -> ArchiveProgress:
        """As of now; cheap."""
        return ArchiveProgress(
            read_bytes=self._read,
            total_bytes=self._source.total_bytes,
            stored=self._stored,
            known=self._known,
            covered=self._covered,
            foreign=self._foreign,
            faults=self._faults,
            commits=self._commits,
            trouble=self._trouble,
        )

    async def run(self) -> None:
        """Returns once all files are read. Raises IdlError, DatabaseError."""
        async for page in self._source.pages():
            for fault in page.faults:
                self._on_fault(fault)
            await self._store(page)
            self._faults += len(page.faults)
            self._foreign += page.foreign
            self._read = page.read_bytes

    async def _store(self, page: Page) -> None:
        """Until it is stored: another writer or an IDL may come meanwhile, and the database may be away."""
        backoff = Backoff(RETRY_S, RETRY_MOST_S)
        while True:
            try:
                await self._once(*await self._open(), page.transactions)
            except IdlConflict:
                self._opened = None
            except (WriteConflict, DatabaseUnavailable) as error:
                self._trouble = str(error)
                await asyncio.sleep(backoff.next())
            else:
                self._trouble = None
                return

    async def _open(self) -> tuple[Writer, Layouts]:
        """What writes, made at the first use and after an IDL was added. Raises IdlError."""
        if self._opened is None:
            layouts = await open_layouts(self._database, self._stream, self._protocol)
            tables = await open_event_tables(self._database, self._stream, layouts)
            writer = Writer(
                self._database,
                self._stream,
                self._holder,
                event_tables=tables,
                idl_count=layouts.added,
            )
            self._opened = writer, layouts
        return self._opened

    async def _once(self, writer: Writer, layouts: Layouts, archived: Sequence[Archived]) -> None:
        there = await read_stored(self._database, self._stream, sorted({each.slot for each in archived}))
        free = [each for each in archived if each.slot not in there.covered]
        slots = placed(free, there.signatures, FIRST_UNPLACED)
        decoded: list[DecodedSlot] = []
        for number, rows in slots.items():
            transactions = tuple(each.transaction for each in rows)
            decoded.append(decode_slot(Slot(number, rows[0].block_time, transactions), layouts))
            # Decoding is all computing: others get a turn after each slot.
            await asyncio.sleep(0)
        count = sum(len(each.transactions) for each in decoded)
        if decoded:
            projected = project_slots(self._stream, decoded, self._protocol)
            first, last = decoded[0].slot.number, decoded[-1].slot.number
            span = Span(first, last, tuple(each.slot for each in decoded))
            await writer.add_archived(make_batch(self._stream, span, decoded, projected, "backfill"))
            self._commits += 1
        self._stored += count
        self._covered += len(archived) - len(free)
        self._known += len(free) - count
