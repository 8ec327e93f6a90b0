"""Whatever happens to the WebSocket costs latency and never a row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from random import Random

from tests.endtoend.indexing import PATIENCE_S
from tests.faults.run import POLL_S, FaultRun, fault_run
from tests.faults.weather import Fault, socket_faults

from heliograph_localnet.faults import Reaction
from heliograph_sql.database import Database

FAULTS = socket_faults(delay_s=10 * POLL_S)
ALL_AT_ONCE = 0.15
"""How often each fault strikes where all do, in multiples of its share alone."""


async def test_each_fault_of_the_socket_alone_costs_no_row(database: Database) -> None:
    async with fault_run(database, seed=61) as run, run.indexer() as indexer:

        def cut() -> None:
            # So that what concerns opening and subscribing gets its chance.
            if indexer.status.deaf is None:
                run.nodes[0].disconnect()

        for name, fault in FAULTS.items():
            cut()
            await run.suffer(name, fault, provoke=cut)
        async with asyncio.timeout(PATIENCE_S):
            while indexer.status.deaf is not None:
                await run.trade(1)
        await run.end()


async def test_all_faults_of_the_socket_at_once_cost_no_row(database: Database) -> None:
    async with fault_run(database, seed=62) as run, run.indexer():
        await run.storm(FAULTS, scale=ALL_AT_ONCE, rounds=6)
        await run.end()


async def test_a_socket_that_is_cut_again_and_again_costs_no_row(database: Database) -> None:
    async with fault_run(database, seed=63) as run, run.indexer():
        for _ in range(12):
            await run.trade(2)
            run.nodes[0].disconnect()
        await run.end()


async def test_notifications_alone_wake_the_indexer(database: Database) -> None:
    """With a poll far beyond the test's patience: each slot is there because it was notified."""
    async with fault_run(database, seed=64) as run:
        async with run.indexer(poll_interval_s=3600.0, wake_on_slot=True):
            await run.trade(20)
            await run.suffer("half lost", Fault("notification", _half_lost(), 1.0), slots=10)
        async with run.indexer():
            await run.end()


async def test_a_socket_that_never_opens_costs_no_row(database: Database) -> None:
    async with fault_run(database, seed=65) as run:
        run.nodes[0].faults.on("connect", Reaction(status=503))
        await run.localnet.step(3)
        # Accounts are read over a socket only; their rows are compared elsewhere.
        async with run.indexer(accounts=False), asyncio.timeout(PATIENCE_S):
            await run.trade(12)
            await _covered_and_true(run)


async def _covered_and_true(run: FaultRun) -> None:
    await run.caught_up()
    before = run.witness.samples
    while run.witness.samples < before + 2:
        await run.localnet.step()
        await run.caught_up()


def _half_lost() -> Callable[[Random], Reaction]:
    turn = count()
    return lambda _: Reaction(copies=next(turn) % 2)
