"""A localnet in a process of its own, so that neither its computing nor its memory is taken for the indexer's.

The clock of both processes is the machine's monotonic one, which is the same for all of them.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from heliograph_localnet.settings import LocalnetSettings

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 60.0
_LENGTH_BYTES = 8


class Cluster:
    """The handle on the process. Commands are answered one after the other, whoever gives them."""

    def __init__(self, process: asyncio.subprocess.Process, settings: LocalnetSettings) -> None:
        self.process = process
        self.settings = settings
        self.rpc_url = self.ws_url = ""
        self.programs: tuple[str, ...] = ()
        self._turn = asyncio.Lock()

    async def step(self, slots: int) -> int:
        """Closes so many slots at once; the confirmed slot then."""
        return int(await self._ask("step", slots))

    async def run(self, rate: float | None = None) -> None:
        """Slots in real time from now on. rate: transactions a second, in place of the settings'."""
        await self._ask("run", rate)

    async def halt(self) -> int:
        """No further slots; the confirmed slot then."""
        return int(await self._ask("halt"))

    async def confirmed(self) -> int:
        return int(await self._ask("confirmed"))

    async def confirmations(self) -> dict[int, float]:
        """When each slot became confirmed since the last time that this was asked, by time.monotonic()."""
        answer: dict[int, float] = await self._ask("confirmations")
        return answer

    async def transactions(self) -> int:
        """How many transactions of the stream are confirmed."""
        return int(await self._ask("transactions"))

    async def count_fetches(self) -> dict[int, int]:
        """From now on it notes which transactions of slots up to now are asked for; how many each slot holds."""
        answer: dict[int, int] = await self._ask("count_fetches")
        return answer

    async def forget_fetches(self, enough: int) -> None:
        """Notes them anew; `enough` different ones is what fetched_enough() tells of."""
        await self._ask("forget_fetches", enough)

    async def fetched_enough(self) -> bool:
        return bool(await self._ask("fetched_enough"))

    async def fetched(self) -> set[int]:
        """Slots of which any transaction was asked for."""
        answer: set[int] = await self._ask("fetched")
        return answer

    async def truth(self, last: int) -> dict[str, list[dict[str, Any]]]:
        """See Localnet.truth. Only where the truth is kept."""
        answer: dict[str, list[dict[str, Any]]] = await self._ask("truth", last)
        return answer

    async def ready(self) -> None:
        """Waits for its addresses."""
        self.rpc_url, self.ws_url, self.programs = await self._answer()

    async def _ask(self, command: str, argument: object = None) -> Any:
        # Whoever is cancelled must not leave its answer to the next one.
        return await asyncio.shield(asyncio.create_task(self._asked(command, argument)))

    async def _asked(self, command: str, argument: object) -> Any:
        assert self.process.stdin is not None
        async with self._turn:
            self.process.stdin.write(msgspec.json.encode([command, argument]) + b"\n")
            await self.process.stdin.drain()
            return await self._answer()

    async def _answer(self) -> Any:
        assert self.process.stdout is not None
        length = int.from_bytes(await self.process.stdout.readexactly(_LENGTH_BYTES), "big")
        # Written by our own child: no stranger's pickle.
        return pickle.loads(await self.process.stdout.readexactly(length))


@asynccontextmanager
async def cluster(settings: LocalnetSettings, *, keeps_truth: bool = True) -> AsyncIterator[Cluster]:
    """A cluster for the time of the block. keeps_truth: False for a long run whose rows nobody asks for."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.cluster_process",
        msgspec.json.encode(asdict(settings)).decode(),
        "truth" if keeps_truth else "",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    handle = Cluster(process, settings)
    try:
        async with asyncio.timeout(_START_S):
            await handle.ready()
        yield handle
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
