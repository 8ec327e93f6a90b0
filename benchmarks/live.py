"""Latency from a transaction's confirmation to the subscriber's message, at 250 ms slots.

localnet and the subscriber run in this process, so that one clock times both ends; `heliograph up` (indexer, API and
an embedded PostgreSQL) runs in another, as it would beside a real cluster. Each row of a message is one sample: the
time from the instant at which its slot became confirmed on the chain to the instant at which the message was read.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import websockets

from heliograph_core.errors import HeliographError
from heliograph_localnet.chain import Chain, ChainEvent, Confirmed
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings

SLOT_MS = 250
WARM_UP_S = 10.0
REPEATS = 3
REPEAT_S = 20.0
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.2
QUERY = "subscription { positionChanges { nodes { slot } } }"


class ConfirmationTimes:
    """When each slot became confirmed, by this process's clock."""

    def __init__(self, chain: Chain) -> None:
        self.by_slot: dict[int, float] = {}
        chain.listen(self._note)

    def _note(self, event: ChainEvent) -> None:
        if isinstance(event, Confirmed):
            self.by_slot[event.block.slot] = time.monotonic()


@asynccontextmanager
async def running_heliograph(localnet: Localnet, folder: Path) -> AsyncIterator[int]:
    """`heliograph up` on the localnet; gives the API's port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (folder / "heliograph.toml").write_text(
        f'[rpc]\nurl = "{localnet.rpc_url}"\nws_url = "{localnet.ws_url}"\n'
        f'[streams.godark]\nprotocol = "godark"\nfirst_slot = {localnet.settings.first_slot}\n'
    )
    command = Path(sys.executable).with_name("heliograph")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")}
    environment.pop("DATABASE_URL", None)
    process = await asyncio.create_subprocess_exec(
        command,
        *("up", "--port", str(port), "--data-dir", str(folder / "data")),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await _await_ready(port, process)
        yield port
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)


async def _await_ready(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_TIMEOUT_S), httpx2.AsyncClient(trust_env=False) as client:
        while True:
            if process.returncode is not None:
                raise HeliographError(
                    f"heliograph up ended with status {process.returncode} instead of serving"
                )
            try:
                if (await client.get(f"http://127.0.0.1:{port}/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass  # Not listening yet.
            await asyncio.sleep(POLL_S)


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
            async with running_heliograph(localnet, Path(folder)) as port:
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
    print(json.dumps({"bench": "live", "ratios": {}, "figures": asyncio.run(measure())}))
