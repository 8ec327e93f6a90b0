"""A backfill that is killed again and again, beside live indexing, ends complete and fetches nothing twice."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import httpx2
import pytest
from tests.endtoend.comparison import as_stored, differences, read_tables
from tests.endtoend.indexing import PATIENCE_S, caught_up
from tests.faults.cluster import Cluster, cluster
from tests.faults.killing import Lives, write_config
from tests.faults.sizes import sizes
from tests.faults.witness import LateWitness

from heliograph_core.intervals import SlotSet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream, get_stream, read_coverage

SIZES = sizes()
LIFE_TRANSACTIONS = (100, 2_500) if SIZES.long else (50, 200)
"""Fewest and most transactions that a backfill fetches before it is killed: as many kills on any machine."""
MOST_LIVES = 10 + SIZES.backfill_slots // 20
HAND = 100
"""The default of heal.hand_transactions."""
_POLL_S = 0.02


@pytest.mark.parametrize("hand", [1, HAND])
async def test_a_killed_backfill_is_complete_and_fetched_nothing_twice_but_what_was_in_hand(
    database: Database, database_url: str, tmp_path: Path, hand: int
) -> None:
    """hand: transactions in hand; with 1 it is one slot."""
    print(f"seed {SIZES.seed}")
    dice = random.Random(SIZES.seed)
    settings = LocalnetSettings(
        seed=SIZES.seed,
        rate=8,
        traders=40,
        symbols=("SOL-PERP", "BTC-PERP"),
        funding_interval_seconds=10,
        jump_probability=0.1,
    )
    async with cluster(settings) as chain:
        now = await chain.step(SIZES.backfill_slots)
        counts = await chain.count_fetches()
        stream = await add_stream(
            database, settings.stream, protocol="godark", programs=chain.programs, first_slot=now + 1
        )
        for name in ("live", "history"):
            (tmp_path / name).mkdir()
            write_config(
                tmp_path / name,
                chain.rpc_url,
                chain.ws_url,
                database_url,
                "[indexer]\nwake_on_slot = true\nreconcile_interval_s = 1.0",
                f"[heal]\nclaim_ttl_s = 1.0\npoll_s = 0.2\nhand_transactions = {hand}",
            )
        # What is not final would be left to live indexing, and the range would end there.
        await chain.step(settings.finalized_lag + 2)
        live = Lives(tmp_path / "live", "index")
        history = Lives(
            tmp_path / "history",
            "backfill",
            stream.name,
            "--from",
            str(settings.first_slot),
            "--to",
            str(now),
        )
        witness = LateWitness(database, stream, chain.confirmed, SIZES.seed)
        watching = asyncio.create_task(witness.run())
        began = time.monotonic()
        try:
            live.start()
            await chain.run()
            in_hand, in_hand_transactions, ended = [0], [0], False
            complete_through = -1
            while not ended:
                assert history.count < MOST_LIVES
                assert not watching.done(), watching.result()
                before = await read_coverage(database, stream.name)
                await chain.forget_fetches(dice.randint(*LIFE_TRANSACTIONS))
                history.start()
                ended = await _lives_through(history, chain)
                await _read_what_was_sent(chain.rpc_url)
                asked = await chain.fetched()
                doubled = [slot for slot in asked if slot in before]
                assert doubled == [], (
                    f"after {history.count} kills slots were fetched that were covered: {doubled[:5]}"
                )
                after = await read_coverage(database, stream.name)
                in_hand.append(len([slot for slot in asked if slot not in after]))
                in_hand_transactions.append(sum(counts[slot] for slot in asked if slot not in after))
                # However far back history reaches by now, what was complete stays complete.
                row = await get_stream(database, stream.name)
                assert row is not None
                through = after.through(row.first_slot)
                assert through is None or through >= complete_through
                complete_through = through or complete_through
            backfill = history.process
            assert backfill.process.returncode == 0, backfill.stderr
            assert f"slots {settings.first_slot}..{now} of godark are complete" in backfill.stdout
            took_s = time.monotonic() - began
            last = await chain.halt()
            row = await get_stream(database, stream.name)
            assert row is not None and row.first_slot == settings.first_slot
            await caught_up(database, row, last, accounts=True)
            await live.stop()
        finally:
            live.end()
            history.end()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        truth = as_stored(await chain.truth(last))
    async with database.acquire() as connection:
        stored = await read_tables(connection, stream.name)
        origins = await connection.fetch(
            "SELECT origin, first_slot, last_slot FROM heliograph.commits WHERE kind = 'apply'"
        )
    told = differences(truth, stored)
    print(
        f"{SIZES.backfill_slots} slots, {history.count} kills, {len(truth['heliograph.transactions'])} transactions in "
        f"{took_s:.0f} s; fetched again after a kill at most {max(in_hand)} slots with {max(in_hand_transactions)} "
        f"transactions, {sum(in_hand)} slots in all; {last - now} live slots beside it; {witness.samples} samples"
    )
    assert not told, told
    witness.end(truth)
    assert history.count > 1, "nothing was killed"
    most = max(counts.values())
    if hand == 1:
        assert max(in_hand) <= 1
    assert max(in_hand_transactions) <= hand + 2 * most
    filled = SlotSet((one["first_slot"], one["last_slot"]) for one in origins if one["origin"] == "backfill")
    assert filled.ranges == ((settings.first_slot, now),)
    assert (
        sum(one["last_slot"] - one["first_slot"] + 1 for one in origins) == last + 1 - settings.first_slot
    ), "a slot was written twice"


async def _read_what_was_sent(url: str) -> None:
    """A node that answers somebody new has read what the killed process sent: it is not taken for the next life's."""
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
        answer = await client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "getSlot"})
        assert answer.json()["result"] > 0


async def _lives_through(history: Lives, chain: Cluster) -> bool:
    """Whether it came to its end by itself; else it is killed once it has fetched enough."""
    process = history.process.process
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if process.poll() is not None:
                return True
            if await chain.fetched_enough():
                break
            await asyncio.sleep(_POLL_S)
        process.kill()
        # It may have come to its end just before the signal; its status tells.
        status = await asyncio.to_thread(process.wait)
    history.count += status < 0
    return status >= 0
