"""A chain with random traffic of two programs and of others, served by a localnet node, and what is true of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from heliograph_core.slot import Slot, Span
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.settings import IndexerSettings, RpcSettings
from heliograph_indexer.sources.logfeed import LogFeed
from heliograph_indexer.sources.rpc import RpcSource
from heliograph_localnet.chain import Chain
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import Draft, DraftInner, DraftInstruction
from heliograph_localnet.node import Node
from heliograph_localnet.view import View

ALPHA = "A1phaProgram1111111111111111111111111111111"
BETA = "BetaProgram11111111111111111111111111111111"
OTHER = "otherProgram1111111111111111111111111111111"
PROGRAMS = (ALPHA, BETA)
PAYERS = ("Payer11111111111111111111111111111111111111", "Payer21111111111111111111111111111111111111")
FIRST = 1000


def draft(random: Random, programs: tuple[str, ...], failed: bool = False) -> Draft:
    """A transaction in which the first program calls the others."""
    outer, inner = programs[0], programs[1:]
    lines = [f"Program {outer} invoke [1]", f"Program log: {random.random()}"]
    for callee in inner:
        lines += [f"Program {callee} invoke [2]", f"Program {callee} success"]
    lines.append(f"Program {outer} " + ("failed: custom program error: 0x7" if failed else "success"))
    return Draft(
        random.choice(PAYERS),
        (
            DraftInstruction(
                outer, (), random.randbytes(4), tuple(DraftInner(each, (), b"", 2) for each in inner)
            ),
        ),
        tuple(lines),
        err={"InstructionError": [0, {"Custom": 7}]} if failed else None,
        compute_units=1000,
    )


class World:
    """seed decides all traffic. spans are read with `read`, truth is `expected`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.chain = Chain(seed=seed, slot_ms=250, first_slot=FIRST)
        self.node = Node(self.chain)
        self.incidents: list[tuple[str, int | None, dict[str, object]]] = []
        self.others: list[Node] = []
        self.pools: list[Pool] = []

    async def second(self, **view: Any) -> Node:
        """Another node on the same chain, asked when the first fails; view: as of localnet's View."""
        node = Node(self.chain, view=View(self.chain, **view))
        await node.start()
        self.others.append(node)
        return node

    def block(self, *programs: tuple[str, ...], failed: bool = False) -> None:
        """One block with a transaction for each tuple of programs."""
        for each in programs:
            self.chain.submit(draft(self.random, each, failed))
        self.chain.produce()

    def traffic(self, slots: int, most: int = 4, skips: float = 0.1) -> None:
        """Slots with 0 to `most` transactions each, some skipped, some transactions failed or of others."""
        mixes = [(ALPHA,), (BETA,), (ALPHA, BETA), (BETA, ALPHA), (OTHER,), (OTHER, ALPHA)]
        for _ in range(slots):
            for _ in range(self.random.randint(0, most)):
                self.chain.submit(draft(self.random, self.random.choice(mixes), self.random.random() < 0.15))
            self.chain.produce(skip=self.random.random() < skips)

    @property
    def confirmed(self) -> int:
        return self.chain.slot_at(Commitment.CONFIRMED)

    def settings(self, **changes: Any) -> IndexerSettings:
        rpc = RpcSettings(
            deadline_s=2.0,
            attempts=3,
            backoff_s=0.005,
            backoff_max_s=0.02,
            rest_s=0.02,
            rest_max_s=0.1,
            health_interval_s=0.05,
            lag_slots=10,
        )
        chosen: dict[str, Any] = {
            "rpc_url": self.node.rpc_url,
            "rpc_urls": tuple(node.rpc_url for node in self.others),
            "ws_url": self.node.ws_url,
            "ws_urls": tuple(node.ws_url for node in self.others),
            "rpc": rpc,
            "poll_interval_s": 0.02,
            "retry_s": 0.005,
            "retry_max_s": 0.05,
            "null_rounds": 2,
        }
        return IndexerSettings(**{**chosen, **changes})

    def source(self, *, feed: bool = False, **changes: Any) -> RpcSource:
        settings = self.settings(**changes)
        pool = Pool.open(settings.endpoint_urls, settings.rpc)
        self.pools.append(pool)
        return RpcSource(
            Cluster(pool, settings.commitment),
            PROGRAMS,
            settings,
            feed=LogFeed(settings, PROGRAMS) if feed else None,
            on_incident=lambda kind, slot, detail: self.incidents.append((kind, slot, detail)),
        )

    async def read(self, source: RpcSource, first: int, through: int, last: int | None = None) -> list[Span]:
        """Spans until `through` is covered; at most 20 s."""
        spans: list[Span] = []
        async with asyncio.timeout(20):
            stream = source.spans(first, last)
            try:
                async for span in stream:
                    spans.append(span)
                    if span.last >= through:
                        break
            finally:
                await stream.aclose()
        return spans

    def expected(self, first: int, last: int) -> dict[int, tuple[int, list[tuple[int, str, bool]]]]:
        """slot -> (time, [(tx_index, signature, failed)]) of the slots that hold something of ours."""
        found = {}
        for block in self.chain.blocks(first, last):
            ours = [
                (each.index, each.signature, each.err is not None)
                for each in block.transactions
                if set(each.keys) & set(PROGRAMS)
            ]
            if ours:
                found[block.slot] = (block.time, ours)
        return found

    def check(self, spans: list[Span], first: int) -> None:
        """The spans are adjacent, begin at `first`, and hold exactly what the chain holds."""
        assert spans[0].first == first
        for before, after in itertools.pairwise(spans):
            assert after.first == before.last + 1
        assert rows(spans) == self.expected(first, spans[-1].last)


def rows(spans: list[Span]) -> dict[int, tuple[int, list[tuple[int, str, bool]]]]:
    """What spans hold, in the shape of World.expected."""

    def of(slot: Slot) -> tuple[int, list[tuple[int, str, bool]]]:
        return slot.block_time, [(each.tx_index, each.signature, each.failed) for each in slot.transactions]

    return {slot.number: of(slot) for span in spans for slot in span.slots}


@pytest.fixture
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world whose node runs; the seed is printed where a test fails."""
    seed = getattr(request, "param", 7)
    print(f"seed {seed}")
    world = World(seed)
    await world.node.start()
    try:
        yield world
    finally:
        for pool in world.pools:
            await pool.close()
        for node in (world.node, *world.others):
            await node.stop()


@pytest.fixture
def programs() -> dict[str, str]:
    return {"alpha": ALPHA, "beta": BETA, "other": OTHER}
