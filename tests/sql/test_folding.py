"""Positions: folded at the head by the leader, anew where late history came, equal to folding in order."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from heliograph_core.errors import LeaseLost
from heliograph_core.fold import fold
from heliograph_core.records import Position, PositionChange
from heliograph_sql.copying import copy_rows
from heliograph_sql.database import Database
from heliograph_sql.folding import fold_live
from heliograph_sql.lease import Lease
from heliograph_sql.plan import RECORD_PLANS, STATE_PLANS
from heliograph_sql.states import columns_of
from heliograph_sql.writer import Writer

BRIEF = "SELECT lifecycle, status, size, changes, complete, settled FROM perps.positions ORDER BY opened_slot"


@pytest.fixture
async def epoch(database: Database, stream: Any) -> int:
    epoch = await Lease(database, "s", "leader").acquire()
    assert epoch is not None
    return epoch


async def stored(fetch: Any) -> list[Position]:
    columns = [
        f"extract(epoch FROM {column.name})::bigint" if column.name.endswith("_at") else column.name
        for column in STATE_PLANS[Position].columns
    ]
    rows = await fetch(
        f"SELECT {', '.join(columns)} FROM perps.positions ORDER BY position_key, opened_slot, opened_ordinal"
    )
    return [Position(**dict(zip(STATE_PLANS[Position].column_names, row, strict=True))) for row in rows]


async def test_the_leader_folds_what_it_writes(writer: Writer, epoch: int, make: Any, fetch: Any) -> None:
    await writer.commit(make.batch(1, 1, [make.change(1)]), epoch=epoch)
    await writer.commit(make.batch(2, 2, [make.change(2, "increase", 3)]), epoch=epoch)
    await writer.commit(
        make.batch(3, 3, [make.change(3, "close", 0), make.change(3, ordinal=1)]), epoch=epoch
    )
    assert await fetch(BRIEF) == [(1, "closed", 0, 3, True, True), (2, "open", 1, 1, True, True)]
    assert await fetch("SELECT count(*) FROM heliograph.dirty") == [(0,)]


async def test_who_does_not_lead_marks_and_does_not_fold(writer: Writer, make: Any, fetch: Any) -> None:
    await writer.commit(make.batch(1, 1, [make.change(1)]), epoch=None)
    assert await fetch(BRIEF) == []
    assert await fetch("SELECT stream, position_key FROM heliograph.dirty") == [("s", "P")]


async def test_late_history_unsettles_a_position_until_it_is_folded_in(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    await writer.commit(make.batch(10, 10, [make.change(10, "increase", 5)]), epoch=epoch)
    assert await fetch(BRIEF) == [(1, "open", 5, 1, False, True)]
    await writer.commit(make.batch(5, 5, [make.change(5, "open", 2)]), epoch=None)
    await writer.commit(make.batch(11, 11, [make.change(11, "increase", 6)]), epoch=epoch)
    assert await fetch(BRIEF) == [(1, "open", 5, 1, False, False)], (
        "stored, not folded, while late history waits"
    )
    assert await writer.refold(epoch=epoch) == 4
    assert await fetch(BRIEF) == [(1, "open", 6, 3, True, True)]
    assert await fetch(
        "SELECT kind, first_slot, last_slot, row_count FROM heliograph.commits WHERE seq = 4"
    ) == [("amend", 5, 11, 1)]
    assert await writer.refold(epoch=epoch) is None, "nothing waits"
    await writer.commit(make.batch(12, 12, [make.change(12, "close", 0)]), epoch=epoch)
    assert await fetch(BRIEF) == [(1, "closed", 0, 4, True, True)]


async def test_a_leader_that_writes_below_what_is_folded_leaves_it_to_a_refold(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    await writer.commit(make.batch(10, 10, [make.change(10, "increase", 5)]), epoch=epoch)
    await writer.commit(make.batch(9, 9, [make.change(9)]), epoch=epoch)
    assert await fetch("SELECT position_key FROM heliograph.dirty") == [("P",)]
    await writer.refold(epoch=epoch)
    assert await fetch(BRIEF) == [(1, "open", 5, 2, True, True)]


async def test_refolding_takes_as_many_as_asked(writer: Writer, epoch: int, make: Any, fetch: Any) -> None:
    changes = [make.change(1, key=f"P{number}", ordinal=number) for number in range(5)]
    await writer.commit(make.batch(1, 1, changes), epoch=None)
    for left in (3, 1, 0):
        assert await writer.refold(2, epoch=epoch) is not None
        assert await fetch("SELECT count(*) FROM heliograph.dirty") == [(left,)]
    assert await writer.refold(2, epoch=epoch) is None
    assert len(await stored(fetch)) == 5


async def test_an_old_epoch_does_not_refold(writer: Writer, epoch: int, make: Any, fetch: Any) -> None:
    await writer.commit(make.batch(1, 1, [make.change(1)]), epoch=None)
    with pytest.raises(LeaseLost):
        await writer.refold(epoch=epoch - 1)
    assert await fetch(BRIEF) == []
    assert await fetch("SELECT count(*) FROM heliograph.dirty") == [(1,)]


async def test_a_refold_leaves_a_key_alone_whose_history_is_being_written(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    await writer.commit(make.batch(1, 1, [make.change(1)]), epoch=None)
    async with database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM heliograph.dirty FOR NO KEY UPDATE")
        assert await writer.refold(epoch=epoch) is None
    assert await writer.refold(epoch=epoch) is not None


async def test_a_refold_waits_for_a_fold_that_has_not_ended(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    """The first lifecycle of a key has no row to lock while it is being written."""
    late, live = make.change(5), make.change(10, "increase", 3)
    # Whoever writes the first row of a hypertable's chunk holds up others in it until the end of its transaction.
    other = make.change(1, key="A")
    await writer.commit(make.batch(1, 1, [other]), epoch=None)
    await writer.refold(epoch=epoch)
    async with database.acquire() as connection:
        folding = connection.transaction()
        await folding.start()
        await copy_rows(connection, RECORD_PLANS[type(live)], [live])
        assert await fold_live(connection, "s", [live], careful=False) == []
        await writer.commit(make.batch(5, 5, [late]), epoch=None)
        refolding = asyncio.create_task(writer.refold(epoch=epoch))
        await asyncio.wait([refolding], timeout=0.3)
        await folding.commit()
    assert await refolding is not None
    assert await stored(fetch) == [*fold(None, [other]), *fold(None, [late, live])]


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_of_writing_ends_in_what_folding_in_order_gives(
    database: Database, stream: Any, make: Any, fetch: Any, seed: int
) -> None:
    """The leader writes the head while others fill the past at the same time and refolds run in between."""
    dice = random.Random(seed)
    changes = [
        make.change(
            slot,
            dice.choice(["open", "increase", "decrease", "funding", "close"]),
            dice.randrange(4),
            key=dice.choice("ABC"),
            ordinal=ordinal,
        )
        for slot in range(60)
        for ordinal in range(dice.randrange(3))
    ]

    def batch(slot: int) -> Any:
        return make.batch(slot, slot, [change for change in changes if change.slot == slot])

    epoch = await Lease(database, "s", "leader").acquire()
    assert epoch is not None
    leader = Writer(database, "s", "leader")

    async def lead() -> None:
        for slot in range(30, 60):
            await leader.commit(batch(slot), epoch=epoch)

    async def fill(name: str, slots: list[int]) -> None:
        for slot in slots:
            await Writer(database, "s", name).commit(batch(slot), epoch=None)

    async def amend() -> None:
        for _ in range(15):
            await leader.refold(2, epoch=epoch)

    past = list(range(30))
    dice.shuffle(past)
    await asyncio.gather(lead(), fill("one", past[::2]), fill("two", past[1::2]), amend())
    while await leader.refold(2, epoch=epoch) is not None:
        pass
    expected = [
        position
        for key in "ABC"
        for position in fold(None, [one for one in changes if one.position_key == key])
    ]
    assert await stored(fetch) == expected, f"seed {seed}"
    assert await fetch("SELECT max(seq) - count(*) FROM heliograph.commits") == [(0,)]


def test_columns_of_replaces_nul(make: Any) -> None:
    balance = make.balance(1, free=2, wallet="a\0b")
    assert columns_of(STATE_PLANS[type(balance)], [balance])[1] == ["a\u2400b"]


async def test_live_goes_on_while_a_long_history_is_folded(
    writer: Writer, epoch: int, make: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, live = make.change(1), make.change(9, "increase", 3)
    folding = _Slow(monkeypatch)
    await writer.commit(make.batch(1, 1, [late]), epoch=None)
    refolding = asyncio.create_task(writer.refold(epoch=epoch))
    await folding.begun()
    await writer.commit(make.batch(9, 9, [live]), epoch=epoch)
    folding.go_on()
    assert await refolding is not None
    assert await stored(fetch) == fold(None, [late, live])
    assert await fetch("SELECT count(*) FROM heliograph.dirty") == [(0,)]


async def test_what_was_folded_before_more_history_came_is_not_stored(
    writer: Writer, epoch: int, make: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, earlier = make.change(5, "increase", 3), make.change(1)
    folding = _Slow(monkeypatch)
    await writer.commit(make.batch(5, 5, [later]), epoch=None)
    refolding = asyncio.create_task(writer.refold(epoch=epoch))
    await folding.begun()
    await writer.commit(make.batch(1, 1, [earlier]), epoch=None)
    folding.go_on()
    assert await refolding is None
    assert await stored(fetch) == []
    assert await writer.refold(epoch=epoch) is not None
    assert await stored(fetch) == fold(None, [earlier, later])


async def test_a_change_that_came_in_between_without_a_mark_is_not_lost(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live may be behind what a backfill has written already: its changes are then not the latest ones."""
    first, last, between = make.change(1), make.change(9, "increase", 3), make.change(5, "increase", 2)
    folding = _Slow(monkeypatch)
    await writer.commit(make.batch(1, 1, [first]), epoch=None)
    await writer.commit(make.batch(9, 9, [last]), epoch=None)
    refolding = asyncio.create_task(writer.refold(epoch=epoch))
    await folding.begun()
    await writer.commit(make.batch(5, 5, [between]), epoch=epoch)
    folding.go_on()
    assert await refolding is not None
    assert await stored(fetch) == fold(None, [first, between, last])


async def test_a_key_that_is_marked_again_and_again_is_folded_when_it_is_quiet_or_has_waited(
    writer: Writer, epoch: int, make: Any
) -> None:
    await writer.commit(make.batch(1, 1, [make.change(1)]), epoch=None)
    assert await writer.refold(epoch=epoch, quiet_s=3600, anyway_s=3600) is None
    assert await writer.refold(epoch=epoch, quiet_s=3600, anyway_s=0) is not None
    await writer.commit(make.batch(2, 2, [make.change(2, "increase", 3)]), epoch=None)
    assert await writer.refold(epoch=epoch, quiet_s=0, anyway_s=3600) is not None


class _Slow:
    """Folding outside of the locks takes until `go_on`; what live folds meanwhile is folded at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._begun, self._go_on = threading.Event(), threading.Event()
        monkeypatch.setattr("heliograph_sql.histories.fold", self._fold)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 30)

    def go_on(self) -> None:
        self._go_on.set()

    def _fold(self, current: Position | None, changes: Sequence[PositionChange]) -> list[Position]:
        if threading.current_thread() is not threading.main_thread():
            self._begun.set()
            assert self._go_on.wait(30)
        return fold(current, changes)
