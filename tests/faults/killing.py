"""A process of heliograph that is started again whenever it was killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.cli.process import Heliograph
from tests.endtoend.indexing import PATIENCE_S

CONFIG = "heliograph.toml"


def write_config(folder: Path, rpc_url: str, ws_url: str, database_url: str, *sections: str) -> None:
    """The settings of every process in the folder. sections: further lines of TOML."""
    lines = [f'rpc = {{ url = "{rpc_url}", ws_url = "{ws_url}" }}', f'database = "{database_url}"', *sections]
    (folder / CONFIG).write_text("\n".join(lines) + "\n")


class Lives:
    """One after the other; at most one is alive. count: how many were killed."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._arguments = (*arguments, "--config", CONFIG)
        self._process: Heliograph | None = None
        self.count = 0

    @property
    def process(self) -> Heliograph:
        assert self._process is not None, "nothing was started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.process.pid

    def start(self) -> Heliograph:
        assert self._process is None or self._process.process.poll() is not None, "one is alive"
        self._process = Heliograph(self._folder, self._arguments)
        return self._process

    async def kill(self) -> None:
        """kill -9. Raises AssertionError where it had ended by itself."""
        process = self.process
        assert process.process.poll() is None, f"it ended by itself: {process.stderr}"
        process.process.kill()
        await asyncio.to_thread(process.process.wait)
        self.count += 1

    async def stop(self) -> None:
        """As a user stops it. Raises AssertionError where it ends with an error."""
        status = await asyncio.to_thread(self.process.stop)
        assert status == 0, f"status {status}: {self.process.stderr}"

    def end(self) -> None:
        """Whatever is left is ended; for `finally`."""
        if self._process is not None:
            if self._process.process.poll() is None:
                os.kill(self.pid, signal.SIGCONT)
            self._process.kill()


async def met(condition: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> None:
    """Polls: what is waited for happens in another process, which tells nobody."""
    async with asyncio.timeout(timeout_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)
