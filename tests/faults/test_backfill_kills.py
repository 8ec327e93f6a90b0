"""A backfill that is killed again and again, beside live indexing, ends complete and fetches nothing twice."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from tests.cli.process import Heliograph
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.fetched import Fetched
from tests.endtoend.indexing import PATIENCE_S, caught_up, indexing
from tests.faults.sizes import sizes
from tests.faults.witness import witnessing

from heliograph_core.intervals import SlotSet
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream, get_stream, read_coverage

GODARK = PROTOCOLS["godark"]
SIZES = sizes()
LIFE_TRANSACTIONS = (100, 1_500) if SIZES.long else (50, 200)
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
    seed = SIZES.seed
    print(f"seed {seed}")
    dice = random.Random(seed)
    settings = LocalnetSettings(
        seed=seed,
        rate=8,
        traders=40,
        symbols=("SOL-PERP", "BTC-PERP"),
        funding_interval_seconds=10,
        jump_probability=0.1,
    )
    async with Localnet(settings) as localnet:
        await localnet.step(SIZES.backfill_slots)
        now = localnet.chain.slot_at(Commitment.CONFIRMED)
        stream = await add_stream(
            database,
            settings.stream,
            protocol=GODARK.name,
            programs=localnet.programs,
            first_slot=now + 1,
        )
        (tmp_path / "heliograph.toml").write_text(
            f'rpc = {{ url = "{localnet.rpc_url}", ws_url = "{localnet.ws_url}" }}\n'
            f'database = "{database_url}"\n'
            f"[heal]\nclaim_ttl_s = 1.0\npoll_s = 0.2\nhand_transactions = {hand}\n"
        )
        arguments = ("backfill", stream.name, "--from", str(settings.first_slot), "--to", str(now))
        fetched = Fetched(localnet)
        indexer = indexing(database, stream, GODARK, _settings(localnet))
        began = time.monotonic()
        async with (
            witnessing(database, localnet, stream, seed) as witness,
            indexer,
            asyncio.TaskGroup() as tasks,
        ):
            producing = tasks.create_task(localnet.run())
            # What is not final is left to live indexing, and the range ends there.
            await _final(localnet, now)
            lives, in_hand, in_hand_transactions, ended = 0, [0], [0], False
            complete_through = -1
            while not ended:
                lives += 1
                assert lives < MOST_LIVES
                before = await read_coverage(database, stream.name)
                fetched.restart(dice.randint(*LIFE_TRANSACTIONS))
                backfill = Heliograph(tmp_path, arguments)
                ended = await _lives_through(backfill, fetched)
                asked = fetched.slots()
                doubled = [slot for slot in asked if slot in before]
                assert doubled == [], f"life {lives} fetched slots that were covered: {doubled[:5]}"
                after = await read_coverage(database, stream.name)
                in_hand.append(len([slot for slot in asked if slot not in after]))
                in_hand_transactions.append(sum(fetched.counts[slot] for slot in asked if slot not in after))
                # However far back history reaches by now, what was complete stays complete.
                row = await get_stream(database, stream.name)
                assert row is not None
                through = after.through(row.first_slot)
                assert through is None or through >= complete_through
                complete_through = through or complete_through
            assert backfill.process.returncode == 0, backfill.stderr
            assert f"slots {settings.first_slot}..{now} of godark are complete" in backfill.stdout
            producing.cancel()
            await asyncio.wait({producing})
            last = localnet.chain.slot_at(Commitment.CONFIRMED)
            row = await get_stream(database, stream.name)
            assert row is not None and row.first_slot == settings.first_slot
            took_s = time.monotonic() - began
            await caught_up(database, row, last, accounts=True)
            await _settled(database)
            await witness.sample()
        truth = localnet.truth(last)
    for market in truth["perps.markets"]:
        del market["account_slot"]
    async with database.acquire() as connection:
        stored = await read_tables(connection, stream.name)
        origins = await connection.fetch(
            "SELECT origin, first_slot, last_slot FROM heliograph.commits WHERE kind = 'apply'"
        )
    told = differences(truth, stored)
    print(
        f"{SIZES.backfill_slots} slots, {lives - 1} kills, {len(truth['heliograph.transactions'])} transactions in "
        f"{took_s:.0f} s; fetched again after a kill at most {max(in_hand)} slots with {max(in_hand_transactions)} "
        f"transactions, {sum(in_hand)} slots in all; {witness.samples} samples"
    )
    assert not told, told
    assert lives > 2, "nothing was killed"
    most = max(fetched.counts.values())
    if hand == 1:
        assert max(in_hand) <= 1
    assert max(in_hand_transactions) <= hand + 2 * most
    filled = SlotSet((one["first_slot"], one["last_slot"]) for one in origins if one["origin"] == "backfill")
    assert filled.ranges == ((settings.first_slot, now),)


async def _lives_through(backfill: Heliograph, fetched: Fetched) -> bool:
    """Whether it came to its end by itself; else it is killed once it has fetched enough."""
    ended = asyncio.create_task(asyncio.to_thread(backfill.process.wait))
    enough = asyncio.create_task(fetched.enough.wait())
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait({ended, enough}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            backfill.process.kill()
        # It may have come to its end just before the signal; its status tells.
        status = await ended
    enough.cancel()
    return status >= 0


async def _final(localnet: Localnet, slot: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if localnet.chain.slot_at(Commitment.FINALIZED) >= slot:
                return
            await asyncio.sleep(_POLL_S)


async def _settled(database: Database) -> None:
    async with asyncio.timeout(PATIENCE_S), database.acquire() as connection:
        while True:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM heliograph.dirty)"):
                return
            await asyncio.sleep(_POLL_S)


def _settings(localnet: Localnet) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=localnet.rpc_url, ws_url=localnet.ws_url, wake_on_slot=True, reconcile_interval_s=1.0
    )
