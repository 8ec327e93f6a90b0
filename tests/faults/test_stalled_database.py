"""While the database does not answer, the indexer waits with what it has: nothing piles up, and afterwards all arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.endtoend.indexing import caught_up
from tests.faults.killing import Lives, write_config
from tests.faults.memory import watch
from tests.faults.server import Server, own_server
from tests.faults.sizes import sizes
from tests.faults.witness import witnessing

from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

SIZES = sizes()
RATE = 100.0
MOST_GROWTH = 48 * 2**20
"""Bytes of memory: what the queues hold at most, and not what the chain says meanwhile."""
STATEMENT_TIMEOUT_S = 1.0
"""Less than the stall, so that statements are broken off in it; with the default a stall of a minute does that."""


@asynccontextmanager
async def _stopped(server: Server, database: Database) -> AsyncIterator[None]:
    """Every process of the server is stopped: connections stay open and nothing answers."""
    server.stop()
    try:
        yield
    finally:
        server.resume()


@asynccontextmanager
async def _locked(server: Server, database: Database) -> AsyncIterator[None]:
    """Somebody keeps the stream's row: everything can be read and written, but nothing can be committed."""
    async with database.acquire() as connection:
        await connection.execute("SET idle_in_transaction_session_timeout = 0")
        async with connection.transaction():
            await connection.execute("SELECT FROM heliograph.streams FOR UPDATE")
            yield


@pytest.mark.parametrize("stall", [_stopped, _locked], ids=["stopped", "locked"])
async def test_the_indexer_waits_out_a_database_that_does_not_answer(stall: object, tmp_path: Path) -> None:
    print(f"seed {SIZES.seed}")
    settings = LocalnetSettings(seed=SIZES.seed, rate=RATE, funding_interval_seconds=10)
    with own_server() as server:
        async with Localnet(settings) as localnet, await Database.open(server.url) as database:
            stream = await add_stream(
                database,
                settings.stream,
                protocol="godark",
                programs=localnet.programs,
                first_slot=settings.first_slot,
            )
            write_config(
                tmp_path,
                localnet.rpc_url,
                localnet.ws_url,
                server.url,
                "[indexer]\nwake_on_slot = true\nreconcile_interval_s = 1.0",
            )
            config = tmp_path / "heliograph.toml"
            config.write_text(
                config.read_text().replace(
                    f'database = "{server.url}"',
                    f'database = {{ url = "{server.url}", statement_timeout_s = {STATEMENT_TIMEOUT_S} }}',
                )
            )
            indexer = Lives(tmp_path, "index")
            async with witnessing(database, localnet, stream, SIZES.seed) as witness:
                producing = asyncio.create_task(localnet.run())
                try:
                    indexer.start()
                    await caught_up(database, stream, settings.first_slot + 8)
                    before = await watch(indexer.pid, 1.0, 0.2, tmp_path / "before.csv")
                    assert callable(stall)
                    async with stall(server, database):
                        during = await watch(indexer.pid, SIZES.stall_s, 0.2, tmp_path / "during.csv")
                    assert indexer.process.process.poll() is None, indexer.process.stderr
                    assert not producing.done(), producing.result()
                    producing.cancel()
                    await asyncio.wait({producing})
                    last = localnet.chain.slot_at(Commitment.CONFIRMED)
                    await caught_up(database, stream, last, accounts=True)
                    await indexer.stop()
                finally:
                    producing.cancel()
                    indexer.end()
                await witness.end(last)
    grown = max(sample.rss for sample in during) - max(sample.rss for sample in before)
    print(
        f"{SIZES.stall_s:g} s without an answer at {RATE:g} transactions/s: {grown / 2**20:+.1f} MiB; "
        f"{witness.samples} samples"
    )
    assert grown < MOST_GROWTH
