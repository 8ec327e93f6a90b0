"""All faults at once, in real time: socket, two nodes of which one is worse, forks, cut logs, subscribers that come and go.

Short among the tests. `make soak` makes it long: HELIOGRAPH_SOAK_SECONDS is how long the weather lasts (from a minute on
with the figures of a real cluster: notifications 30 s late, silence for longer than the socket may be silent),
HELIOGRAPH_SOAK_SEED makes the chain and the weather.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any

from tests.endtoend.chaos import DEEPEST
from tests.endtoend.indexing import PATIENCE_S
from tests.endtoend.serving import serving
from tests.faults.answers import answering
from tests.faults.replicas import replicating
from tests.faults.run import FaultRun, fault_run
from tests.faults.weather import Fault, rpc_faults, socket_faults

from heliograph_indexer.settings import RpcSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.faults import Reaction
from heliograph_localnet.manner import Manner
from heliograph_localnet.operation import UpdateFunding
from heliograph_sql.database import Database

SECONDS = float(os.environ.get("HELIOGRAPH_SOAK_SECONDS", "8"))
SEED = int(os.environ.get("HELIOGRAPH_SOAK_SEED", "4"))
LONG = SECONDS >= 60
DELAY_S = 30.0 if LONG else 0.5
SPELL_S = 20.0 if LONG else 1.0
"""Longest spell of one weather, and of a silence of everything."""
SCALE = 0.01
"""How often each fault strikes, in multiples of its share alone."""
ACTUAL: dict[str, Any] = {
    "rpc": RpcSettings(deadline_s=2.0),
    "poll_interval_s": 1.0,
    "socket_silence_s": 5.0,
    "finalize_interval_s": 1.0,
    "reconcile_interval_s": 10.0,
    "page_signatures": 100,
}
"""Settings of long runs: nearer to what an operator has."""


async def test_all_faults_at_once_cost_and_invent_no_row(database: Database) -> None:
    async with AsyncExitStack() as running:
        enter = running.enter_async_context
        view = {"unknown_cursor": "ignore", "transaction_index": False, "lag_slots": 3}
        run = await enter(fault_run(database, seed=SEED, views=(view,), slot_ms=250 if LONG else 60))
        host = await enter(serving(database))
        replicas = await enter(replicating(host, run.stream.name, SEED))
        answers = await enter(answering(host, run.localnet, run.witness))
        await enter(run.indexer(**(ACTUAL if LONG else {})))
        clear = [run.weather.begin(node, _faults(), scale=SCALE) for node in run.nodes]
        trading = asyncio.create_task(run.localnet.run())
        loop = asyncio.get_running_loop()
        end, patience = loop.time() + SECONDS, loop.time() + SECONDS + PATIENCE_S
        try:
            while loop.time() < end or not _is_stormy(run):
                assert loop.time() < patience, f"fair weather: {dict(run.weather.hits)}"
                await _spell(run)
        finally:
            trading.cancel()
            await asyncio.gather(trading, return_exceptions=True)
        for each in clear:
            each()
        for node in run.nodes:
            node.view.lag_slots = 0
        last = await run.chaos.quiet()
        await run.end()
        await replicas.equal(run.localnet.truth(last))
        rows = sum(map(len, run.localnet.truth(last).values()))
        print(
            f"{SECONDS:g} s, {run.chaos.forks} forks, {run.chaos.gone} transactions dropped, {replicas.breaks} breaks of "
            f"subscribers, {run.witness.samples} samples, {answers.complete} slots in answers, {rows} rows, faults {dict(run.weather.hits)}"
        )


def _is_stormy(run: FaultRun) -> bool:
    """On a machine that is slow just now a few seconds see little."""
    return run.chaos.gone > 0 and len(run.weather.hits) > 10


def _faults() -> dict[str, Fault]:
    faults = {**rpc_faults(), **socket_faults(DELAY_S)}
    # A notification's faults come alone for a while: see _spell.
    return {name: fault for name, fault in faults.items() if fault.share < 1}


async def _spell(run: FaultRun) -> None:
    """One thing that goes wrong beside the weather, and a while in which it lasts."""
    dice = run.dice
    match dice.choice(("fork", "fork", "cut", "drop sockets", "silence", "node away", "lag", "nothing")):
        case "fork":
            _fork(run)
        case "cut":
            flood = Manner(before=("flood", "flood"))
            run.localnet.submit(UpdateFunding(run.localnet.keeper, run.localnet.market("SOL-PERP")), flood)
        case "drop sockets":
            for node in run.nodes:
                node.disconnect()
        case "silence":
            await _while(run, dice.choice(run.nodes).faults.on("notification", Reaction(hang=True)))
        case "node away":
            await _while(run, dice.choice(run.nodes).faults.on("exchange", Reaction(abort=True)))
        case "lag":
            dice.choice(run.nodes).view.lag_slots = dice.choice((0, 2, 15))
    await asyncio.sleep(dice.uniform(0, SPELL_S / 4))


async def _while(run: FaultRun, clear: Any) -> None:
    try:
        await asyncio.sleep(run.dice.uniform(0, SPELL_S))
    finally:
        clear()


def _fork(run: FaultRun) -> None:
    chain, dice = run.localnet.chain, run.dice
    tip = chain.open_slot - 1
    # One slot less than may be: what the open slot holds is closed first, which makes another one final.
    room = tip - chain.slot_at(Commitment.FINALIZED) - 1
    depth = min(dice.randint(1, DEEPEST), room)
    if depth < 1:
        return
    drop = {
        each.signature
        for block in chain.blocks(tip - depth + 1, tip)
        for each in block.transactions
        if dice.random() < 0.2
    }
    run.chaos.gone += len(run.localnet.fork(depth, drop=drop, shuffle=dice.random() < 0.7))
    run.chaos.forks += 1
