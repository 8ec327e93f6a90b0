"""Positions of the past equal the books of the exchange at any slot; HELIOGRAPH_SOAK=1 asks for a thousand of them."""

from __future__ import annotations

import json
import os
import random
from typing import Any

from tests.endtoend.comparison import differences
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.nodes import rows_of, selection

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
from heliograph_indexer.protocols.godark import GoDark
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
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
