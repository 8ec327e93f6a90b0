"""End to end on a real Solana runtime: what is sent is what the tables hold and what subscribers are told."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx2
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.nodes import LIVE, ROOTS, query, rows_of, selection
from tests.endtoend.serving import serving
from tests.endtoend.subscriber import subscriber
from tests.surfpool.expected import Expectation, Place
from tests.surfpool.godark import POSITIONS, VAULT, Fields, positions, stranger, vault
from tests.surfpool.sender import Sender
from tests.surfpool.surfnet import Surfnet
from tests.surfpool.trading import MARKET, Act, market_account, opening, session

from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream

STREAM = "godark"
RENT = 10_000_000
CONFIRMED = {"commitment": "confirmed"}
BLOCK = {
    **CONFIRMED,
    "transactionDetails": "signatures",
    "rewards": False,
    "maxSupportedTransactionVersion": 1,
}


class Stage:
    """One run on one runtime: sends the acts and remembers where they came to stand."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.places: dict[str, Place] = {}

    async def play(self, *acts: Act) -> None:
        """Sends in order, at once, and waits until all are confirmed."""
        sent = {act.name: await self.sender.send(*act.instructions, versioned=act.versioned) for act in acts}
        slots = await self.sender.confirm(*sent.values())
        page = await self.sender.call("getSignaturesForAddress", POSITIONS, CONFIRMED)
        times = {row["signature"]: row["blockTime"] for row in page}
        for (name, signature), slot in zip(sent.items(), slots, strict=True):
            # Of this runtime's blocks only the order of signatures can be believed, not the time.
            block = await self.sender.call("getBlock", slot, BLOCK)
            index = block["signatures"].index(signature)
            self.places[name] = Place(slot, index, times[signature], signature)

    async def put_market(self) -> Fields:
        """The Market account as create_market would have left it."""
        created = self.places["create"]
        fields = market_account(
            mark=150_300_000,
            index=150_250_000,
            interest=0,
            created_slot=created.slot,
            created_at=created.block_time,
        )
        data = positions().encoder.account("Market", fields)
        account = {"lamports": RENT, "owner": POSITIONS, "data": data.hex()}
        await self.sender.call("surfnet_setAccount", MARKET, account)
        return fields


async def test_rows_and_messages_equal_what_was_sent(fresh_runtime: Surfnet, database: Database) -> None:
    protocol = PROTOCOLS["godark"]
    async with AsyncExitStack() as running:
        client = await running.enter_async_context(httpx2.AsyncClient(trust_env=False))
        stage = Stage(Sender(fresh_runtime.rpc_url, fresh_runtime.payer, client, fresh_runtime.numbers))
        stream = await _stream(stage, database)
        host = await running.enter_async_context(serving(database))
        await running.enter_async_context(indexing(database, stream, protocol, _settings(fresh_runtime)))
        listener = await running.enter_async_context(subscriber(host))
        # A cursor from before anything is sent: what comes after it comes whole, however late the others begin.
        await listener.subscribe("commits", "cursor")
        cursor = (await listener.first("commits"))["cursor"]
        for root in LIVE:
            await listener.subscribe(root, selection(root), after=cursor)

        await stage.play(opening(positions()))
        created = await stage.put_market()
        await stage.play(*session(positions(), vault(), stranger(), created))

        last = max(place.slot for place in stage.places.values())
        # This runtime scans accounts in the open slot, so that more may come in the slot that it names.
        await caught_up(database, stream, last + 1, accounts=True)
        expected = Expectation(STREAM, stage.places).tables()
        await listener.receive({root: len(expected[ROOTS[root]]) for root in LIVE})
        asked = await client.post(f"http://{host}/graphql", json={"query": query()})
        async with database.acquire() as connection:
            stored = await read_tables(connection, STREAM)
            undecoded = await connection.fetch("SELECT * FROM heliograph.undecoded")
            errors = await connection.fetch(
                "SELECT signature, err_name FROM heliograph.transactions WHERE err_name IS NOT NULL"
            )

    told = differences(expected, stored)
    assert not told, told
    assert undecoded == []
    assert [tuple(row) for row in errors] == [(stage.places["failed"].signature, "InsufficientCollateral")]
    for root in LIVE:
        rows = expected[ROOTS[root]]
        in_order = sorted(rows, key=lambda row: (row["slot"], row["tx_index"], row["ordinal"]))
        assert rows_of(listener.nodes(root), rows) == in_order
    answer = asked.json()["data"]
    queried = {table: rows_of(answer[root]["nodes"], expected[table]) for root, table in ROOTS.items()}
    told = differences({table: expected[table] for table in queried}, queried)
    assert not told, told
    assert all(int(answer[root]["completeThrough"]["slot"]) > last for root in ROOTS)


async def _stream(stage: Stage, database: Database) -> StreamRow:
    first = await stage.sender.call("getSlot", CONFIRMED)
    return await add_stream(
        database, STREAM, protocol="godark", programs=(POSITIONS, VAULT), first_slot=first
    )


def _settings(runtime: Surfnet) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=runtime.front_url,
        ws_url=runtime.ws_url,
        wake_on_slot=True,
        # This runtime notifies accounts with the slot of the subscription, so that only a scan brings news.
        reconcile_interval_s=0.5,
    )
