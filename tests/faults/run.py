"""One fault run: a localnet that trades and forks, an indexer on it, a witness over both, and the comparison at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.endtoend.chaos import FINALIZED_LAG, Chaos, accounts_equal, confirmed_slot, final_through
from tests.endtoend.indexing import PATIENCE_S, caught_up, indexing
from tests.faults.sizes import Sizes, sizes
from tests.faults.weather import Fault, Weather
from tests.faults.witness import Witness, witnessing

from heliograph_core.errors import RpcUnavailable
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings, RpcSettings
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.node import Node
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.view import View
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream

GODARK = PROTOCOLS["godark"]
POLL_S = 0.05
"""The indexer's fallback poll in short runs."""
DEADLINE_S = 1.0
"""Of one HTTP exchange in short runs. What hangs costs so much; much less, and a busy machine looks like a node that hangs."""
SILENCE_S = 3.0
"""Without a slot until a socket is opened anew, in short runs. Polling goes on meanwhile; a busy machine must not flap."""
TICK_S = 0.1
"""From slot to slot while the indexer is waited for."""
SLOTS = 4
"""While one fault of many lasts."""
MOST_TRIES = 50
"""Further slots that are waited for a fault to strike."""


class FaultRun:
    """nodes: of the one chain; the first is localnet's own."""

    def __init__(
        self,
        database: Database,
        localnet: Localnet,
        stream: StreamRow,
        nodes: list[Node],
        witness: Witness,
        seed: int,
    ) -> None:
        self.database = database
        self.localnet = localnet
        self.stream = stream
        self.nodes = nodes
        self.witness = witness
        self.dice = Random(seed)
        self.weather = Weather(self.dice)
        self.chaos = Chaos(localnet, database, stream, seed)

    def settings(self, **changes: Any) -> IndexerSettings:
        """Quick in everything, so that a short run sees many of each."""
        chosen: dict[str, Any] = {
            "rpc_url": self.nodes[0].rpc_url,
            "rpc_urls": tuple(node.rpc_url for node in self.nodes[1:]),
            "ws_url": self.nodes[0].ws_url,
            "ws_urls": tuple(node.ws_url for node in self.nodes[1:]),
            "rpc": RpcSettings(
                deadline_s=DEADLINE_S,
                attempts=3,
                backoff_s=0.005,
                backoff_max_s=0.02,
                rest_s=0.02,
                rest_max_s=0.1,
                health_interval_s=0.1,
                lag_slots=10,
            ),
            "poll_interval_s": POLL_S,
            "socket_silence_s": SILENCE_S,
            "retry_s": 0.01,
            "retry_max_s": 0.05,
            "retry_stuck_s": 0.1,
            "null_rounds": 2,
            "finalize_interval_s": 0.05,
            "reconcile_interval_s": 0.3,
            "account_batch_s": 0.02,
            "page_signatures": 20,
        }
        return IndexerSettings(**{**chosen, **changes})

    @asynccontextmanager
    async def indexer(self, **changes: Any) -> AsyncIterator[Indexer]:
        """An indexer that leads, for the time of the block."""
        leads = False
        while not leads:
            try:
                async with indexing(self.database, self.stream, GODARK, self.settings(**changes)) as indexer:
                    await _leading(indexer)
                    leads = True
                    yield indexer
            except BaseExceptionGroup as group:
                # Nobody reached at the start ends an indexer, and on a busy machine these deadlines are short.
                if leads or group.split(RpcUnavailable)[1] is not None:
                    raise

    async def trade(self, slots: int, *, at_once: int = 4) -> None:
        """So many slots, a few at a time, in front of the indexer: it catches up whatever goes wrong."""
        end = self.localnet.chain.open_slot + slots
        while self.localnet.chain.open_slot < end:
            await self.localnet.step(self.dice.randint(1, at_once))
            await self.caught_up()

    async def suffer(
        self,
        name: str,
        fault: Fault,
        *nodes: Node,
        slots: int = SLOTS,
        provoke: Callable[[], None] = lambda: None,
    ) -> None:
        """One fault alone: the indexer keeps up while it lasts, and it does strike. provoke: gives it another chance."""
        print(f"{asyncio.get_running_loop().time():.1f} {name}")
        clear = [self.weather.begin(node, {name: fault}) for node in nodes or self.nodes]
        try:
            await self.trade(slots)
            # By the clock: a fast machine has traded often before a socket is opened again.
            until = asyncio.get_running_loop().time() + PATIENCE_S
            while not self.weather.hits[name]:
                assert asyncio.get_running_loop().time() < until, "it never struck"
                provoke()
                await self.trade(1)
        except BaseException as error:
            error.add_note(f"while {name!r} was what went wrong")
            raise
        finally:
            for each in clear:
                each()

    async def storm(self, faults: Mapping[str, Fault], *nodes: Node, scale: float, rounds: int) -> None:
        """All of them at once, each at its share times `scale`, while blocks are dropped: so many rounds, and until most struck."""
        clear = [self.weather.begin(node, faults, scale=scale) for node in nodes or self.nodes]
        most, done = len(faults) // 2, 0
        while done < rounds or len(self.weather.hits) <= most:
            assert done < rounds + MOST_TRIES, f"only these struck: {dict(self.weather.hits)}"
            await self.trade(3)
            await self.chaos.round(wait=False)
            done += 1
        for each in clear:
            each()

    async def caught_up(self) -> None:
        """Everything that is confirmed now is covered; the chain goes on meanwhile, as chains do."""
        slot = confirmed_slot(self.localnet)
        async with self._ticking():
            await caught_up(self.database, self.stream, slot)

    async def settle(self) -> int:
        """Everything becomes final, audits included; the last slot in which something could happen."""
        last = await self.chaos.quiet()
        async with self._ticking():
            await caught_up(self.database, self.stream, last, accounts=True)
            await final_through(self.database, self.stream, last)
        return last

    async def end(self) -> None:
        """Everything is compared once it is final. The weather must have cleared."""
        last = await self.settle()
        async with self._ticking():
            await accounts_equal(self.database, self.localnet, scanned=True)
        await self.witness.end(last)
        assert self.witness.samples > 1

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        """Empty slots for the time of the block: a node that lags shows more only while there is more."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.localnet.ledger.close()


async def _leading(indexer: Indexer) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if indexer.status.state == "leading":
                return
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def fault_run(
    database: Database, *, seed: int, views: tuple[dict[str, Any], ...] = (), **changes: Any
) -> AsyncIterator[FaultRun]:
    """views: of further nodes of the chain, as localnet's View takes them. changes: of the localnet's settings.

    seed: on the usual day; HELIOGRAPH_SOAK_SEED makes it another.
    """
    seed += sizes().seed - Sizes().seed
    print(f"seed {seed}")
    settings = LocalnetSettings(
        **{
            "seed": seed,
            "rate": 40,
            "traders": 20,
            "symbols": ("SOL-PERP",),
            "funding_interval_seconds": 5,
            "jump_probability": 0.1,
            "skip_probability": 0.1,
            "finalized_lag": FINALIZED_LAG,
            **changes,
        }
    )
    async with Localnet(settings) as localnet:
        nodes = [localnet.node]
        try:
            for view in views:
                node = Node(localnet.chain, view=View(localnet.chain, **view))
                await node.start()
                nodes.append(node)
            stream = await add_stream(
                database,
                settings.stream,
                protocol=GODARK.name,
                programs=localnet.programs,
                first_slot=settings.first_slot,
            )
            async with witnessing(database, localnet, stream, seed) as witness:
                run = FaultRun(database, localnet, stream, nodes, witness, seed)
                await run.chaos.begin()
                yield run
        finally:
            for node in nodes[1:]:
                await node.stop()
