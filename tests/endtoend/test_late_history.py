"""History that comes late, in whatever order, leaves the tables that indexing in order leaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.latency import Latency, percentile
from tests.endtoend.serving import serving
from tests.endtoend.subscriber import subscriber

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_indexer.filling import Filler
from heliograph_indexer.pieces import pieces
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.streams import StreamRow, add_stream, read_coverage
from heliograph_sql.writer import Writer

SEED = 20_261_121
GODARK = PROTOCOLS["godark"]
OUTAGE_SLOTS = 1_500
"""Slots without an indexer. How late live rows are meanwhile is judged in tests/faults/test_healing_latency.py."""
_POLL_S = 0.02


async def test_a_long_gap_is_healed_while_live_rows_come_at_once(database: Database) -> None:
    localnet_settings = _localnet_settings(rate=12)
    async with Localnet(localnet_settings) as localnet, AsyncExitStack() as running:
        stream = await _stream(database, localnet)
        settings = _settings(localnet)
        async with indexing(database, stream, GODARK, settings):
            await localnet.step(60)
            await caught_up(database, stream, _confirmed(localnet))
        await localnet.step(OUTAGE_SLOTS)
        began = _confirmed(localnet)
        indexer = await running.enter_async_context(indexing(database, stream, GODARK, settings))
        latency = Latency(localnet.chain, lambda: indexer.status.committed_slot)
        tasks = await running.enter_async_context(asyncio.TaskGroup())
        beside = [tasks.create_task(localnet.run()), tasks.create_task(latency.run())]
        loop = asyncio.get_running_loop()
        start = loop.time()
        await caught_up(database, stream, began, timeout_s=60 + OUTAGE_SLOTS / 50)
        healed_in = loop.time() - start
        during = [*latency.seconds]
        # A few more slots, so that the end of the gap is not the end of the measurement.
        target = _confirmed(localnet) + 8
        await caught_up(database, stream, target, timeout_s=60)
        for task in beside:
            task.cancel()
        last = _confirmed(localnet)
        await caught_up(database, stream, last, accounts=True)
        await _met(lambda: indexer.status.healing is not None and indexer.status.healing.gaps == 0)
        healing = indexer.status.healing
        assert healing is not None
        await _settled(database)
        told = await _told(database, localnet, last)
    print(
        f"{OUTAGE_SLOTS} slots, {healing.transactions} transactions healed in {healed_in:.1f} s; live meanwhile: "
        f"{len(during)} slots, p50 {percentile(during, 0.5) * 1000:.0f} ms, p99 {percentile(during, 0.99) * 1000:.0f} ms"
    )
    assert not told, told
    assert healing.healed_slots >= OUTAGE_SLOTS
    assert healing.healed_gaps == 1
    assert len(during) >= 5, "live did not run beside the healer"


async def test_history_in_random_order_gives_what_folding_in_order_gives(database: Database) -> None:
    """Pieces of random places, by two writers who lead nothing; the leader folds what they marked now and then."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    async with Localnet(_localnet_settings(rate=60)) as localnet:
        stream = await _stream(database, localnet)
        await localnet.step(150)
        last = _confirmed(localnet)
        lease = Lease(database, stream.name, "leader", ttl_s=600)
        epoch = await lease.acquire()
        assert epoch is not None
        leader = Writer(database, stream.name, "leader")
        incomplete = 0
        async with RpcClient(localnet.rpc_url) as client:
            cluster = Cluster(client)
            settings = _settings(localnet, piece_slots=7)
            fillers = [
                Filler(database, stream, GODARK, settings, cluster, holder=name, origin="backfill")
                for name in ("one", "two")
            ]
            coverage = await read_coverage(database, stream.name)
            todo = list(pieces(coverage.gaps(stream.first_slot, last), 7, "oldest"))
            dice.shuffle(todo)
            for at, piece in enumerate(todo):
                step = await fillers[at % 2].advance(*piece)
                assert step.piece == piece
                if dice.random() < 0.2:
                    await _refolded(leader, epoch)
                    incomplete += await _count(database, "NOT complete AND settled")
            await _refolded(leader, epoch)
        told = await _told(database, localnet, last, without_accounts=True)
        assert not told, told
        assert incomplete > 0, "no position was ever seen without its opening: the order proves nothing"
        assert await _count(database, "NOT complete OR NOT settled") == 0
        assert (await read_coverage(database, stream.name)).ranges == ((stream.first_slot, last),)


