"""Positions of the past equal the books of the exchange at any slot; HELIOGRAPH_SOAK=1 asks for a thousand of them."""

from __future__ import annotations

import json
import os
import random
from typing import Any

from tests.endtoend import test_drift as drift
from tests.endtoend import test_jupiter as jupiter
from tests.endtoend.comparison import as_stored, differences
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.nodes import rows_of, selection

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
from heliograph_indexer.protocols.godark import GoDark
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.act import Wait
from heliograph_localnet.chain import Chain
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.scenarios.drift import DriftScenario
from heliograph_localnet.scenarios.jupiter import JupiterScenario
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.stage import Stage
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

SEED = int(os.environ.get("HELIOGRAPH_SOAK_SEED", "20261129"))
SOAK = os.environ.get("HELIOGRAPH_SOAK") == "1"
TRANSACTIONS = 2_000 if SOAK else 500
SLOTS = 1_000 if SOAK else 40
PAGE = f"""query ($asOf: AsOf, $after: String) {{
    positions(asOf: $asOf, first: 100, after: $after) {{
        {selection("positions")} totalCount completeThrough {{ slot }} coverage {{ through gaps {{ from }} }}
        pageInfo {{ hasNextPage endCursor }}
    }}
}}"""
OPEN = """query ($asOf: AsOf) {
    positions(asOf: $asOf, where: {status: {eq: OPEN}}) {
        aggregates(by: [MARKET, SIDE], first: 1000) { groups { key { marketAddress side } count sum { size } } }
    }
}"""


async def test_positions_as_of_any_slot_equal_the_truth(database: Database) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    settings = LocalnetSettings(seed=SEED, funding_interval_seconds=10, traders=40, jump_probability=0.1)
    async with Localnet(settings) as localnet:
        stream = await add_stream(
            database,
            settings.stream,
            protocol="godark",
            programs=localnet.programs,
            first_slot=settings.first_slot,
        )
        while len(localnet.truth()["heliograph.transactions"]) < TRANSACTIONS:
            await localnet.step(20)
        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        indexer = IndexerSettings(rpc_url=localnet.rpc_url, ws_url=localnet.ws_url, wake_on_slot=True)
        async with indexing(database, stream, GoDark(), indexer):
            await caught_up(database, stream, last)
        executor = Executor(database, ApiSettings(response_cache=False))
        now = localnet.truth(last)["perps.positions"]
        changed = 0
        for slot in [dice.randint(settings.first_slot, last) for _ in range(SLOTS)]:
            expected = localnet.truth(slot)["perps.positions"]
            found = await _positions(executor, slot, last)
            rows = rows_of(found, expected or now)
            told = differences({"perps.positions": expected}, {"perps.positions": rows})
            assert not told, f"slot {slot}: {told}"
            assert await _open_interest(executor, slot) == _held(expected), f"slot {slot}"
            changed += any(row["status"] == "open" and row not in now for row in expected)
        assert changed > SLOTS // 2, "hardly a slot at which anything was otherwise than now"


@drift.pytestmark
async def test_flows_that_tell_no_side_and_accounts_give_the_positions_then(database: Database) -> None:
    """Drift: what is told later of how a position began counts for what was before it."""
    async with Stage(
        DriftScenario(drift.OLD.read_bytes(), newer=drift.NEW.read_bytes()), stream="drift"
    ) as stage:
        then = _play(stage)
        stream = await drift.add_stream(database)
        await drift.add_newer(database, stage)
        async with indexing(database, stream, drift.DRIFT, drift.settings(stage)):
            await caught_up(database, stream, drift.confirmed(stage), accounts=True)
    await _compare(database, then, drift.confirmed(stage))


@jupiter.pytestmark
async def test_changes_that_tell_no_entry_price_give_the_positions_then(database: Database) -> None:
    """Jupiter: entry prices are averages, rounded at each step."""
    chain = Chain(
        seed=SEED, genesis_time=1_790_000_000, slot_ms=250, first_slot=jupiter.FIRST, finalized_lag=4
    )
    stage = Stage(JupiterScenario(jupiter.OLD, SEED, newer=jupiter.NEW), stream="jupiter", chain=chain)
    then = _play(stage)
    stream = await jupiter.stream_of(database)
    await jupiter.add_newer(database, stage)
    last = chain.slot_at(Commitment.CONFIRMED)
    async with stage, indexing(database, stream, jupiter.JUPITER, jupiter.settings(stage)):
        await caught_up(database, stream, last, accounts=True)
    await _compare(database, then, last)


def _play(stage: Stage[Any]) -> dict[int, list[dict[str, Any]]]:
    """The whole script; what the books said whenever a slot was closed."""
    then: dict[int, list[dict[str, Any]]] = {}
    for step in stage.scenario.script(stage.now):
        stage.play([step])
        if isinstance(step, Wait):
            then[stage.chain.slot_at(Commitment.PROCESSED)] = as_stored(stage.books.rows())["perps.positions"]
    return then


async def _compare(database: Database, then: dict[int, list[dict[str, Any]]], last: int) -> None:
    executor = Executor(database, ApiSettings(response_cache=False))
    slots = [slot for slot in then if slot <= last]
    assert sum(then[slot] != then[max(slots)] for slot in slots) > 5, (
        "hardly a slot at which things stood otherwise"
    )
    for slot in slots:
        found = rows_of(await _positions(executor, slot, last), then[slot] or then[max(slots)])
        told = differences({"perps.positions": then[slot]}, {"perps.positions": found})
        assert not told, f"slot {slot}: {told}"


async def _ask(executor: Executor, text: str, **variables: Any) -> Any:
    body = json.loads((await executor.execute(Request(text, None, variables))).body)
    assert "errors" not in body, body
    return body["data"]["positions"]


async def _positions(executor: Executor, slot: int, last: int) -> list[Any]:
    """All pages, each of which is complete."""
    nodes: list[Any] = []
    after = None
    while True:
        page = await _ask(executor, PAGE, asOf={"slot": str(slot)}, after=after)
        nodes += page["nodes"]
        assert int(page["completeThrough"]["slot"]) >= last >= slot
        assert page["coverage"] == {"through": str(slot), "gaps": []}
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(nodes)
            return nodes
        after = page["pageInfo"]["endCursor"]


async def _open_interest(executor: Executor, slot: int) -> dict[tuple[str, str], tuple[int, str]]:
    page = await _ask(executor, OPEN, asOf={"slot": str(slot)})
    return {
        (group["key"]["marketAddress"], group["key"]["side"].lower()): (
            int(group["count"]),
            group["sum"]["size"],
        )
        for group in page["aggregates"]["groups"]
    }


def _held(positions: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, str]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for row in positions:
        if row["status"] == "open":
            found.setdefault((row["market"], row["side"]), []).append(row["size"])
    return {key: (len(sizes), format(sum(sizes).normalize(), "f")) for key, sizes in found.items()}
