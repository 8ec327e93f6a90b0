"""Rows past their retention go, completeness starts where they were, and nothing is folded or written below."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pytest
from tests.sql.test_folding import stored

from heliograph_core.errors import WriteConflict
from heliograph_core.fold import fold
from heliograph_core.records import PositionChange
from heliograph_sql import retention
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.migrate import migrate
from heliograph_sql.retention import Retention
from heliograph_sql.settings import StorageSettings
from heliograph_sql.streams import extend_down, get_stream, read_coverage
from heliograph_sql.writer import Writer

DAY = 4 * 86_400
"""Slots of one day, in which Make has four a second."""
MIDNIGHT = (1_700_006_400 - 1_700_000_000) * 4
"""The first slot of a day, UTC."""
FIRST = MIDNIGHT + DAY


def at(day: int, slot: int = 0) -> int:
    return FIRST + day * DAY + slot


def noon(make: Any, day: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(make.time(at(day, DAY // 2)), datetime.UTC)


def keeping(database: Database, *rules: str) -> Retention:
    return Retention(database, StorageSettings(retention=rules))


@pytest.fixture(autouse=True)
def chunks_of_a_day(database_url: str) -> None:
    """Hypertables lose whole chunks; as small as the days of these tests, they lose what plain tables lose."""
    migrate(database_url, storage=StorageSettings(chunk_interval_hours=24))


@pytest.fixture
async def epoch(database: Database, stream: Any) -> int:
    epoch = await Lease(database, "s", "holder-1").acquire()
    assert epoch is not None
    return epoch


@pytest.fixture
async def ten_days(writer: Writer, make: Any, epoch: int) -> None:
    """A trade, a transfer and a change of one position at the begin of each of ten days, all slots between covered."""
    for day in range(10):
        change = make.change(at(day), "increase" if day else "open", day + 1, ordinal=3)
        records = [make.trade(at(day)), change, make.transfer(at(day), free=day)]
        batch = make.batch(at(day), at(day + 1) - 1, records, [make.balance(at(day), free=day)])
        await writer.commit(batch, epoch=epoch)


@pytest.mark.parametrize("rows_at_once", [1, 2, 20_000])
async def test_old_rows_go_and_completeness_starts_above_them(
    database: Database,
    make: Any,
    fetch: Any,
    ten_days: None,
    monkeypatch: pytest.MonkeyPatch,
    rows_at_once: int,
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", rows_at_once)
    before = await fetch("SELECT * FROM perps.positions")
    assert await keeping(database, "*=4").keep(noon(make, 9))
    kept = [(at(day),) for day in range(5, 10)]
    for table in ("perps.trades", "perps.transfers", "perps.position_changes", "heliograph.transactions"):
        assert await fetch(f"SELECT slot FROM {table} ORDER BY slot") == kept
    assert await fetch("SELECT slot FROM heliograph.signatures ORDER BY slot") == kept
    assert await fetch("SELECT slot FROM heliograph.slots ORDER BY slot") == [(at(4),), *kept]
    # No row stands between the last that went and the first that stays: completeness may start right above it.
    stream = await get_stream(database, "s")
    assert stream is not None
    assert (stream.retained_from, stream.first_slot) == (at(4) + 1, at(4) + 1)
    assert (await read_coverage(database, "s")).through(stream.first_slot) == at(10) - 1
    assert await fetch("SELECT * FROM perps.positions") == before
    assert await keeping(database, "*=4").keep(noon(make, 9))


async def test_each_table_keeps_its_days_and_the_shortest_says_what_is_complete(
    database: Database, make: Any, fetch: Any, ten_days: None
) -> None:
    assert await keeping(database, "perps.*=6", "perps.trades=0", "perps.transfers=2").keep(noon(make, 9))
    for table, days in (("perps.trades", 10), ("perps.position_changes", 7), ("perps.transfers", 3)):
        assert await fetch(f"SELECT count(*) FROM {table}") == [(days,)], table
    assert await fetch("SELECT count(*) FROM heliograph.transactions") == [(10,)]
    assert await fetch("SELECT retained_from FROM heliograph.streams") == [(at(6) + 1,)]


async def test_without_rules_all_is_kept(database: Database, make: Any, fetch: Any, ten_days: None) -> None:
    assert await keeping(database).keep(noon(make, 900))
    assert await fetch("SELECT count(*) FROM perps.trades") == [(10,)]
    assert await fetch("SELECT retained_from, first_slot FROM heliograph.streams") == [(None, 0)]


async def test_a_stream_that_is_all_older_keeps_nothing_and_goes_on(
    database: Database, writer: Writer, make: Any, fetch: Any, epoch: int, ten_days: None
) -> None:
    assert await keeping(database, "*=4").keep(noon(make, 90))
    assert await fetch("SELECT count(*) FROM perps.trades") == [(0,)]
    await writer.commit(make.batch(at(91), at(91), [make.trade(at(91))]), epoch=epoch)
    assert await fetch("SELECT slot FROM perps.trades") == [(at(91),)]


async def test_below_the_floor_nothing_is_written(
    database: Database, make: Any, fetch: Any, ten_days: None
) -> None:
    late = Writer(database, "s", "late")
    assert await keeping(database, "*=4").keep(noon(make, 9))
    with pytest.raises(WriteConflict):
        await late.commit(make.batch(5, 5, [make.trade(5)]), epoch=None)
    assert await fetch("SELECT min(slot) FROM perps.trades") == [(at(5),)]
    assert await extend_down(database, "s") is None


async def test_while_a_position_waits_to_be_folded_nothing_is_deleted(
    database: Database, writer: Writer, make: Any, fetch: Any, epoch: int, ten_days: None
) -> None:
    late = Writer(database, "s", "late")
    await late.commit(make.batch(at(-1), at(-1), [make.change(at(-1))]), epoch=None)
    assert not await keeping(database, "*=4").keep(noon(make, 9))
    assert await fetch("SELECT count(*) FROM perps.trades") == [(10,)]
    await writer.refold(epoch=epoch)
    assert await keeping(database, "*=4").keep(noon(make, 9))
    assert await fetch("SELECT count(*) FROM perps.trades") == [(5,)]


@pytest.mark.parametrize("seed", range(3))
async def test_refolding_after_retention_gives_what_folding_all_gives(
    database: Database, writer: Writer, make: Any, fetch: Any, epoch: int, seed: int
) -> None:
    """Live rows over ten days, days 7 and 8 late, the floor raised twice before they come."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    changes: dict[int, list[PositionChange]] = {}
    for day in range(10):
        for slot in sorted(dice.sample(range(1, DAY - 1), 12)):
            kind, key = (
                dice.choice(["open", "increase", "decrease", "funding", "close"]),
                dice.choice("ABCDE"),
            )
            change = make.change(at(day, slot), kind, 0 if kind == "close" else dice.randrange(4), key=key)
            changes.setdefault(day, []).append(change)
    late = Writer(database, "s", "late")
    for day in (0, 1, 2, 3, 4, 5, 6, 9):
        await writer.commit(make.batch(at(day), at(day + 1) - 1, changes[day]), epoch=epoch)
    assert await keeping(database, "*=6").keep(noon(make, 9))
    assert await keeping(database, "*=4").keep(noon(make, 9))
    assert await fetch("SELECT min(slot) >= $1 FROM perps.position_changes", at(5)) == [(True,)]
    for day in (8, 7):
        await late.commit(make.batch(at(day), at(day + 1) - 1, changes[day]), epoch=None)
    while await writer.refold(2, epoch=epoch) is not None:
        pass
    every = [change for day in range(10) for change in changes[day]]
    expected = []
    for key in "ABCDE":
        expected += fold(None, [change for change in every if change.position_key == key])
    assert await stored(fetch) == expected


async def test_a_correction_that_takes_the_only_transfer_left_falls_back_to_what_was_kept(
    database: Database, writer: Writer, make: Any, fetch: Any, epoch: int
) -> None:
    for day, free in ((0, 5), (9, 7)):
        batch = make.batch(
            at(day), at(day), [make.transfer(at(day), free=free)], [make.balance(at(day), free=free)]
        )
        await writer.commit(batch, epoch=epoch)
    assert await keeping(database, "*=4").keep(noon(make, 9))
    assert await fetch("SELECT slot FROM perps.transfers") == [(at(9),)]
    await writer.rewrite_slots([at(9)], make.batch(at(9), at(9)), epoch=epoch)
    assert await fetch("SELECT free, updated_slot FROM perps.balances") == [(5, at(0))]
