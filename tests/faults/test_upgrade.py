"""A program upgrade that changes an event's layout in the middle of a run, while blocks are dropped around it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.faults.run import GODARK, FaultRun, fault_run

from heliograph_indexer.new_idl import Arrived, add_new_idl
from heliograph_localnet.addresses import POSITIONS, POSITIONS_IDL
from heliograph_localnet.encoding import Speech
from heliograph_sql.database import Database

CHANGED = ("OrderFilled", "PositionUpdated")
"""One event that only makes rows, and one that positions are folded from."""
ADDED: dict[str, dict[str, object]] = {name: {"venue": 3, "rebate": 5} for name in CHANGED}


def upgraded() -> bytes:
    """The IDL after the upgrade: a field in the middle of the two events and one at their end."""
    document = json.loads(POSITIONS_IDL)
    for each in document["types"]:
        if each["name"] in CHANGED:
            each["type"]["fields"].insert(3, {"name": "venue", "type": "u8"})
            each["type"]["fields"].append({"name": "rebate", "type": "u64"})
    return json.dumps(document).encode()


@pytest.mark.parametrize("off_by", [0, -4, 4], ids=["at its slot", "too early", "too late"])
async def test_with_the_new_idl_known_no_row_is_lost_on_either_side(database: Database, off_by: int) -> None:
    async with fault_run(database, seed=91) as run:
        async with run.indexer():
            await run.trade(4)
        first, _ = run.localnet.upgrade(upgraded(), ADDED)
        await _add(run, first + off_by)
        async with run.indexer():
            await _trade_across(run)
            await run.end()
        assert await _count(run, "SELECT count(*) FROM heliograph.undecoded") == 0
        await _require_both_layouts(run, first)


async def test_until_the_new_idl_is_known_the_bytes_wait_and_nothing_else_is_lost(database: Database) -> None:
    async with fault_run(database, seed=92) as run:
        async with run.indexer():
            await run.trade(4)
            first, speech = run.localnet.upgrade(upgraded(), ADDED, known=False)
            await _trade_across(run)
            # What a fork took away is corrected before: late rows of a block that is gone would be its rows too.
            last = await run.settle()
        waiting = await _count(run, "SELECT count(*) FROM heliograph.undecoded")
        assert waiting > 0
        told = await _count(run, "SELECT count(*) FROM heliograph.incidents WHERE kind = 'undecoded'")
        assert told > 0
        arrived = await _known(run, first, speech)
        # What stood in blocks that were dropped meanwhile is gone with them.
        assert 0 < arrived.decoded <= waiting and arrived.left == 0
        await run.witness.sample()
        async with run.indexer():
            await run.caught_up()
            await run.trade(4)
            assert run.localnet.chain.open_slot > last
            await run.end()
        assert await _count(run, "SELECT count(*) FROM heliograph.undecoded") == 0
        await _require_both_layouts(run, first)


async def _trade_across(run: FaultRun) -> None:
    """Trades, and drops blocks from both sides of the upgrade and later ones."""
    await run.trade(2)
    await run.chaos.round(wait=False)
    await run.trade(6)
    await run.chaos.round()
    await run.trade(3)


async def _add(run: FaultRun, first_slot: int) -> Arrived:
    return await add_new_idl(
        run.database,
        run.stream.name,
        GODARK,
        program=POSITIONS,
        first_slot=first_slot,
        document=upgraded(),
        holder="test",
    )


async def _known(run: FaultRun, first_slot: int, speech: Speech) -> Arrived:
    def learn() -> None:
        speech.known = True

    # First: from the moment on at which the database says it, it must be true.
    run.witness.retell(learn)
    return await _add(run, first_slot)


async def _require_both_layouts(run: FaultRun, first: int) -> None:
    """Rows of before say nothing of the new fields, rows of after say what the program said."""
    for table in ("order_filled", "position_updated"):
        before = (
            f"SELECT count(*) FROM godark.{table} WHERE slot < {first} AND venue IS NULL AND rebate IS NULL"
        )
        after = f"SELECT count(*) FROM godark.{table} WHERE slot >= {first} AND venue = 3 AND rebate = 5"
        whole = await _count(run, f"SELECT count(*) FROM godark.{table}")
        parts: list[Any] = [await _count(run, query) for query in (before, after)]
        assert min(parts) > 0 and sum(parts) == whole, (table, parts, whole)


async def _count(run: FaultRun, query: str) -> int:
    async with run.database.acquire() as connection:
        found = await connection.fetchval(query)
    assert isinstance(found, int)
    return found
