"""Replicas of the API over one database, processes of their own, that are paused, killed, or stopped, and started again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.killing import Lives, write_config


class ApiReplica:
    """host: where it serves, or served until it was ended; None before the first start."""

    def __init__(self, folder: Path) -> None:
        self._lives = Lives(folder, "serve", "--port", "0")
        self.host: str | None = None

    async def start(self) -> None:
        """Returns once it serves."""
        url = await asyncio.to_thread(self._lives.start().await_url)
        self.host = urlsplit(url).netloc

    async def pause(self, seconds: float) -> None:
        """SIGSTOP and SIGCONT: meanwhile it falls behind the other, and what connects to it waits."""
        os.kill(self._lives.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(self._lives.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """kill -9."""
        await self._lives.kill()

    async def stop(self) -> None:
        """As a deployment stops it. Raises AssertionError where it ends with an error."""
        await self._lives.stop()

    def end(self) -> None:
        self._lives.end()


@asynccontextmanager
async def api_replicas(
    folder: Path, database_url: str, rpc_url: str, ws_url: str, settings: Sequence[str]
) -> AsyncIterator[list[ApiReplica]]:
    """One for each of `settings` (lines of TOML), serving, for the time of the block."""
    replicas = []
    for number, lines in enumerate(settings):
        own = folder / f"replica{number}"
        own.mkdir()
        write_config(own, rpc_url, ws_url, database_url, lines)
        replicas.append(ApiReplica(own))
    try:
        await asyncio.gather(*(replica.start() for replica in replicas))
        yield replicas
    finally:
        for replica in replicas:
            replica.end()
