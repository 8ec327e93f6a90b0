"""A cluster on which the scenario of a real protocol is played: chain, node and books in one object.

What tests need of it:

    async with Stage(JupiterScenario(document), stream="jupiter") as stage:
        stage.play(stage.scenario.script(stage.now))     # lands everything, at once
        stage.books.rows()["perps.positions"]            # the rows that must be in the database

and what a demo needs: `run()`, which plays the scenario's endless traffic in real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Generic, Self, TypeVar

from heliograph_localnet.act import Act, Step, Wait
from heliograph_localnet.books import Books
from heliograph_localnet.chain import Chain
from heliograph_localnet.node import Node
from heliograph_localnet.now import Now
from heliograph_localnet.program_scenario import ProgramScenario

AnyScenario = TypeVar("AnyScenario", bound=ProgramScenario)


class Stage(Generic[AnyScenario]):
    """chain and node may be used directly. keep_books: whether `books` is told, which takes memory for every act.

    chain: one of its own where None.
    """

    def __init__(
        self,
        scenario: AnyScenario,
        *,
        stream: str,
        chain: Chain | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        keep_books: bool = True,
    ) -> None:
        self.scenario = scenario
        self.chain = chain or Chain(genesis_time=1_790_000_000, slot_ms=250, first_slot=400_000_000)
        self.node = Node(self.chain, host, port)
        self.books = Books(stream)
        self._keep_books = keep_books
        if keep_books:
            self.chain.listen(self.books.follow)

    def now(self) -> Now:
        """The open slot."""
        slot = self.chain.open_slot
        return Now(slot, self.chain.time_of(slot))

    @property
    def rpc_url(self) -> str:
        return self.node.rpc_url

    @property
    def ws_url(self) -> str:
        return self.node.ws_url

    # Running

    async def start(self) -> None:
        """Opens the node's port. Raises SettingsError where it is taken."""
        await self.node.start()

    async def stop(self) -> None:
        await self.node.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def run(self) -> None:
        """The scenario's traffic, slot by slot in real time, until cancelled."""
        loop = asyncio.get_running_loop()
        started, done = loop.time(), 0
        for step in self.scenario.traffic(self.now):
            if isinstance(step, Act):
                self.submit(step)
                continue
            for closing in _slots(step):
                done += 1
                await asyncio.sleep(max(0.0, started + done * self.chain.slot_ms / 1000 - loop.time()))
                self.play((closing,))

    def play(self, steps: Iterable[Step]) -> None:
        """Everything at once. What is left in the open slot is not on the chain yet."""
        for step in steps:
            if isinstance(step, Act):
                self.submit(step)
                continue
            for closing in _slots(step):
                self.chain.produce(skip=closing.skip)
            self.chain.leap(step.seconds)

    def submit(self, act: Act) -> str:
        """Lands an act in the open slot; returns its signature.

        Raises ValueError for one whose log a node would cut: it states what nobody could know.
        """
        signature = self.chain.submit(act.draft)
        if self.chain.pending()[-1].truncated:
            raise ValueError(f"the log of {signature} is cut: say less in one transaction, or by self-CPI")
        if self._keep_books:
            self.books.tell(signature, act)
        return signature


def _slots(wait: Wait) -> list[Wait]:
    return [Wait(1, wait.skip, wait.seconds if at == wait.slots - 1 else 0) for at in range(wait.slots)]
