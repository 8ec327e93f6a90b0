"""Watches a whole run: whatever the database calls complete must be true of the chain at that moment.

Truth comes from localnet as it happens. Each block that was ever confirmed is one thing that its slot may hold, so a
fork adds a version and takes none away: between a fork and its correction the old rows are not wrong yet. What is
called final must be what stands. A sample is one snapshot of the database; it looks closely at every slot that was
covered, rewritten or made final since the last one, and at some others.

    async with witnessing(database, localnet, stream) as witness:   # before the indexer starts
        ...
        await witness.end(last)
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from tests.endtoend.chaos import require_equal
from tests.endtoend.comparison import KEYS, Row, Tables, differences, read_slots, read_tables

from heliograph_core.errors import DatabaseUnavailable
from heliograph_core.intervals import SlotSet
from heliograph_localnet.block import Block
from heliograph_localnet.chain_event import ChainEvent, Confirmed, Forked
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow

PAUSE = 4.0
"""Between two samples, in multiples of what one takes: the run is watched, not held up."""
SHORTEST_PAUSE_S = 0.02
WINDOW_SLOTS = 64
"""Slots of each sample that are looked at for no reason."""

Places = frozenset[tuple[int, int, int]]
"""tx_index, ordinal and part of rows of one slot."""

_PROGRESS = """
SELECT s.first_slot, s.final_slot, s.seq,
    (SELECT coalesce(max(c.seq), 0) FROM heliograph.commits AS c WHERE c.stream = s.name) AS newest,
    (SELECT count(*) - coalesce(max(c.seq) - min(c.seq) + 1, 0) FROM heliograph.commits AS c
        WHERE c.stream = s.name) AS missing
