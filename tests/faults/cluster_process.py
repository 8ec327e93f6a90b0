"""The process behind cluster.py: runs a localnet and does what stdin says, one JSON line a command."""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
from contextlib import suppress
from typing import Any

import msgspec
from tests.endtoend.fetched import Fetched

from heliograph_localnet.chain import ChainEvent, Confirmed
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.truth import Told, Truth

_LENGTH_BYTES = 8


class _Forgetful(Truth):
    """Keeps nothing: in a long run the books would grow by gigabytes."""

    def tell(self, signature: str, told: Told) -> None:
        pass


class _Process:
    def __init__(self, localnet: Localnet) -> None:
        self._localnet = localnet
        self._programs = set(localnet.programs)
        self._running: asyncio.Task[None] | None = None
        self._confirmations: dict[int, float] = {}
        self._transactions = 0
        self._fetched: Fetched | None = None
        localnet.chain.listen(self._note)

    async def obey(self, command: str, argument: Any) -> object:
        chain = self._localnet.chain
        match command:
            case "step":
                await self._localnet.step(argument or 1)
            case "run":
                if argument is not None:
                    self._localnet.trade_at(argument)
                self._running = asyncio.create_task(self._localnet.run())
                return None
            case "halt":
                if self._running is not None:
                    self._running.cancel()
                    with suppress(asyncio.CancelledError):
                        await self._running
            case "confirmations":
                told, self._confirmations = self._confirmations, {}
                return told
            case "transactions":
                return self._transactions
            case "count_fetches":
                self._fetched = Fetched(self._localnet)
                return dict(self._fetched.counts)
            case "forget_fetches":
                self._counting.restart(argument)
                return None
            case "fetched_enough":
                return self._counting.enough.is_set()
            case "fetched":
                return self._counting.slots()
            case "truth":
                return self._localnet.truth(argument)
        return chain.slot_at(Commitment.CONFIRMED)

    @property
    def _counting(self) -> Fetched:
        assert self._fetched is not None, "nobody asked for counting"
        return self._fetched

    def _note(self, event: ChainEvent) -> None:
        if isinstance(event, Confirmed):
            self._confirmations[event.block.slot] = time.monotonic()
            self._transactions += sum(
                not self._programs.isdisjoint(executed.keys) for executed in event.block.transactions
            )


async def main(settings: LocalnetSettings, keeps_truth: bool) -> None:
    """Until stdin ends."""
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with Localnet(settings) as localnet:
        if not keeps_truth:
            localnet.ledger.truth = _Forgetful(settings.stream)
        process = _Process(localnet)
        _say((localnet.rpc_url, localnet.ws_url, localnet.programs))
        while line := await commands.readline():
            command, argument = msgspec.json.decode(line)
            _say(await process.obey(command, argument))


def _say(answer: object) -> None:
    data = pickle.dumps(answer)
    sys.stdout.buffer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=LocalnetSettings), sys.argv[2] == "truth"))
