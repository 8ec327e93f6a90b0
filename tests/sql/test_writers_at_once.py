"""A leader, late writers, correctors and refolds at once leave what writing one after the other leaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

import pytest

from heliograph_core.errors import DatabaseUnavailable, WriteConflict
from heliograph_core.fold import fold
from heliograph_core.records import Balance, Position, PositionChange, Record, Transfer
from heliograph_sql.batch import Batch
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.plan import STATE_PLANS
from heliograph_sql.writer import Writer

KEYS = ("A", "B", "C")
WALLETS = ("X", "Y")
SIZES = {"open": 3, "increase": 4, "decrease": 1, "close": 0, "liquidation": 0}
"""After a change of each kind."""
PAST = range(100)
LIVE = range(100, 140)
CORRECTIONS = 25
"""By each of the two correctors."""
MOST_TRIES = 50
DEADLINE_S = 20.0
FOLDED = [name for name in STATE_PLANS[Position].column_names if not name.endswith("_at")]

Answer = TypeVar("Answer")


class Book:
    """What each slot holds by the commit that wrote it last: commits are numbered in the order of their effect."""

    def __init__(self, make: Any, dice: random.Random) -> None:
        self._make = make
        self._dice = dice
        self._slots: dict[int, tuple[int, list[Record]]] = {}
        self.grown = asyncio.Event()
        self.commits = 0
        self.closed = False

    @property
    def written(self) -> list[int]:
        return sorted(self._slots)

    def records(self, kind: type[Any]) -> list[Any]:
        """All of one class, in chain order."""
        return [one for slot in self.written for one in self._slots[slot][1] if isinstance(one, kind)]

    def draw(self, slots: Sequence[int]) -> Batch:
        """Random changes, and transfers with the balances that they leave, of some of the slots."""
        records: list[Record] = []
        balances: list[Balance] = []
        for slot in slots:
            for tx_index, key in enumerate(self._dice.sample(KEYS, self._dice.randint(0, 2))):
                kind = self._dice.choice(list(SIZES))
                records.append(self._make.change(slot, kind, SIZES[kind], key, tx_index=tx_index))
            if self._dice.random() < 0.4:
                wallet, free = self._dice.choice(WALLETS), self._dice.randint(0, 9)
                records.append(self._make.transfer(slot, free, wallet))
                balances.append(self._make.balance(slot, free, wallet))
        batch: Batch = self._make.batch(slots[0], slots[-1], records, balances)
        return batch

    def note(self, seq: int, slots: Sequence[int], batch: Batch) -> None:
        for slot in slots:
            known, _ = self._slots.get(slot, (0, []))
            if seq > known:
                self._slots[slot] = seq, [record for record in batch.records if record.slot == slot]
        self.commits += 1
        self.grown.set()

    def close(self) -> None:
        """Nothing more is written."""
        self.closed = True
        self.grown.set()


async def insist(write: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Tries again where another writer was first, as whoever writes does."""
    for _ in range(MOST_TRIES - 1):
        try:
            return await write()
        except (WriteConflict, DatabaseUnavailable):
            continue
    return await write()


async def lead(book: Book, leader: Writer, epoch: int) -> None:
    for slot in LIVE:
        batch = book.draw([slot])
        book.note(await insist(partial(leader.commit, batch, epoch=epoch)), [slot], batch)


async def fill(book: Book, writer: Writer, runs: list[range]) -> None:
    """Takes runs that nobody took until none is left."""
    while runs:
        slots = runs.pop()
        batch = book.draw(slots)
        book.note(await insist(partial(writer.commit, batch, epoch=None)), slots, batch)


async def correct(book: Book, writer: Writer, epoch: int | None, dice: random.Random) -> None:
    """Anywhere, or at the head as forks are, where two correctors meet."""
    await book.grown.wait()
    for _ in range(CORRECTIONS):
        among = dice.choice([book.written, book.written[-8:]])
        slots = sorted(dice.sample(among, min(len(among), dice.randint(1, 3))))
        batch = book.draw(slots)
        seq = await insist(partial(writer.rewrite_slots, slots, batch, epoch=epoch))
        book.note(seq, slots, batch)


async def amend(book: Book, leader: Writer, epoch: int, dice: random.Random) -> None:
    """Refolds beside whatever is written, and at the end all that is left."""
    while not book.closed:
        await book.grown.wait()
        book.grown.clear()
        amended = await insist(partial(leader.refold, dice.choice([1, 200]), epoch=epoch))
        # Not in one statement: others count while this one waits.
        book.commits += amended is not None
    while await leader.refold(epoch=epoch) is not None:
        book.commits += 1


