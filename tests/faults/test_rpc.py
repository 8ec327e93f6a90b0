"""Whatever an RPC node answers costs time and never a row; what nobody can answer is said, and nothing is invented."""

from __future__ import annotations

import asyncio

import pytest
from tests.endtoend.indexing import PATIENCE_S
from tests.faults.run import GODARK, POLL_S, FaultRun, fault_run
from tests.faults.weather import Fault, lasting_faults, rpc_faults

from heliograph_core.errors import RpcRefused
from heliograph_indexer.indexer import Indexer
from heliograph_localnet.faults import Reaction
from heliograph_sql.database import Database

PASSING = rpc_faults()
LASTING = lasting_faults()
STOPPING = {
    "403": Reaction(status=403),
    "-32015": Reaction(error=(-32015, "Transaction version (2) is not supported", None)),
    "-32011": Reaction(error=(-32011, "Transaction history is not available from this node", None)),
}
"""What the only node says, and nobody can mend."""
TABLE = (
    -32004, -32014, -32016, -32019, -32007, -32009, -32001, -32010, -32011, -32005, -32012, -32013, -32015, -32020,
    -32017, 429, 403, 413, 500, 502, 503, 504,
)  # fmt: skip
"""The codes of the table of errors that the client goes by (tests/indexer/rpc/test_faults.py has what each asks for)."""
TRANSACTION = frozenset({"getTransaction"})
NULLS = 200
"""Answers without a transaction until it counts as a while: many rounds of the source's."""
ALL_AT_ONCE = 0.02
"""How often each fault strikes where all do, in multiples of its share alone."""


async def test_each_passing_fault_alone_costs_no_row(database: Database) -> None:
    async with fault_run(database, seed=71) as run, run.indexer():
        for name, fault in PASSING.items():
            await run.suffer(name, fault)
        await run.end()


async def test_all_passing_faults_at_once_cost_no_row(database: Database) -> None:
    async with fault_run(database, seed=72, views=({},)) as run, run.indexer():
        await run.storm(PASSING, scale=ALL_AT_ONCE, rounds=8)
        await run.end()


def test_every_code_of_the_table_goes_wrong_here() -> None:
    """What an RPC node may answer by the table of errors is tried: as what passes, as what lasts, or as what stops."""
    tried = {name.split()[0] for name in (*PASSING, *LASTING, *STOPPING)}
    assert tried >= {str(code) for code in TABLE}


async def test_transactions_that_are_null_for_a_while_are_waited_for(database: Database) -> None:
    """All of them, at every node: nothing behind the first is claimed until it is there."""
    async with fault_run(database, seed=77, views=({},)) as run, run.indexer() as indexer:
        await run.trade(6)
        nothing = {"null": Fault("request", lambda _: Reaction(rewrite=lambda _: None), 1.0, TRANSACTION)}
        mend = [run.weather.begin(node, nothing) for node in run.nodes]
        await run.witness.sample()
        held = await _step_to_ours(run)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if run.weather.hits["null"] >= NULLS and indexer.status.trouble is not None:
                    break
                await asyncio.sleep(POLL_S)
        await run.witness.sample()
        assert run.witness.last.complete_through < held
        for each in mend:
            each()
        await run.end()


async def _step_to_ours(run: FaultRun) -> int:
    """Goes on for a dozen slots; the first of them that holds a transaction of the stream."""
    ours, first = {*run.localnet.programs}, run.localnet.chain.open_slot
    await run.localnet.step(12)
    blocks = run.localnet.chain.blocks(first, run.localnet.chain.open_slot)
    return next(block.slot for block in blocks if any(ours & {*each.keys} for each in block.transactions))


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
    ("code", "said"), [("403", "403"), ("-32015", "bug"), ("-32011", "-32011")], ids=[*STOPPING]
)
async def test_what_the_only_node_will_never_answer_stops_and_is_said(
    database: Database, code: str, said: str
) -> None:
    async with fault_run(database, seed=76) as run:
        async with run.indexer():
            await run.trade(6)
        mend = run.nodes[0].faults.on(
            "request", STOPPING[code], methods={"getBlock", "getTransaction", "getSignaturesForAddress"}
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