FROM heliograph.streams AS s
WHERE s.name = $1
"""
_COVERAGE = "SELECT lower(r), upper(r) - 1 FROM heliograph.coverage, unnest(slots) AS r WHERE stream = $1"
_STAMPED = "SELECT slot FROM heliograph.slots WHERE stream = $1 AND seq > $2"


class Sample(NamedTuple):
    """What one snapshot said."""

    first_slot: int
    final_slot: int
    """-1 before there is one."""
    seq: int
    coverage: SlotSet

    @property
    def complete_through(self) -> int:
        """-1 where first_slot is not covered."""
        through = self.coverage.through(self.first_slot)
        return -1 if through is None else through


class Witness:
    """samples: how many were taken. missed: how often the database could not be asked."""

    def __init__(self, database: Database, localnet: Localnet, stream: StreamRow, seed: int = 0) -> None:
        self._database = database
        self._localnet = localnet
        self._chain = localnet.chain
        self._stream = stream
        self._dice = random.Random(seed)
        self._waiting: list[Block] = []
        self._versions: dict[int, dict[bytes, None]] = {}
        self._filled: set[int] = set()
        self._places: dict[int, set[Places]] = {}
        self._highest = -1
        self._retold = 0
        self._last = Sample(stream.first_slot, -1, 0, SlotSet())
        self._turn = asyncio.Lock()
        self.samples = self.missed = 0
        confirmed = self._chain.slot_at(Commitment.CONFIRMED)
        self._waiting += self._chain.blocks(self._chain.first_available, confirmed)
        self._chain.listen(self._follow)

    @property
    def last(self) -> Sample:
        """The latest sample."""
        return self._last

    def retell(self, change: Callable[[], None]) -> None:
        """`change` changes the truth, as when an IDL has come: what was true until now may stay for a while."""
        self._drain()
        change()
        self._retold += 1
        for block in self._chain.blocks(
            self._chain.first_available, self._chain.slot_at(Commitment.CONFIRMED)
        ):
            self._add_version(block.slot, self._localnet.block_truth(block))

    async def run(self) -> None:
        """Until cancelled. Raises AssertionError for what is not true."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self.sample()
            await asyncio.sleep(max(SHORTEST_PAUSE_S, PAUSE * (loop.time() - began)))

    async def sample(self) -> None:
        """One look. Raises AssertionError."""
        # A snapshot that is looked at after a later one would seem to go back.
        async with self._turn:
            await self._sample()

    async def _sample(self) -> None:
        try:
            async with (
                self._database.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                sample, slots = await self._look(connection)
                stored = await read_slots(connection, self._stream.name, slots)
        except DatabaseUnavailable:
            self.missed += 1
            return
        # What stands by now may be newer than the snapshot, which permits too much by a moment and never too little.
        self._drain()
        self._check_progress(sample)
        for slot in slots:
            self._check_slot(sample, slot, stored[slot])
        self._last = sample
        self.samples += 1

    async def end(self, last: int) -> None:
        """Everything through `last` is there, stands, and no table holds anything else. Raises AssertionError."""
        await self.sample()
        assert self.samples, "the database could never be asked"
        through = self._last.complete_through
        assert through >= last, f"complete through {through} and not through {last}"
        async with self._database.acquire() as connection:
            stored = await read_tables(connection, self._stream.name)
            held = sorted({row["slot"] for table in stored.values() for row in table if "slot" in row})
            slots = sorted({*held, *(slot for slot in self._filled if slot <= last)})
            found = await read_slots(connection, self._stream.name, slots)
        for slot in slots:
            standing = self._standing(slot)
            told = differences(standing, found[slot], most=1)
            assert not told, f"slot {slot} at the end:\n{told}"
        await require_equal(self._database, self._localnet, last)

    def permits(self, slot: int, places: Places) -> bool:
        """Whether some block that was confirmed in this slot changed positions at these places, and nowhere else."""
        self._drain()
        return places in self._places.get(slot, ())

    def _follow(self, event: ChainEvent) -> None:
        if isinstance(event, Forked):
            # From here on what the old blocks said is told anew.
            self._drain()
        elif isinstance(event, Confirmed):
            self._waiting.append(event.block)

    def _drain(self) -> None:
        waiting, self._waiting = self._waiting, []
        for block in waiting:
            for skipped in range(block.parent_slot + 1, block.slot):
                self._add_version(skipped, {})
            self._add_version(block.slot, self._localnet.block_truth(block))
            self._highest = max(self._highest, block.slot)

    def _add_version(self, slot: int, tables: Tables) -> None:
        if tables:
            self._filled.add(slot)
        versions = self._versions.setdefault(slot, {})
        changes = tables.get("perps.position_changes", ())
        self._places.setdefault(slot, set()).add(
            frozenset((row["tx_index"], row["ordinal"], row["part"]) for row in changes)
        )
        digest = digest_of(tables)
        # The latest is the one that stands.
        versions.pop(digest, None)
        versions[digest] = None

    async def _look(self, connection: Any) -> tuple[Sample, Sequence[int]]:
        before, name = self._last, self._stream.name
        row = await connection.fetchrow(_PROGRESS, name)
        assert row["newest"] == row["seq"] and not row["missing"], f"the commit log has holes: {dict(row)}"
        coverage = SlotSet([tuple(each) for each in await connection.fetch(_COVERAGE, name)])
        final = -1 if row["final_slot"] is None else row["final_slot"]
        sample = Sample(row["first_slot"], final, row["seq"], coverage)
        slots = {each["slot"] for each in await connection.fetch(_STAMPED, name, before.seq)}
        newly_final = [(before.final_slot + 1, final)] if final > before.final_slot else []
        fresh = coverage - before.coverage | SlotSet(newly_final)
        slots |= {slot for slot in self._filled if slot in fresh}
        slots |= {slot for first, last in fresh & _ends(coverage) for slot in range(first, last + 1)}
        highest = max(self._chain.open_slot, *(last for _, last in coverage), sample.first_slot)
        begin = self._dice.randint(sample.first_slot, highest)
        slots |= set(range(begin, begin + WINDOW_SLOTS))
        return sample, sorted(slots)

    def _check_progress(self, sample: Sample) -> None:
        before = self._last
        for _, covered in sample.coverage:
            assert covered <= self._highest, (
                f"complete through {covered}, and the chain was never confirmed beyond {self._highest}"
            )
        final = self._chain.slot_at(Commitment.FINALIZED)
        assert sample.final_slot <= final, f"called final: {sample.final_slot}, final: {final}"
        assert sample.final_slot <= sample.complete_through or sample.final_slot < 0
        assert sample.final_slot >= before.final_slot, f"final {before.final_slot}, then {sample.final_slot}"
        lost = before.coverage - sample.coverage
        assert not lost, f"covered before and not any more: {lost}"
        assert sample.complete_through >= before.complete_through
        assert sample.seq >= before.seq

    def _check_slot(self, sample: Sample, slot: int, stored: Tables) -> None:
        if slot not in sample.coverage:
            assert not stored, f"slot {slot} is not covered and holds {stored}"
            return
        versions = self._versions.get(slot)
        assert versions, f"slot {slot} is covered, and nothing of it was ever confirmed"
        digest = digest_of(stored)
        if slot <= sample.final_slot:
            allowed, what = [*versions][-1 - self._retold :], "final"
        else:
            allowed, what = list(versions), "covered"
        if digest not in allowed:
            told = differences(self._standing(slot), stored, most=1)
            raise AssertionError(
                f"slot {slot} is called {what} at seq {sample.seq} and is none of the {len(allowed)} blocks that were "
                f"confirmed there; to the one that stands:\n{told}"
            )

    def _standing(self, slot: int) -> Tables:
        block = self._chain.block(slot)
        return {} if block is None else self._localnet.block_truth(block)


@asynccontextmanager
async def witnessing(
    database: Database, localnet: Localnet, stream: StreamRow, seed: int = 0
) -> AsyncIterator[Witness]:
    """A witness for the time of the block, which fails with what it sees."""
    witness = Witness(database, localnet, stream, seed)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(witness.run())
            yield witness
            running.cancel()
    except BaseExceptionGroup as group:
        # The first failure is the cause; the others were cancelled for it.
        raise group.exceptions[0] from None


class LateWitness:
    """Watches a run whose chain is in another process and never forks: what each sample saw is judged at the end.

    samples: how many were taken.
    """

    def __init__(
        self, database: Database, stream: StreamRow, confirmed: Callable[[], Awaitable[int]], seed: int
    ) -> None:
        """confirmed: asks the chain for its confirmed slot."""
        self._database = database
        self._stream = stream
        self._confirmed = confirmed
        self._dice = random.Random(seed)
        self._seen: list[tuple[SlotSet, dict[int, bytes]]] = []
        self._coverage = SlotSet()

    @property
    def samples(self) -> int:
        return len(self._seen)

    async def run(self) -> None:
        """Until cancelled. Raises AssertionError as sample()."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self.sample()
            await asyncio.sleep(max(SHORTEST_PAUSE_S, PAUSE * (loop.time() - began)))

    async def sample(self) -> None:
        """One look. Raises AssertionError where coverage shrinks, or says more than is confirmed."""
        name = self._stream.name
        try:
            async with (
                self._database.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                coverage = SlotSet([tuple(each) for each in await connection.fetch(_COVERAGE, name)])
                slots = self._slots(coverage)
                stored = await read_slots(connection, name, slots)
        except DatabaseUnavailable:
            return
        confirmed = await self._confirmed()
        for _, last in coverage:
            assert last <= confirmed, (
                f"complete through {last}, and the chain is confirmed through {confirmed}"
            )
        lost = self._coverage - coverage
        assert not lost, f"covered before and not any more: {lost}"
        self._coverage = coverage
        self._seen.append((coverage, {slot: digest_of(_canonical(stored[slot])) for slot in slots}))

    def _slots(self, coverage: SlotSet) -> Sequence[int]:
        """Windows around an end of a covered range, where whoever runs ahead does so, and anywhere."""
        if not coverage:
            return range(self._stream.first_slot, self._stream.first_slot + WINDOW_SLOTS)
        first, last = self._dice.choice(coverage.ranges)
        anywhere = self._dice.randint(first, last)
        windows = [(at - WINDOW_SLOTS // 2, at + WINDOW_SLOTS // 2) for at in (first, last, anywhere)]
        return [slot for begin, end in SlotSet(windows) for slot in range(begin, end + 1)]

    def end(self, truth: Tables) -> None:
        """Raises AssertionError where a sample held other rows of a covered slot than the truth, or any of one that was not."""
        by_slot: dict[int, dict[str, list[Row]]] = {}
        for table, rows in truth.items():
            for row in rows if KEYS[table][0] == "slot" else ():
                by_slot.setdefault(row["slot"], {}).setdefault(table, []).append(row)
        nothing = digest_of({})
        digests = {slot: digest_of(tables) for slot, tables in by_slot.items()}
        assert self._seen, "the database could never be asked"
        for at, (coverage, seen) in enumerate(self._seen):
            for slot, digest in seen.items():
                expected = digests.get(slot, nothing) if slot in coverage else nothing
                assert digest == expected, (
                    f"sample {at}: slot {slot} of {coverage} held other rows than it has"
                )


def _canonical(tables: Tables) -> Tables:
    return {table: rows for table, rows in tables.items() if table in KEYS}


def digest_of(tables: Tables) -> bytes:
    """Equal for equal rows, in whatever order. Tables without rows do not count."""
    lines = sorted(
        f"{table} {[(column, _exact(value)) for column, value in sorted(row.items())]}"
        for table, rows in tables.items()
        for row in rows
    )
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).digest()


def _exact(value: object) -> object:
    """1 and 1.0 as numbers are equal, 1 and "1" are not."""
    if isinstance(value, Decimal):
        return "number", str(value.normalize())
    if isinstance(value, Mapping):
        return sorted((key, _exact(each)) for key, each in value.items())
    return [_exact(each) for each in value] if isinstance(value, list) else value


def _ends(coverage: Iterable[tuple[int, int]]) -> SlotSet:
    """The last slots of each range: whoever runs ahead of the truth does so there."""
    return SlotSet([(max(first, last - WINDOW_SLOTS), last) for first, last in coverage])