async def test_subscribers_get_what_is_healed_and_no_backfill_unless_they_ask_for_history(
    database: Database,
) -> None:
    async with Localnet(_localnet_settings(rate=60)) as localnet, AsyncExitStack() as running:
        stream = await _stream(database, localnet)
        await localnet.step(60)
        last = _confirmed(localnet)
        middle = (stream.first_slot + last) // 2
        host = await running.enter_async_context(serving(database))
        plain = await running.enter_async_context(subscriber(host))
        curious = await running.enter_async_context(subscriber(host))
        beginning = encode_stream({stream.name: StreamPosition.after(0)})
        await plain.subscribe("positionChanges", "nodes { slot }", after=beginning)
        await curious.subscribe("positionChanges", "nodes { slot }", after=beginning, history=True)
        async with RpcClient(localnet.rpc_url) as client:
            settings, cluster = _settings(localnet), Cluster(client)
            backfill = Filler(
                database, stream, GODARK, settings, cluster, holder=uuid4().hex, origin="backfill"
            )
            while (await backfill.advance(stream.first_slot, middle)).left:
                pass
            heal = Filler(database, stream, GODARK, settings, cluster, holder=uuid4().hex, origin="heal")
            while (await heal.advance(stream.first_slot, last)).left:
                pass
        slots = [row["slot"] for row in localnet.truth(last)["perps.position_changes"]]
        healed = [slot for slot in slots if slot > middle]
        assert healed and len(healed) < len(slots)
        await curious.receive({"positionChanges": len(slots)})
        await plain.receive({"positionChanges": len(healed)})
        assert sorted(int(node["slot"]) for node in plain.nodes("positionChanges")) == healed
        assert sorted(int(node["slot"]) for node in curious.nodes("positionChanges")) == slots


def _localnet_settings(**changes: Any) -> LocalnetSettings:
    chosen: dict[str, Any] = {
        "seed": SEED,
        "traders": 40,
        "funding_interval_seconds": 10,
        "jump_probability": 0.1,
    }
    return LocalnetSettings(**{**chosen, **changes})


def _settings(localnet: Localnet, **heal: Any) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=localnet.rpc_url,
        ws_url=localnet.ws_url,
        wake_on_slot=True,
        reconcile_interval_s=1.0,
        poll_interval_s=0.1,
        heal=HealSettings(**{"poll_s": 0.1, **heal}),
    )


async def _stream(database: Database, localnet: Localnet) -> StreamRow:
    return await add_stream(
        database,
        localnet.settings.stream,
        protocol=GODARK.name,
        programs=localnet.programs,
        first_slot=localnet.settings.first_slot,
    )


def _confirmed(localnet: Localnet) -> int:
    return localnet.chain.slot_at(Commitment.CONFIRMED)


async def _refolded(leader: Writer, epoch: int) -> None:
    while await leader.refold(epoch=epoch) is not None:
        pass


async def _settled(database: Database) -> None:
    """Returns once the leader has folded everything that was marked."""
    async with asyncio.timeout(30), database.acquire() as connection:
        while True:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM heliograph.dirty)"):
                return
            await asyncio.sleep(_POLL_S)


async def _met(condition: Callable[[], bool]) -> None:
    """Polls: what is waited for happens in the indexer, which tells nobody."""
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(_POLL_S)


async def _count(database: Database, condition: str) -> int:
    async with database.acquire() as connection:
        found: int = await connection.fetchval(f"SELECT count(*) FROM perps.positions WHERE {condition}")
    return found


async def _told(database: Database, localnet: Localnet, last: int, *, without_accounts: bool = False) -> str:
    """How the tables differ from the truth; empty where they do not. without_accounts: nobody has read any."""
    truth = localnet.truth(last)
    for row in truth["perps.markets"]:
        del row["account_slot"]
    async with database.acquire() as connection:
        stored = await read_tables(connection, localnet.settings.stream)
    if without_accounts:
        del truth["perps.markets"], stored["perps.markets"]
    return differences(truth, stored)
