"""A stream is of one cluster: another one is refused, and nothing of it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heliograph_backfill.job import BackfillJob
from heliograph_core.errors import RpcRefused
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.settings import IndexerSettings, RpcSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, get_stream, read_coverage

GODARK = PROTOCOLS["godark"]


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=1, rate=20)) as net:
        yield net


@pytest.fixture
async def other() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=2, rate=20)) as other:
        await other.step(20)
        yield other


@pytest.fixture
async def stream(database: Database, net: Localnet) -> StreamRow:
    first = net.settings.first_slot
    return await add_stream(
        database, "godark", protocol="godark", programs=list(net.programs), first_slot=first
    )


def settings(net: Localnet, **changes: Any) -> IndexerSettings:
    limits = RpcSettings(attempts=2, backoff_s=0.005, backoff_max_s=0.02, rest_s=0.05, health_interval_s=0.1)
    chosen = {"rpc_url": net.rpc_url, "ws_url": net.ws_url, "rpc": limits, "poll_interval_s": 0.05}
    return IndexerSettings(**{**chosen, "retry_s": 0.01, "retry_max_s": 0.05, **changes})


async def index_a_little(database: Database, stream: StreamRow, net: Localnet, **changes: Any) -> Indexer:
    """Until everything that is confirmed now is committed."""
    await net.step(12)
    wanted = net.chain.slot_at(Commitment.CONFIRMED)
    indexer = Indexer(database, stream, GODARK, settings(net, **changes))
    running = asyncio.create_task(indexer.run())
    async with asyncio.timeout(30):
        while (indexer.status.committed_slot or 0) < wanted:
            if running.done():
                running.result()
            await asyncio.sleep(0.01)
    await indexer.stop()
    await running
    return indexer


async def test_the_first_use_binds(database: Database, stream: StreamRow, net: Localnet) -> None:
    assert stream.genesis is None
    await index_a_little(database, stream, net)
    bound = await get_stream(database, "godark")
    assert bound is not None
    assert bound.genesis == net.chain.genesis_hash


async def test_another_cluster_is_refused_by_name_and_writes_nothing(
    database: Database, stream: StreamRow, net: Localnet, other: Localnet
) -> None:
    await index_a_little(database, stream, net)
    before = await read_coverage(database, "godark"), await accounts(database)
    with pytest.raises(RpcRefused) as refused:
        async with asyncio.timeout(30):
            await Indexer(database, stream, GODARK, settings(other)).run()
    for word in (other.rpc_url, "'godark'", net.chain.genesis_hash, other.chain.genesis_hash):
        assert word in str(refused.value)
    assert before == (await read_coverage(database, "godark"), await accounts(database))


async def test_another_cluster_that_takes_over_the_address_is_refused_too(
    database: Database, stream: StreamRow, net: Localnet
) -> None:
    indexer = Indexer(database, stream, GODARK, settings(net))
    running = asyncio.create_task(indexer.run())
    await net.step(12)
    async with asyncio.timeout(30):
        while indexer.status.committed_slot is None:
            if running.done():
                running.result()
            await asyncio.sleep(0.01)
    stored = await accounts(database)
    await net.stop()
    port = int(net.rpc_url.rpartition(":")[2])
    async with Localnet(LocalnetSettings(seed=2, rate=20, port=port)) as successor:
        await successor.step(40)
        with pytest.raises(RpcRefused, match=successor.chain.genesis_hash):
            async with asyncio.timeout(30):
                await running
    assert await accounts(database) >= stored
    assert not await accounts(database) & {
        address for address, _ in successor.chain.accounts.owned_by(net.programs[0], 500_000_000)
    } - {address for address, _ in net.chain.accounts.owned_by(net.programs[0], 500_000_000)}


async def test_one_endpoint_of_another_cluster_is_left_out_and_said_so(
    database: Database, stream: StreamRow, net: Localnet, other: Localnet
) -> None:
    await index_a_little(database, stream, net)
    # The foreign one is preferred, and would bind the pool if the stream did not.
    both = {"rpc_url": other.rpc_url, "rpc_urls": (net.rpc_url,), "ws_urls": (net.ws_url,)}
    indexer = await index_a_little(database, stream, net, **both)
    assert "of another cluster than stream 'godark'" in (indexer.status.trouble or "")
    assert other.rpc_url in (indexer.status.trouble or "")
    through = (await read_coverage(database, "godark")).through(stream.first_slot)
    assert through is not None and through >= net.chain.slot_at(Commitment.CONFIRMED)


async def test_a_backfill_refuses_another_cluster(
    database: Database, stream: StreamRow, net: Localnet, other: Localnet
) -> None:
    await index_a_little(database, stream, net)
    chosen = settings(other)
    async with Pool.open(chosen.endpoint_urls, chosen.rpc) as pool:
        first = stream.first_slot - 5
        job = BackfillJob(
            database, stream, GODARK, chosen, Cluster(pool), first=first, last=first + 4, holder="test"
        )
        with pytest.raises(RpcRefused, match=net.chain.genesis_hash):
            await job.run()


async def accounts(database: Database) -> set[str]:
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT address FROM heliograph.accounts")
    return {row["address"] for row in rows}
