"""What a running indexer says of itself."""

from __future__ import annotations

import asyncio

from heliograph_indexer.figures import IndexerFigures
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

SECRET = "top-secret-key"


def committed(indexer: Indexer, net: Localnet) -> bool:
    return (indexer.status.committed_slot or 0) >= net.chain.slot_at(Commitment.CONFIRMED)


async def test_an_indexer_tells_calls_rows_commits_and_queues_and_no_key(database: Database) -> None:
    async with Localnet(LocalnetSettings(seed=3, rate=40)) as net:
        first = net.settings.first_slot
        stream = await add_stream(
            database, "godark", protocol="godark", programs=list(net.programs), first_slot=first
        )
        port = net.rpc_url.rpartition(":")[2]
        settings = IndexerSettings(
            rpc_url=f"http://user:{SECRET}@127.0.0.1:{port}/?api-key={SECRET}",
            ws_url=net.ws_url,
            poll_interval_s=0.05,
        )
        indexer = Indexer(database, stream, PROTOCOLS["godark"], settings)
        source = IndexerFigures({"godark": indexer})
        assert {reading.figure.name for reading in source.readings()} >= {"heliograph_indexer_leading"}
        await net.step(40)
        running = asyncio.create_task(indexer.run())
        async with asyncio.timeout(60):
            while not indexer.status.accounts or indexer.status.lag_slots != 0 or not committed(indexer, net):
                if running.done():
                    running.result()
                await asyncio.sleep(0.01)
        readings = list(source.readings())
        await indexer.stop()
        await running
    assert {reading.figure for reading in readings} <= set(source.figures)
    assert all(len(reading.labels) == len(reading.figure.labels) for reading in readings)
    assert SECRET not in repr(readings)
    found = {(reading.figure.name, reading.labels): reading.value for reading in readings}
    assert found["heliograph_indexer_leading", ("godark",)] == 1
    assert found["heliograph_lag_slots", ("godark",)] == 0
    assert found["heliograph_socket_connects_total", ("godark", "logs")] == 1
    calls = found["heliograph_rpc_calls_total", ("godark", f"127.0.0.1:{port}", "getGenesisHash", "ok")]
    assert isinstance(calls, int) and calls >= 1
    async with database.acquire() as connection:
        for table in ("perps.trades", "heliograph.transactions", "godark.position_opened"):
            stored = await connection.fetchval(f"SELECT count(*) FROM {table}")
            assert stored
            assert found["heliograph_committed_rows_total", ("godark", table)] == stored
    queues = {labels[1] for name, labels in found if name == "heliograph_queue_depth"}
    assert {"live_read", "live_decoded", "account_changes", "log_lines", "doubted_slots"} <= queues
    assert ("heliograph_commit_seconds", ("godark", "apply")) in found
