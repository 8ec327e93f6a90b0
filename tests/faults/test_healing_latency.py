"""While a long gap is healed, rows of now reach subscribers as soon as ever."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

from tests.cli.process import Heliograph
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import PATIENCE_S, caught_up
from tests.endtoend.latency import percentile
from tests.faults.cluster import Cluster, cluster
from tests.faults.sizes import sizes
from tests.faults.witness import LateWitness
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import migrate
from heliograph_sql.streams import StreamRow, add_stream, read_coverage

SIZES = sizes()
SYMBOLS = ("SOL-PERP", "BTC-PERP")
GAP_RATE = 6.0
"""Transactions a second in the gap: 100,000 slots hold more than 150,000."""
LIVE_RATE = 24.0
"""And beside the healer."""
BEFORE_SLOTS = 60
LEAST_SLOTS = 5
"""Slots that live has to deliver meanwhile."""
LIVE_SLOTS = 20
"""Slots that live goes on for at least: most have rows, not all."""
LIVE_P99_S = 2.0
QUERY = "subscription { positionChanges { nodes { slot } } }"


class Arrivals:
    """When the first and the last row of each slot reached a subscriber, by time.monotonic()."""

    def __init__(self) -> None:
        self.by_slot: dict[int, float] = {}

    async def follow(self, url: str) -> None:
        """Until cancelled."""
        address = url.replace("http://", "ws://", 1)
        async with connect(
            address, subprotocols=[Subprotocol("graphql-transport-ws")], max_size=None
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            await socket.recv()
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": QUERY}}))
            async for frame in socket:
                now = time.monotonic()
                message = json.loads(frame)
                if message["type"] == "ping":
                    await socket.send(json.dumps({"type": "pong"}))
                    continue
                assert message["type"] == "next" and "errors" not in message["payload"], frame
                for node in message["payload"]["data"]["positionChanges"]["nodes"]:
                    self.by_slot[int(node["slot"])] = now


async def test_a_long_gap_is_healed_while_live_rows_reach_subscribers_at_once(tmp_path: Path) -> None:
    print(f"seed {SIZES.seed}")
    settings = LocalnetSettings(
        seed=SIZES.seed,
        rate=GAP_RATE,
        traders=40,
        symbols=SYMBOLS,
        funding_interval_seconds=10,
        jump_probability=0.1,
    )
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-gap-") as folder,
        EmbeddedServer.start(Path(folder), options={"fsync": "off"}) as server,
    ):
        migrate(server.url)
        async with cluster(settings) as chain, await Database.open(server.url) as database:
            stream = await add_stream(
                database,
                settings.stream,
                protocol="godark",
                programs=chain.programs,
                first_slot=settings.first_slot,
            )
            (tmp_path / "heliograph.toml").write_text(
                f'rpc = {{ url = "{chain.rpc_url}", ws_url = "{chain.ws_url}" }}\ndatabase = "{server.url}"\n'
                "[indexer]\nwake_on_slot = true\nreconcile_interval_s = 5.0\n"
            )
            await _index_through(database, stream, tmp_path, await chain.step(BEFORE_SLOTS))
            began = await chain.step(SIZES.gap_slots)
            await chain.confirmations()
            witness = LateWitness(database, stream, chain.confirmed, SIZES.seed)
            latency, healed_s = await _heal(database, stream, tmp_path, chain, began, witness)
            last = await chain.halt()
            await _index_through(database, stream, tmp_path, last)
            truth = await chain.truth(last)
            for row in truth["perps.markets"]:
                del row["account_slot"]
            async with database.acquire() as connection:
                stored = await read_tables(connection, stream.name)
    told = differences(truth, stored)
    witness.end(truth)
    transactions = len(truth["heliograph.transactions"])
    p50, p99 = (percentile(latency, share) * 1000 for share in (0.5, 0.99))
    print(
        f"{SIZES.gap_slots} slots healed in {healed_s:.0f} s ({transactions} transactions in all); live meanwhile: "
        f"{len(latency)} slots with rows, p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {max(latency) * 1000:.0f} ms; "
        f"{witness.samples} samples"
    )
    assert not told, told
    assert len(latency) >= LEAST_SLOTS, "live did not run beside the healer"
    if SIZES.long:
        assert p99 < LIVE_P99_S * 1000


async def _index_through(database: Database, stream: StreamRow, folder: Path, slot: int) -> None:
    indexer = Heliograph(folder, ("index", "--config", "heliograph.toml"))
    try:
        await caught_up(database, stream, slot, accounts=True)
        assert await asyncio.to_thread(indexer.stop) == 0
    finally:
        indexer.kill()


async def _heal(
    database: Database, stream: StreamRow, folder: Path, chain: Cluster, began: int, witness: LateWitness
) -> tuple[list[float], float]:
    """Latencies of all slots above `began` with rows until everything below is whole and folded; and how long that took."""
    up = Heliograph(folder, ("up", "--config", "heliograph.toml", "--port", "0"))
    arrivals = Arrivals()
    beside: list[asyncio.Task[None]] = []
    try:
        url = await asyncio.to_thread(up.await_url)
        beside = [asyncio.create_task(arrivals.follow(url)), asyncio.create_task(witness.run())]
        start = time.monotonic()
        await chain.run(LIVE_RATE)
        await caught_up(database, stream, began, timeout_s=PATIENCE_S + SIZES.gap_slots / 20)
        healed_s = time.monotonic() - start
        async with asyncio.timeout(PATIENCE_S):
            # Those that are confirmed by now, however late their rows come.
            confirmed = await chain.confirmed()
            while not await _arrived(database, stream, began, max(confirmed, began + LIVE_SLOTS), arrivals):
                for task in beside:
                    assert not task.done(), task.result()
                await asyncio.sleep(0.05)
        confirmations = await chain.confirmations()
        latency = [
            came - confirmations[slot]
            for slot, came in arrivals.by_slot.items()
            if slot > began and slot in confirmations
        ]
        assert await asyncio.to_thread(up.stop) == 0
    finally:
        up.kill()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    return latency, healed_s


async def _arrived(
    database: Database, stream: StreamRow, after: int, through: int, arrivals: Arrivals
) -> bool:
    """Whether the slots behind `after` are covered through `through`, and the subscriber has rows of each that holds some."""
    covered = (await read_coverage(database, stream.name)).through(stream.first_slot)
    if covered is None or covered < through:
        return False
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT slot FROM perps.position_changes WHERE slot > $1 AND slot <= $2", after, through
        )
    return all(row["slot"] in arrivals.by_slot for row in rows)
