"""Whatever an RPC node answers costs time and never a row; what nobody can answer is said, and nothing is invented."""

from __future__ import annotations

import asyncio

import pytest
from tests.endtoend.indexing import PATIENCE_S
from tests.faults.run import GODARK, fault_run
from tests.faults.weather import lasting_faults, rpc_faults

from heliograph_core.errors import RpcRefused
from heliograph_indexer.indexer import Indexer
from heliograph_localnet.faults import Reaction
from heliograph_sql.database import Database

PASSING = rpc_faults()
LASTING = lasting_faults()
ALL_AT_ONCE = 0.02
"""How often each fault strikes where all do, in multiples of its share alone."""


async def test_each_passing_fault_alone_costs_no_row(database: Database) -> None:
    async with fault_run(database, seed=71) as run, run.indexer():
        for name, fault in PASSING.items():
            await run.suffer(name, fault)
        await run.end()


async def test_all_passing_faults_at_once_cost_no_row(database: Database) -> None:
    async with fault_run(database, seed=72, views=({},)) as run, run.indexer():
        clear = [run.weather.begin(node, PASSING, scale=ALL_AT_ONCE) for node in run.nodes]
        for _ in range(8):
            await run.trade(3)
            await run.chaos.round(wait=False)
        for each in clear:
            each()
        await run.end()
        assert len(run.weather.hits) > len(PASSING) // 2, run.weather.hits


async def test_each_lasting_fault_of_one_node_of_two_costs_no_row(database: Database) -> None:
    async with fault_run(database, seed=73, views=({},)) as run:
        for name, fault in LASTING.items():
            # What a node refused for good it is never asked again: each fault needs an indexer that does not know it.
            async with run.indexer():
                await run.suffer(name, fault, run.nodes[0], slots=3)
        async with run.indexer():
            await run.end()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"lag_slots": 4}, {}),
        ({"lag_slots": 30}, {}),
        ({}, {"lag_slots": 6}),
        ({"keep_slots": 5}, {}),
        ({"history": False}, {}),
        ({"unknown_cursor": "ignore", "transaction_index": False}, {"lag_slots": 3}),
        ({"unknown_cursor": "empty", "transaction_index": False}, {"unknown_cursor": "error"}),
    ],
    ids=[
        "first lags",
        "first lags far",
        "second lags",
        "first prunes",
        "first without history",
        "old",
        "mixed",
    ],
)
async def test_two_nodes_of_which_one_is_worse_cost_no_row(
    database: Database, first: dict[str, object], second: dict[str, object]
) -> None:
    async with fault_run(database, seed=74, views=(second,)) as run:
        for name, value in first.items():
            setattr(run.nodes[0].view, name, value)
        async with run.indexer():
            for _ in range(3):
                await run.trade(4)
                await run.chaos.round(wait=False)
            # Now and then the other one is asked.
            await run.suffer("dead", LASTING["dead"], run.nodes[0], slots=4)
            for node in run.nodes:
                node.view.lag_slots = 0
            await run.end()


@pytest.mark.parametrize("unknown", ["error", "empty", "ignore"])
async def test_a_cursor_that_a_fork_took_away_costs_no_row(database: Database, unknown: str) -> None:
    """-32020 of new nodes, an empty or the newest page of old ones."""
    async with fault_run(database, seed=75) as run, run.indexer():
        run.nodes[0].view.unknown_cursor = unknown  # type: ignore[assignment]
        run.nodes[0].view.transaction_index = unknown == "error"
        for _ in range(3):
            await run.chaos.round(wait=False)
            await run.chaos.round(wait=run.dice.random() < 0.5)
        await run.end()


@pytest.mark.parametrize(
    ("reaction", "said"),
    [
        (Reaction(status=403), "403"),
        (Reaction(error=(-32015, "Transaction version (2) is not supported", None)), "bug"),
        (Reaction(error=(-32011, "Transaction history is not available from this node", None)), "-32011"),
    ],
    ids=["403", "-32015", "-32011"],
)
async def test_what_the_only_node_will_never_answer_stops_and_is_said(
    database: Database, reaction: Reaction, said: str
) -> None:
    async with fault_run(database, seed=76) as run:
        async with run.indexer():
            await run.trade(6)
        mend = run.nodes[0].faults.on(
            "request", reaction, methods={"getBlock", "getTransaction", "getSignaturesForAddress"}
        )
        await run.localnet.step(6)
        indexer = Indexer(database, run.stream, GODARK, run.settings())
        with pytest.raises(RpcRefused, match=said):
            async with asyncio.timeout(PATIENCE_S):
                await indexer.run()
        assert indexer.status.state == "stopped"
        mend()
        async with run.indexer():
            await run.trade(6)
            await run.end()
