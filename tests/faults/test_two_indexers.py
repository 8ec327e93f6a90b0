"""Two indexers of one stream: one leads, the other takes over when the first is stopped, and the woken one cannot write."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest
from tests.endtoend.indexing import PATIENCE_S, caught_up
from tests.faults.killing import Lives, write_config
from tests.faults.moments import Kind, Moment, Moments, draw
from tests.faults.sizes import sizes
from tests.faults.witness import witnessing

from heliograph_core.intervals import SlotSet
from heliograph_indexer.filling import Filler
from heliograph_indexer.pieces import Order
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, get_stream, read_coverage

SIZES = sizes()
LEASE_S = 1.5
MOST_TAKEOVER_S = 30.0
"""From the stop of one to rows of the other: seconds, with room for a machine that does much else."""
_POLL_S = 0.02


@pytest.mark.parametrize("kind", ["call", "lock"])
async def test_the_other_takes_over_from_a_stopped_indexer_which_cannot_write_when_it_wakes(
    database: Database, database_url: str, tmp_path: Path, kind: Kind
) -> None:
    """lock: it is stopped between its last statement and its commit."""
    print(f"seed {SIZES.seed}")
    dice = random.Random(SIZES.seed)
    settings = LocalnetSettings(seed=SIZES.seed, funding_interval_seconds=10, jump_probability=0.1)
    async with Localnet(settings) as localnet:
        stream = await _stream(database, localnet)
        both = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            write_config(
                tmp_path / name,
                localnet.rpc_url,
                localnet.ws_url,
                database_url,
                f"[indexer]\nwake_on_slot = true\nreconcile_interval_s = 1.0\nlease_ttl_s = {LEASE_S}",
            )
            both.append(Lives(tmp_path / name, "index", "--verbose"))
        moments = Moments(database, localnet, stream.name)
        async with witnessing(database, localnet, stream, SIZES.seed) as witness:
            producing = asyncio.create_task(localnet.run())
            try:
                for each in both:
                    each.start()
                leader = await _led_by(database, stream, {each.pid for each in both})
                first, second = sorted(both, key=lambda each: each.pid != leader)
                moment = draw(dice, (kind,)) if kind == "call" else Moment("lock", 1, 0)
                async with moments.reached(moment):
                    first.process.process.send_signal(signal.SIGSTOP)
                stopped = time.monotonic()
                epoch = await _epoch(database, stream)
                assert await _led_by(database, stream, {second.pid}) == second.pid
                covered = len(await read_coverage(database, stream.name))
                while True:
                    if len(await read_coverage(database, stream.name)) > covered:
                        break
                    await asyncio.sleep(_POLL_S)
                took_s = time.monotonic() - stopped
                await asyncio.sleep(max(0.0, SIZES.pause_s - took_s))
                first.process.process.send_signal(signal.SIGCONT)
                # It learns that it leads no longer, and waits; the epoch is the second's.
                await _says(first, "lease_lost")
                assert await _led_by(database, stream, {second.pid}) == second.pid
                assert await _epoch(database, stream) == epoch + 1
                # And it is of use: the next to lead.
                await second.kill()
                died = time.monotonic()
                assert await _led_by(database, stream, {first.pid}) == first.pid
                took_over_s = time.monotonic() - died
                producing.cancel()
                await asyncio.wait({producing})
                last = localnet.chain.slot_at(Commitment.CONFIRMED)
                await caught_up(database, stream, last, accounts=True)
                await first.stop()
            finally:
                producing.cancel()
                for each in both:
                    each.end()
            await witness.end(last)
    assert took_s < MOST_TAKEOVER_S and took_over_s < MOST_TAKEOVER_S
    print(
        f"rows of the other came {took_s:.1f} s after the stop, and {took_over_s:.1f} s after a kill it led, with a lease of "
        f"{LEASE_S} s; {witness.samples} samples"
    )


async def test_two_healers_that_meet_never_double_a_slot(database: Database) -> None:
    settings = LocalnetSettings(seed=SIZES.seed, rate=40, funding_interval_seconds=10)
    async with Localnet(settings) as localnet:
        stream = await _stream(database, localnet)
        await localnet.step(120)
        last = localnet.chain.slot_at(Commitment.FINALIZED)
        async with witnessing(database, localnet, stream) as witness, RpcClient(localnet.rpc_url) as client:

            async def fill(name: str, order: str) -> None:
                ordered = IndexerSettings(
                    rpc_url=localnet.rpc_url,
                    heal=HealSettings(piece_slots=16, batch_rows=50, poll_s=0.05, order=order),  # type: ignore[arg-type]
                )
                filler = Filler(
                    database,
                    stream,
                    PROTOCOLS["godark"],
                    ordered,
                    Cluster(client),
                    holder=name,
                    origin="heal",
                )
                while True:
                    step = await filler.advance(stream.first_slot, last)
                    if not step.left:
                        return
                    await asyncio.sleep(step.wait_s)

            # From both ends towards each other, and two that begin at the same one.
            orders: tuple[Order, ...] = ("newest", "newest", "oldest", "oldest")
            await asyncio.gather(*(fill(f"{order} {at}", order) for at, order in enumerate(orders)))
            assert (await read_coverage(database, stream.name)).ranges == ((stream.first_slot, last),)
            await witness.sample()
        async with database.acquire() as connection:
            commits = await connection.fetch("SELECT first_slot, last_slot FROM heliograph.commits")
            written = await connection.fetch(
                "SELECT slot, count(*) FROM heliograph.slots GROUP BY slot HAVING count(*) > 1"
            )
    covered = SlotSet((one["first_slot"], one["last_slot"]) for one in commits)
    assert sum(one["last_slot"] - one["first_slot"] + 1 for one in commits) == len(covered), (
        "a slot was written twice"
    )
    assert not written


async def _stream(database: Database, localnet: Localnet) -> StreamRow:
    return await add_stream(
        database,
        localnet.settings.stream,
        protocol="godark",
        programs=localnet.programs,
        first_slot=localnet.settings.first_slot,
    )


async def _led_by(database: Database, stream: StreamRow, processes: set[int]) -> int:
    """The process that leads, once it is one of these: a holder is host:process:…"""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            row = await get_stream(database, stream.name)
            assert row is not None
            if row.led and row.leader is not None and int(row.leader.split(":")[1]) in processes:
                return int(row.leader.split(":")[1])
            await asyncio.sleep(_POLL_S)


async def _epoch(database: Database, stream: StreamRow) -> int:
    row = await get_stream(database, stream.name)
    assert row is not None
    return row.epoch


async def _says(lives: Lives, event: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if event in lives.process.stderr:
                return
            await asyncio.sleep(_POLL_S)
