"""Latency from a transaction's confirmation to the subscriber's message, at 250 ms slots; then many subscribers at once.

localnet and the subscriber run in this process, so that one clock times both ends; `heliograph up` (indexer, API and
an embedded PostgreSQL) runs in another, as it would beside a real cluster. Each row of a message is one sample: the
time from the instant at which its slot became confirmed on the chain to the instant at which the message was read.
Figures that begin with `fanout_` are of 5,000 subscriptions on one API process: benchmarks/load/fanout.py.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import websockets

from heliograph_core.errors import HeliographError
from heliograph_localnet.chain import Chain, ChainEvent, Confirmed
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings

# What other benchmarks use too lies beside this one.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.load import fanout
from benchmarks.load.serving import serving

SLOT_MS = 250
WARM_UP_S = 10.0
REPEATS = 3
REPEAT_S = 20.0
QUERY = "subscription { positionChanges { nodes { slot } } }"


class ConfirmationTimes:
    """When each slot became confirmed, by this process's clock."""

    def __init__(self, chain: Chain) -> None:
        self.by_slot: dict[int, float] = {}
        chain.listen(self._note)

    def _note(self, event: ChainEvent) -> None:
        if isinstance(event, Confirmed):
            self.by_slot[event.block.slot] = time.monotonic()


async def samples(port: int, times: ConfirmationTimes) -> AsyncIterator[tuple[float, list[float]]]:
    """Each message's arrival and the latencies of its rows in seconds."""
    async with websockets.connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
        proxy=None,
    ) as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        await connection.recv()
        await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": QUERY}}))
        async for frame in connection:
            arrived = time.monotonic()
            message = json.loads(frame)
            if message["type"] == "ping":
                await connection.send(json.dumps({"type": "pong"}))
                continue
            if message["type"] != "next" or "errors" in message["payload"]:
                raise HeliographError(f"the subscription answered {frame!r}")
            rows = message["payload"]["data"]["positionChanges"]["nodes"]
            yield arrived, [arrived - times.by_slot[int(row["slot"])] for row in rows]


def percentile(values: list[float], percent: int) -> float:
    """By nearest rank."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


async def measure() -> dict[str, float]:
    """p50 and p99 in milliseconds, the median of the repeats of each."""
    localnet = Localnet(LocalnetSettings(seed=1, slot_ms=SLOT_MS, genesis_time=int(time.time())))
    times = ConfirmationTimes(localnet.chain)
    await localnet.start()
    producing = asyncio.create_task(localnet.run())
    repeats: list[list[float]] = [[] for _ in range(REPEATS)]
    try:
        with tempfile.TemporaryDirectory(prefix="heliograph-bench-", ignore_cleanup_errors=True) as folder:
            settings = (
                f'[rpc]\nurl = "{localnet.rpc_url}"\nws_url = "{localnet.ws_url}"\n'
                f'[streams.godark]\nprotocol = "godark"\nfirst_slot = {localnet.settings.first_slot}\n'
            )
            up = serving(Path(folder), settings, "up", "--data-dir", str(Path(folder) / "data"))
            async with up as (port, _):
                start = time.monotonic() + WARM_UP_S
                async for arrived, latencies in samples(port, times):
                    repeat = int((arrived - start) // REPEAT_S)
                    if repeat >= REPEATS:
                        break
                    if repeat >= 0:
                        repeats[repeat] += latencies
                    if producing.done():
                        producing.result()
    finally:
        producing.cancel()
        await asyncio.wait({producing})
        await localnet.stop()
    figures = {}
    for percent in (50, 99):
        each = [percentile(values, percent) * 1000 for values in repeats]
        print(
            f"p{percent}: {', '.join(f'{value:.0f}' for value in each)} ms of {[len(v) for v in repeats]} rows"
        )
        figures[f"p{percent}_ms"] = round(statistics.median(each), 1)
    return figures


if __name__ == "__main__":
    figures = asyncio.run(measure())
    print(json.dumps(figures), file=sys.stderr)
    figures |= asyncio.run(fanout.measure())
    print(json.dumps({"bench": "live", "ratios": {}, "figures": figures}))
