"""`heliograph up` or `serve` as a process of its own, for benchmarks that speak to it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from heliograph_core.errors import HeliographError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.2


@asynccontextmanager
async def serving(
    folder: Path, settings: str, *command: str, ready: str = "/ready"
) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Runs `heliograph COMMAND` on the text of a heliograph.toml; gives the API's port once `ready` is answered with 200, and the process.

    Raises HeliographError where it ends instead of serving.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (folder / "heliograph.toml").write_text(settings)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")}
    environment.pop("DATABASE_URL", None)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("heliograph"),
        *(*command, "--port", str(port)),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await _await(f"http://127.0.0.1:{port}{ready}", process)
        yield port, process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)


async def _await(address: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_TIMEOUT_S), httpx2.AsyncClient(trust_env=False) as client:
        while True:
            if process.returncode is not None:
                raise HeliographError(f"heliograph ended with status {process.returncode} instead of serving")
            try:
                if (await client.get(address)).status_code == 200:
                    return
            except httpx2.TransportError:
                pass  # Not listening yet.
            await asyncio.sleep(POLL_S)
