"""Holes of other indexers that take a whole one to fall into; those of fetching alone: tests/indexer/sources/test_known_holes.py."""

from __future__ import annotations

import asyncio

from tests.endtoend.indexing import PATIENCE_S
from tests.faults.run import FaultRun, fault_run

from heliograph_indexer.settings import HealSettings
from heliograph_localnet.faults import Occasion, Reaction
from heliograph_sql.database import Database
from heliograph_sql.streams import read_coverage


async def test_the_checkpoint_passes_neither_a_fill_that_runs_nor_one_that_failed_and_is_resumed(
    database: Database,
) -> None:
    """One transaction of the gap cannot be had: live goes on far above it, and completeness stays below it."""
    heal = HealSettings(catch_up_slots=0, piece_slots=8, poll_s=0.05)
    async with fault_run(database, seed=97, skip_probability=0.0) as run:
        slot = run.stream.first_slot + 11
        block = run.localnet.chain.block(slot)
        assert block is not None
        ours = [each.signature for each in block.transactions if {*run.localnet.programs} & {*each.keys}]
        held = ours[0]

        def away(occasion: Occasion) -> Reaction | None:
            wanted = occasion.method == "getTransaction" and occasion.value[0] == held
            return Reaction(error=(-32019, "storage is away", None)) if wanted else None

        release = run.nodes[0].faults.add(away)
        for _ in range(2):
            async with run.indexer(heal=heal):
                await _live_above(run, run.localnet.chain.open_slot)
                await run.witness.sample()
                assert run.witness.last.complete_through < slot
        release()
        async with run.indexer(heal=heal):
            await run.end()


async def _live_above(run: FaultRun, slot: int) -> None:
    """Lets the chain go on until something above `slot` is covered."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            coverage = await read_coverage(run.database, run.stream.name)
            if coverage and coverage.ranges[-1][1] > slot:
                return
            await run.localnet.step()
            await asyncio.sleep(0.2)
