"""An indexer that is killed again and again loses, doubles and invents nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

from tests.endtoend.indexing import caught_up
from tests.faults.killing import Lives, write_config
from tests.faults.moments import Moments, draw
from tests.faults.sizes import sizes
from tests.faults.witness import witnessing

from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

SIZES = sizes()


async def test_an_indexer_killed_at_random_leaves_tables_equal_to_the_truth(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    print(f"seed {SIZES.seed}")
    dice = random.Random(SIZES.seed)
    settings = LocalnetSettings(
        seed=SIZES.seed, traders=60, funding_interval_seconds=10, jump_probability=0.1
    )
    async with Localnet(settings) as localnet:
        stream = await add_stream(
            database,
            settings.stream,
            protocol="godark",
            programs=localnet.programs,
            first_slot=settings.first_slot,
        )
        # History that nobody has indexed, so that there is a gap to be killed in as well.
        await localnet.step(300)
        write_config(
            tmp_path,
            localnet.rpc_url,
            localnet.ws_url,
            database_url,
            "[indexer]\nwake_on_slot = true\nreconcile_interval_s = 1.0\nlease_ttl_s = 1.5",
            "[heal]\nclaim_ttl_s = 1.5\npoll_s = 0.2\npiece_slots = 100",
        )
        indexer, moments, places = (
            Lives(tmp_path, "index"),
            Moments(database, localnet, stream.name),
            Counter[str](),
        )
        async with witnessing(database, localnet, stream, SIZES.seed) as witness:
            producing = asyncio.create_task(localnet.run())
            try:
                while indexer.count < SIZES.kills:
                    moment = draw(dice)
                    indexer.start()
                    async with moments.reached(moment):
                        await indexer.kill()
                    places[moment.kind] += 1
                    assert not producing.done(), producing.result()
                producing.cancel()
                await asyncio.wait({producing})
                last = localnet.chain.slot_at(Commitment.CONFIRMED)
                indexer.start()
                await caught_up(database, stream, last, accounts=True)
                await indexer.stop()
            finally:
                producing.cancel()
                indexer.end()
            await witness.end(last)
        transactions = len(localnet.truth(last)["heliograph.transactions"])
    print(f"{indexer.count} kills ({dict(places)}), {transactions} transactions, {witness.samples} samples")
