"""PostgreSQL is killed and comes back: the indexer and the API go on by themselves, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import httpx2
from tests.endtoend.comparison import read_tables
from tests.endtoend.indexing import PATIENCE_S, caught_up
from tests.faults.killing import Lives, write_config
from tests.faults.moments import Moments, draw
from tests.faults.server import own_server
from tests.faults.sizes import sizes
from tests.faults.subscription import Subscription
from tests.faults.witness import witnessing

from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

SIZES = sizes()


async def test_indexer_api_and_subscribers_survive_kills_of_postgresql(tmp_path: Path) -> None:
    print(f"seed {SIZES.seed}")
    dice = random.Random(SIZES.seed)
    settings = LocalnetSettings(
        seed=SIZES.seed, funding_interval_seconds=10, jump_probability=0.1, genesis_time=int(time.time())
    )
    with own_server() as server:
        async with (
            Localnet(settings) as localnet,
            await Database.open(server.url) as database,
        ):
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
            up, moments = Lives(tmp_path, "up", "--port", "0"), Moments(database, localnet, stream.name)
            async with witnessing(database, localnet, stream, SIZES.seed) as witness:
                producing = asyncio.create_task(localnet.run())
                try:
                    url = await asyncio.to_thread(up.start().await_url)
                    ready = url.replace("/graphql", "/ready")
                    async with Subscription(url, stream.name) as subscription:
                        while server.kills < SIZES.postgres_kills:
                            # Not by a lock of the database, which goes with it.
                            async with moments.reached(draw(dice, ("call", "commit", "clock"))):
                                server.kill()
                            await _ready_says(ready, 503, "DATABASE_UNAVAILABLE")
                            await server.start()
                            await _ready_says(ready, 200, None)
                            assert up.process.process.poll() is None, up.process.stderr
                            assert not producing.done(), producing.result()
                        producing.cancel()
                        await asyncio.wait({producing})
                        last = localnet.chain.slot_at(Commitment.CONFIRMED)
                        await caught_up(database, stream, last, accounts=True)
                        truth = localnet.truth(last)
                        wanted = [(row["slot"], row["signature"]) for row in truth["perps.position_changes"]]
                        received = await subscription.rows(len(wanted))
                    await up.stop()
                finally:
                    producing.cancel()
                    up.end()
                await witness.end(last)
            async with database.acquire() as connection:
                stored = await read_tables(connection, stream.name)
    print(
        f"{server.kills} kills of PostgreSQL, {len(stored['heliograph.transactions'])} transactions, "
        f"{subscription.resumed} resumed subscriptions, {witness.samples} samples, {witness.missed} unanswered"
    )
    assert sorted(received) == sorted(wanted), "a subscriber missed a row, or had one twice"


async def _ready_says(url: str, status: int, code: str | None) -> None:
    """Returns once /ready has the status and gives the code."""
    async with asyncio.timeout(PATIENCE_S), httpx2.AsyncClient(trust_env=False) as client:
        while True:
            answer = await client.get(url)
            if (answer.status_code, answer.json().get("code")) == (status, code):
                return
            await asyncio.sleep(0.02)
