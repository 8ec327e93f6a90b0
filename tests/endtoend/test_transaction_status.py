"""A client follows its own transactions on a chain that forks: what was said is taken back, and what stays is told as final."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.endtoend.chaos import FINALIZED_LAG, confirmed_slot
from tests.endtoend.indexing import PATIENCE_S, caught_up, indexing
from tests.endtoend.serving import serving
from tests.graphql.test_websocket import connect

from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

GODARK = PROTOCOLS["godark"]
SEED = 11
FOLLOW = """subscription ($signatures: [String!]!) {
  transactionStatus(signatures: $signatures) { snapshot nodes { signature status final correction slot err } }
}"""


async def test_a_fork_takes_back_what_was_said_and_finality_ends_it(database: Database) -> None:
    chosen = LocalnetSettings(seed=SEED, rate=80, traders=40, finalized_lag=FINALIZED_LAG)
    async with Localnet(chosen) as localnet, serving(database) as host:
        chain = localnet.chain
        stream = await add_stream(
            database,
            localnet.settings.stream,
            protocol=GODARK.name,
            programs=localnet.programs,
            first_slot=localnet.settings.first_slot,
        )
        settings = IndexerSettings(
            rpc_url=localnet.rpc_url,
            ws_url=localnet.ws_url,
            poll_interval_s=0.05,
            finalize_interval_s=0.05,
            reconcile_interval_s=3600.0,
        )
        async with indexing(database, stream, GODARK, settings):
            await localnet.step(FINALIZED_LAG + 10)
            await caught_up(database, stream, confirmed_slot(localnet))
            final, tip = chain.slot_at(Commitment.FINALIZED), confirmed_slot(localnet)
            landed = {
                each.signature: each for block in chain.blocks(final + 1, tip) for each in block.transactions
            }
            gone, *stay = list(landed)[:6]
            told: dict[str, list[dict[str, Any]]] = {each: [] for each in (gone, *stay)}
            async with connect(f"ws://{host}/graphql") as client, asyncio.timeout(PATIENCE_S):
                await client.subscribe(FOLLOW, signatures=[gone, *stay])
                first = await client.message()
                assert first["snapshot"]
                for node in first["nodes"]:
                    told[node["signature"]].append(node)
                    failed = landed[node["signature"]].err is not None
                    assert node["status"] == ("FAILED" if failed else "INDEXED")
                assert gone in localnet.fork(chain.open_slot - final - 1, drop={gone}, shuffle=False)
                ends = chain.open_slot
                while chain.slot_at(Commitment.FINALIZED) <= ends:
                    localnet.ledger.close()
                while not (told[gone][-1]["correction"] and all(told[each][-1]["final"] for each in stay)):
                    for node in (await client.message())["nodes"]:
                        told[node["signature"]].append(node)

    assert (told[gone][-1]["status"], told[gone][-1]["slot"]) == ("PENDING", None)
    assert len(stay) == 5
    for signature in stay:
        block = next(
            block
            for block in chain.blocks(final + 1, ends)
            for each in block.transactions
            if each.signature == signature
        )
        last = told[signature][-1]
        failed = last["err"] is not None
        assert (last["status"], last["slot"]) == ("FAILED" if failed else "FINALIZED", str(block.slot))
