"""History that arrives after the head was indexed: positions are incomplete until then, and afterwards as if in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up, indexing

from heliograph_indexer.decode import Layouts
from heliograph_indexer.pipeline import Pipeline
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.rpc import RpcSource
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream
from heliograph_sql.writer import Writer

GODARK = PROTOCOLS["godark"]
SEED = 77
HISTORY = 150
LIVE = 60
PART = 37
"""Slots of one step back in time."""


async def test_positions_become_complete_when_their_openings_arrive(database: Database) -> None:
    print(f"seed {SEED}")
    net_settings = LocalnetSettings(seed=SEED, rate=80, traders=40, funding_interval_seconds=10)
    async with Localnet(net_settings) as localnet, AsyncExitStack() as running:
        await localnet.step(HISTORY)
        start = localnet.chain.open_slot
        stream = await add_stream(
            database, "godark", protocol="godark", programs=localnet.programs, first_slot=start
        )
        settings = IndexerSettings(
            rpc_url=localnet.rpc_url,
            ws_url=localnet.ws_url,
            finalize_interval_s=0.05,
            reconcile_interval_s=0.5,
        )
        await localnet.step(LIVE)
        await running.enter_async_context(indexing(database, stream, GODARK, settings))
        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        await caught_up(database, stream, last)
        async with database.acquire() as connection:
            incomplete = await connection.fetchval("SELECT count(*) FROM perps.positions WHERE NOT complete")
            assert incomplete > 0
            # What is not known is not guessed.
            guessed = await connection.fetchval(
                "SELECT count(*) FROM perps.positions WHERE NOT complete AND max_size IS NOT NULL"
            )
            assert guessed == 0

        client = await running.enter_async_context(RpcClient(settings.rpc_url, settings.rpc))
        source = RpcSource(Cluster(client), localnet.programs, settings)
        writer = Writer(database, stream.name, "history")
        through = start - 1
        while through >= net_settings.first_slot:
            first = max(net_settings.first_slot, through - PART + 1)
            pipeline = Pipeline(
                database,
                stream.name,
                writer,
                GODARK,
                Layouts.of(GODARK),
                settings,
                epoch=None,
                origin="backfill",
            )
            await pipeline.run(source.spans(first, through))
            # The head goes on meanwhile.
            await localnet.step(3)
            through = first - 1

        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        await caught_up(database, stream, last, accounts=True)
        async with asyncio.timeout(30):
            while True:
                async with database.acquire() as connection:
                    if not await connection.fetchval("SELECT count(*) FROM heliograph.dirty"):
                        break
                await asyncio.sleep(0.02)
        async with database.acquire() as connection:
            stored = await read_tables(connection, stream.name)
        truth = localnet.truth(last)
        for row in truth["perps.markets"]:
            del row["account_slot"]
        told = differences(truth, stored)
        assert not told, told
        assert all(row["complete"] and row["settled"] for row in stored["perps.positions"])
