"""Slots rewritten whole: nothing of the old ones stays, and what was derived from them follows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from heliograph_core.errors import LeaseLost, WriteConflict
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.writer import Writer


@pytest.fixture
async def written(writer: Writer, make: Any) -> Writer:
    records = [
        *(make.trade(slot) for slot in (1, 2, 3)),
        *(
            make.change(slot, ("open", "increase", "close")[slot - 1], 3 - slot, ordinal=1)
            for slot in (1, 2, 3)
        ),
        *(make.transfer(slot, free=slot) for slot in (1, 2, 3)),
    ]
    states = [make.market(2), *(make.balance(slot, free=slot) for slot in (1, 2, 3))]
    await writer.commit(make.batch(1, 3, records, states), epoch=None)
    return writer


async def test_old_rows_go_and_new_ones_come_in_one_commit(written: Writer, make: Any, fetch: Any) -> None:
    new = make.batch(2, 2, [make.trade(2, tx_index=5)], [make.market(2, symbol="NEW")])
    assert await written.rewrite_slots([2], new, epoch=None) == 2
    assert await fetch("SELECT slot, tx_index FROM perps.trades ORDER BY slot") == [(1, 0), (2, 5), (3, 0)]
    assert await fetch("SELECT slot FROM perps.position_changes ORDER BY slot") == [(1,), (3,)]
    assert await fetch("SELECT signature FROM heliograph.signatures WHERE slot = 2") == [("sig2-5",)]
    assert await fetch("SELECT signature FROM heliograph.transactions WHERE slot = 2") == [("sig2-5",)]
    assert await fetch("SELECT slot, seq FROM heliograph.slots ORDER BY slot") == [(1, 1), (2, 2), (3, 1)]
    assert await fetch("SELECT symbol FROM perps.markets") == [("NEW",)]
    assert await fetch(
        "SELECT kind, first_slot, last_slot, row_count FROM heliograph.commits WHERE seq = 2"
    ) == [("correct", 2, 2, 2)]


async def test_a_correction_says_when_what_it_took_back_was(
    written: Writer, make: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = "SELECT first_time, last_time FROM heliograph.commits ORDER BY seq DESC LIMIT 1"
    old = make.time(3)
    monkeypatch.setattr(make, "time", lambda slot: old + 90)
    await written.rewrite_slots([3], make.batch(3, 3, [make.trade(3)]), epoch=None)
    assert await fetch(times) == [tuple(datetime.fromtimestamp(at, UTC) for at in (old, old + 90))]
    await written.rewrite_slots([3], make.batch(3, 3), epoch=None)
    assert await fetch(times) == [tuple(datetime.fromtimestamp(at, UTC) for at in (old + 90, old + 90))]


async def test_an_emptied_slot_keeps_its_number(written: Writer, make: Any, fetch: Any) -> None:
    await written.rewrite_slots([3], make.batch(3, 3), epoch=None)
    assert await fetch("SELECT slot, seq, blockhash FROM heliograph.slots ORDER BY slot") == [
        (1, 1, "hash1"),
        (2, 1, "hash2"),
        (3, 2, None),
    ]
    assert await fetch("SELECT max(slot) FROM perps.trades") == [(2,)]


async def test_balances_fall_back_to_the_latest_that_is_left(written: Writer, make: Any, fetch: Any) -> None:
    await written.rewrite_slots([3], make.batch(3, 3), epoch=None)
    assert await fetch("SELECT free, updated_slot FROM perps.balances") == [(2, 2)]
    await written.rewrite_slots([1, 2], make.batch(1, 2), epoch=None)
    assert await fetch("SELECT free FROM perps.balances") == []
    again = make.batch(2, 2, [make.transfer(2, free=8)], [make.balance(2, free=8)])
    await written.rewrite_slots([2], again, epoch=None)
    assert await fetch("SELECT free, updated_slot FROM perps.balances") == [(8, 2)]


async def test_positions_follow(written: Writer, make: Any, fetch: Any, database: Database) -> None:
    epoch = await Lease(database, "s", "leader").acquire()
    assert epoch is not None
    await written.refold(epoch=epoch)
    assert await fetch("SELECT status, changes FROM perps.positions") == [("closed", 3)]
    await written.rewrite_slots([3], make.batch(3, 3), epoch=epoch)
    assert await fetch("SELECT settled FROM perps.positions") == [(False,)]
    await written.refold(epoch=epoch)
    assert await fetch("SELECT status, changes, settled FROM perps.positions") == [("open", 2, True)]
    await written.rewrite_slots([1, 2], make.batch(1, 2), epoch=epoch)
    assert await written.refold(epoch=epoch) is not None
    assert await fetch("SELECT count(*) FROM perps.positions") == [(0,)]


async def test_a_market_that_was_never_created_goes(written: Writer, make: Any, fetch: Any) -> None:
    await written.rewrite_slots([2], make.batch(2, 2), epoch=None)
    assert await fetch("SELECT count(*) FROM perps.markets") == [(0,)]


async def test_rows_below_another_time_are_found(written: Writer, make: Any, fetch: Any) -> None:
    """A block whose time differs from the one that was replaced."""
    make.time = lambda slot: 1_800_000_000 + slot
    await written.rewrite_slots([2], make.batch(2, 2, [make.trade(2)]), epoch=None)
    assert await fetch("SELECT count(*), max(block_time)::date::text FROM perps.trades WHERE slot = 2") == [
        (1, "2027-01-15")
    ]
    await written.rewrite_slots([2], make.batch(2, 2), epoch=None)
    assert await fetch("SELECT count(*) FROM perps.trades WHERE slot = 2") == [(0,)]


async def test_a_refused_row_does_not_stop_a_correction(written: Writer, make: Any, fetch: Any) -> None:
    new = make.batch(2, 2, [make.trade(2), make.trade(2, ordinal=1, taker_side="up")])
    assert await written.rewrite_slots([2], new, epoch=None) == 2
    assert await fetch("SELECT ordinal FROM heliograph.undecoded") == [(1,)]


async def test_slots_that_are_not_covered_cannot_be_corrected(written: Writer, make: Any, fetch: Any) -> None:
    with pytest.raises(WriteConflict, match="not all of slots"):
        await written.rewrite_slots([3, 4], make.batch(3, 4), epoch=None)
    assert await fetch("SELECT max(slot) FROM perps.trades") == [(3,)]


async def test_a_batch_may_not_write_beside_the_slots_it_rewrites(written: Writer, make: Any) -> None:
    with pytest.raises(ValueError, match=r"slots \[3\]"):
        await written.rewrite_slots([2], make.batch(2, 3, [make.trade(3)]), epoch=None)
    with pytest.raises(ValueError):
        await written.rewrite_slots([], make.batch(2, 3), epoch=None)


async def test_an_old_epoch_corrects_nothing(written: Writer, make: Any, fetch: Any) -> None:
    with pytest.raises(LeaseLost):
        await written.rewrite_slots([3], make.batch(3, 3), epoch=7)
    assert await fetch("SELECT max(slot) FROM perps.trades") == [(3,)]


async def test_a_final_correction_is_an_audit(written: Writer, make: Any, fetch: Any) -> None:
    await written.rewrite_slots([2, 3], make.batch(2, 3, final=True), epoch=None)
    assert await fetch("SELECT audited::text FROM heliograph.coverage") == [("{[2,4)}",)]
