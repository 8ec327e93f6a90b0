"""The indexer's memory stays flat while slots go by, and while the database does not answer."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from tests.cli.process import Heliograph
from tests.endtoend.indexing import caught_up
from tests.faults.cluster import cluster
from tests.faults.memory import Sample, flatness, watch
from tests.faults.sizes import sizes

from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import migrate
from heliograph_sql.streams import add_stream, read_coverage

SIZES = sizes()
RATE = 200.0
"""Transactions a second."""
KEPT_SLOTS = 2_000
"""History that the cluster keeps: the indexer is never further behind."""
MOST_GROWTH = 0.10
INTERVAL_S = 10.0 if SIZES.long else 0.5


def test_growth_is_what_comes_after_the_warm_up() -> None:
    rising = [Sample(float(at), 100 + at) for at in range(60)]
    steady = [Sample(float(at), 50 if at < 10 else 100 + at % 3) for at in range(60)]
    assert flatness(rising).growth > MOST_GROWTH
    assert flatness(steady).growth < 0.02
    with pytest.raises(ValueError, match="too few"):
        flatness(steady[:5])


async def test_the_indexer_holds_the_same_memory_after_an_hour_of_trading(tmp_path: Path) -> None:
    print(f"seed {SIZES.seed}")
    settings = LocalnetSettings(
        seed=SIZES.seed, rate=RATE, retention_slots=KEPT_SLOTS, funding_interval_seconds=60
    )
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-memory-") as folder,
        EmbeddedServer.start(Path(folder), options={"fsync": "off", "max_wal_size": "512MB"}) as server,
    ):
        migrate(server.url)
        async with (
            cluster(settings, keeps_truth=False) as chain,
            await Database.open(server.url) as database,
        ):
            stream = await add_stream(
                database,
                settings.stream,
                protocol="godark",
                programs=chain.programs,
                first_slot=settings.first_slot,
            )
            (tmp_path / "heliograph.toml").write_text(
                f'rpc = {{ url = "{chain.rpc_url}", ws_url = "{chain.ws_url}" }}\ndatabase = "{server.url}"\n'
                "[indexer]\nreconcile_interval_s = 60.0\n"
            )
            indexer = Heliograph(tmp_path, ("index", "--config", "heliograph.toml"))

            async def note() -> str:
                through = (await read_coverage(database, stream.name)).through(stream.first_slot)
                behind = await chain.confirmed() - (through or stream.first_slot)
                return f"{behind} slots behind, {await chain.transactions()} transactions"

            try:
                await chain.run()
                await caught_up(database, stream, settings.first_slot + 4)
                file = tmp_path / "memory.csv"
                print(f"samples in {file}")
                samples = await watch(indexer.process.pid, SIZES.memory_s, INTERVAL_S, file, note)
                last = await chain.halt()
                await caught_up(database, stream, last)
                assert await asyncio.to_thread(indexer.stop) == 0
            finally:
                indexer.kill()
            async with database.acquire() as connection:
                stored = await connection.fetchval(
                    "SELECT count(*) FROM heliograph.transactions WHERE slot <= $1", last
                )
            expected = await chain.transactions()
    told = flatness(samples)
    print(f"{expected} transactions; resident memory {told}")
    assert stored == expected
    if SIZES.long:
        assert told.growth <= MOST_GROWTH, told
