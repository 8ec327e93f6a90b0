"""The long run: an indexer that is killed again and again loses, doubles and invents nothing.

`make soak` runs it for minutes or hours (HELIOGRAPH_SOAK_SECONDS); among the tests it is short.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any

from tests.cli.process import Heliograph
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up

from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

SECONDS = float(os.environ.get("HELIOGRAPH_SOAK_SECONDS", "15"))
KILL_AFTER_S = (1.0, 6.0)
"""Shortest and longest life of an indexer; its start takes about one second of it."""


async def test_an_indexer_killed_at_random_leaves_tables_equal_to_the_truth(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("HELIOGRAPH_SOAK_SEED", "4"))
    print(f"seed {seed}")
    dice = random.Random(seed)
    settings = LocalnetSettings(seed=seed, funding_interval_seconds=10, jump_probability=0.1)
    async with Localnet(settings) as localnet:
        stream = await add_stream(
            database,
            settings.stream,
            protocol="godark",
            programs=localnet.programs,
            first_slot=settings.first_slot,
        )
        (tmp_path / "heliograph.toml").write_text(
            f'rpc = {{ url = "{localnet.rpc_url}", ws_url = "{localnet.ws_url}" }}\n'
            f'database = "{database_url}"\n'
            "[indexer]\nwake_on_slot = true\nreconcile_interval_s = 1.0\nlease_ttl_s = 2.0\n"
        )
        producing = asyncio.create_task(localnet.run())
        kills = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            indexer = Heliograph(tmp_path, ("index", "--config", "heliograph.toml"))
            life = dice.uniform(*KILL_AFTER_S)
            done, _ = await asyncio.wait({producing}, timeout=life)
            assert not done, producing.result()
            assert indexer.process.poll() is None, indexer.stderr
            indexer.process.kill()
            await asyncio.to_thread(indexer.process.wait)
            kills += 1
        producing.cancel()
        await asyncio.wait({producing})
        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        indexer = Heliograph(tmp_path, ("index", "--config", "heliograph.toml"))
        try:
            await caught_up(database, stream, last, accounts=True)
            assert await asyncio.to_thread(indexer.stop) == 0
        finally:
            indexer.kill()
        truth: dict[str, list[dict[str, Any]]] = localnet.truth(last)
    for row in truth["perps.markets"]:
        del row["account_slot"]
    async with database.acquire() as connection:
        stored = await read_tables(connection, settings.stream)
    told = differences(truth, stored)
    print(f"{kills} kills, {len(truth['heliograph.transactions'])} transactions")
    assert not told, told