def cut(slots: range, dice: random.Random) -> list[range]:
    """Runs of one to six slots, in any order."""
    runs = []
    while slots:
        length = dice.randint(1, 6)
        runs.append(slots[:length])
        slots = slots[length:]
    dice.shuffle(runs)
    return runs


async def until_waiting(connection: Any, count: int) -> None:
    """Returns once so many others wait for a lock."""
    found = 0
    while found < count:
        found = await connection.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")


@pytest.mark.parametrize(
    "leading", [(False, False), (True, False), (True, True)], ids=["no corrector leads", "one", "both"]
)
async def test_writers_at_once_leave_what_writing_in_order_leaves(
    database: Database, stream: Any, make: Any, fetch: Any, leading: tuple[bool, bool], seed: int
) -> None:
    """Commits come one at a time at the end, so that their numbers say which of two is the later."""
    dice = random.Random(seed)
    epoch = await Lease(database, "s", "leader").acquire()
    assert epoch is not None
    leader = Writer(database, "s", "leader")
    one, two = Writer(database, "s", "late-1"), Writer(database, "s", "late-2")
    book, runs = Book(make, dice), cut(PAST, dice)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        group.create_task(amend(book, leader, epoch, dice))
        await asyncio.gather(
            lead(book, leader, epoch),
            fill(book, one, runs),
            fill(book, two, runs),
            correct(book, one, epoch if leading[0] else None, dice),
            correct(book, two, epoch if leading[1] else None, dice),
        )
        book.close()

    places = sorted({(record.slot, record.tx_index) for record in book.records(object)})
    changes, transfers = book.records(PositionChange), book.records(Transfer)
    print(f"{book.commits} commits, {len(changes)} changes, {len(transfers)} transfers are left")
    for table in ("signatures", "transactions"):
        stored = await fetch(f"SELECT slot, tx_index FROM heliograph.{table} ORDER BY slot, tx_index")
        assert stored == places, table
    assert await fetch(
        "SELECT slot, tx_index, position_key, kind FROM perps.position_changes ORDER BY slot, tx_index"
    ) == [(change.slot, change.tx_index, change.position_key, change.kind) for change in changes]
    assert await fetch("SELECT slot, wallet, free_after FROM perps.transfers ORDER BY slot") == [
        (transfer.slot, transfer.wallet, transfer.free_after) for transfer in transfers
    ]
    assert await fetch(
        f"SELECT {', '.join(FOLDED)} FROM perps.positions"
        " ORDER BY position_key, opened_slot, opened_tx_index, opened_ordinal"
    ) == [
        attrgetter(*FOLDED)(position)
        for key in KEYS
        for position in fold(None, [change for change in changes if change.position_key == key])
    ]
    latest = {transfer.wallet: (transfer.free_after, transfer.slot) for transfer in transfers}
    assert await fetch("SELECT wallet, free, updated_slot FROM perps.balances ORDER BY wallet") == [
        (wallet, *latest[wallet]) for wallet in sorted(latest)
    ]
    assert await fetch("SELECT slots::text FROM heliograph.coverage") == [(f"{{[0,{LIVE.stop})}}",)]
    assert await fetch("SELECT seq FROM heliograph.streams") == [(book.commits,)]
    assert await fetch("SELECT seq FROM heliograph.commits ORDER BY seq") == [
        (seq,) for seq in range(1, book.commits + 1)
    ]


async def test_of_two_corrections_of_a_slot_the_later_alone_stays(
    database: Database, stream: Any, make: Any, fetch: Any
) -> None:
    earlier, later = Writer(database, "s", "one"), Writer(database, "s", "two")
    await earlier.commit(make.batch(1, 1, [make.trade(1)]), epoch=None)
    new = make.batch(1, 1, [make.trade(1, tx_index=4)])
    async with (
        asyncio.timeout(DEADLINE_S),
        asyncio.TaskGroup() as group,
        database.acquire() as connection,
        connection.transaction(),
    ):
        # Holds up the earlier one behind its rows, before its commit.
        await connection.execute("SELECT FROM heliograph.streams FOR NO KEY UPDATE")
        first = group.create_task(earlier.rewrite_slots([1], new, epoch=None))
        await until_waiting(connection, 1)
        second = group.create_task(later.rewrite_slots([1], make.batch(1, 1), epoch=None))
        await until_waiting(connection, 2)
    assert (first.result(), second.result()) == (2, 3)
    assert await fetch("SELECT slot, tx_index FROM perps.trades") == []
    assert await fetch("SELECT slot, tx_index FROM heliograph.signatures") == []
