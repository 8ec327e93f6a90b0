"""The finalizer beside the indexer, one difficulty at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings, RpcSettings
from heliograph_localnet import rpc
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.faults import Occasion, Reaction
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.node import Node
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.view import View
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, get_stream

GODARK = PROTOCOLS["godark"]
LAG = 10


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    settings = LocalnetSettings(seed=9, rate=0, symbols=("SOL-PERP",), skip_probability=0, finalized_lag=LAG)
    async with Localnet(settings) as net:
        yield net


@pytest.fixture
async def stream(database: Database, net: Localnet) -> StreamRow:
    return await add_stream(
        database,
        "godark",
        protocol="godark",
        programs=list(net.programs),
        first_slot=net.settings.first_slot,
    )


@asynccontextmanager
async def running(
    database: Database, stream: StreamRow, net: Localnet, **changes: Any
) -> AsyncIterator[Indexer]:
    chosen: dict[str, Any] = {
        "rpc_url": net.rpc_url,
        "ws_url": net.ws_url,
        "rpc": RpcSettings(attempts=2, backoff_s=0.005, backoff_max_s=0.02),
        "poll_interval_s": 0.05,
        "retry_s": 0.01,
        "retry_max_s": 0.05,
        "finalize_interval_s": 0.02,
        "reconcile_interval_s": 3600.0,
    }
    indexer = Indexer(database, stream, GODARK, IndexerSettings(**{**chosen, **changes}))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(indexer.run())
        try:
            yield indexer
        finally:
            await indexer.stop()
            await task


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Polls: what is waited for happens in the indexer, which tells nobody. 30 s at most."""
    async with asyncio.timeout(30):
        while True:
            if await met():
                return
            await asyncio.sleep(0.01)


async def value(database: Database, query: str) -> Any:
    async with database.acquire() as connection:
        return await connection.fetchval(query)


def at(net: Localnet, commitment: Commitment = Commitment.CONFIRMED) -> int:
    return net.chain.slot_at(commitment)


async def stored(indexer: Indexer, net: Localnet) -> None:
    async def met() -> bool:
        return (indexer.status.committed_slot or -1) >= at(net)

    await until(met)


async def final(indexer: Indexer, slot: int) -> None:
    async def met() -> bool:
        return (indexer.status.final_slot or -1) >= slot

    await until(met)


async def signatures(database: Database) -> list[tuple[int, int, str]]:
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT slot, tx_index, signature FROM heliograph.transactions")
    return sorted((row["slot"], row["tx_index"], row["signature"]) for row in rows)


def expected(net: Localnet) -> list[tuple[int, int, str]]:
    rows = net.truth(at(net))["heliograph.transactions"]
    return sorted((row["slot"], row["tx_index"], row["signature"]) for row in rows)


async def test_nothing_is_corrected_where_nothing_forked(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    await net.step(3)
    async with running(database, stream, net) as indexer:
        for _ in range(20):
            net.deposit("alice", 5)
            net.fail()
            await net.step()
            await stored(indexer, net)
        await final(indexer, at(net, Commitment.FINALIZED))
        row = await get_stream(database, "godark")
    assert row is not None and row.final_slot == indexer.status.final_slot == at(net, Commitment.FINALIZED)
    assert await value(database, "SELECT count(*) FROM heliograph.commits WHERE kind = 'correct'") == 0


async def test_the_same_transactions_in_another_block_are_corrected(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    await net.step(LAG + 2)
    async with running(database, stream, net) as indexer:
        net.deposit("alice", 5)
        await net.step(3)
        await stored(indexer, net)
        before = await signatures(database)
        net.fork(4, shuffle=False)
        assert expected(net) == before
        await net.step(LAG + 2)
        await stored(indexer, net)
        await final(indexer, at(net, Commitment.FINALIZED))
    slot = before[-1][0]
    block = net.chain.block(slot)
    assert block is not None
    assert (
        await value(database, f"SELECT blockhash FROM heliograph.slots WHERE slot = {slot}")
        == block.blockhash
    )
    assert await value(database, "SELECT count(*) FROM heliograph.commits WHERE kind = 'correct'") == 1
    assert await signatures(database) == before


async def test_a_market_of_a_dropped_block_goes_and_its_account_with_it(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    await net.step(LAG + 2)
    async with running(database, stream, net) as indexer:
        gone = net.create_market("BTC-PERP")
        await net.step(2)
        await stored(indexer, net)
        assert await value(database, "SELECT count(*) FROM perps.markets") == 2
        net.fork(3, drop=gone)
        await net.step(LAG + 4)
        await stored(indexer, net)
        await final(indexer, at(net, Commitment.FINALIZED))
        address = net.market("SOL-PERP")

        async def one_open_market() -> bool:
            query = "SELECT string_agg(address, ',') FROM heliograph.accounts WHERE name = 'Market' AND lamports > 0"
            return bool(await value(database, query) == address)

        await until(one_open_market)
    assert await value(database, "SELECT string_agg(symbol, ',') FROM perps.markets") == "SOL-PERP"


@pytest.mark.parametrize("skipped", [True, False], ids=["skipped", "emptied"])
async def test_a_slot_that_a_fork_left_without_transactions_is_emptied(
    database: Database, net: Localnet, stream: StreamRow, skipped: bool
) -> None:
    await net.step(LAG + 2)
    async with running(database, stream, net) as indexer:
        dropped = net.deposit("alice", 5)
        net.ledger.close()
        slot = net.chain.open_slot - 1
        await net.step(2)
        await stored(indexer, net)
        assert (slot, 0, dropped) in await signatures(database)
        assert await value(database, "SELECT free FROM perps.balances WHERE updated_slot = " + str(slot)) == 5
        net.fork(3, drop=[dropped], skip=[slot] if skipped else [])
        await net.step(LAG + 4)
        await stored(indexer, net)
        await final(indexer, slot)
    assert await signatures(database) == expected(net)
    assert await value(database, f"SELECT count(*) FROM perps.balances WHERE updated_slot = {slot}") == 0
    assert await value(database, "SELECT final_slot FROM heliograph.streams") >= slot


async def test_a_late_row_is_taken_in_long_before_it_is_final(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    net.chain.finalized_lag = 10_000
    await net.step(5)
    async with running(database, stream, net, log_cache=False) as indexer:
        await stored(indexer, net)
        hidden = net.deposit("alice", 5)

        def without_it(rows: Any) -> Any:
            return [row for row in rows if row["signature"] != hidden]

        show = net.node.faults.on(
            "request", Reaction(rewrite=without_it), methods={"getSignaturesForAddress"}
        )
        await net.step(3)
        await stored(indexer, net)
        assert hidden not in {signature for _, _, signature in await signatures(database)}
        show()
        # The next listing passes by what the one before left out.
        net.deposit("bob", 5)
        await net.step(2)

        async def taken_in() -> bool:
            return await signatures(database) == expected(net)

        await until(taken_in)
        kinds = await value(database, "SELECT string_agg(kind, ' ') FROM heliograph.commits")
    assert "correct" in kinds
    assert await value(database, "SELECT final_slot FROM heliograph.streams") is None


async def test_a_fork_that_the_source_meets_is_mended_long_before_it_is_final(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    net.chain.finalized_lag = 10_000
    await net.step(5)
    async with running(database, stream, net) as indexer:
        dropped = [net.deposit("alice", 5), net.deposit("bob", 6)]
        await net.step(3)
        await stored(indexer, net)
        net.fork(4, drop=dropped)
        net.deposit("carol", 7)
        await net.step(4)

        async def mended() -> bool:
            return await signatures(database) == expected(net)

        await until(mended)
    assert await value(database, "SELECT final_slot FROM heliograph.streams") is None


async def test_a_listing_that_leaves_out_what_the_block_holds_takes_nothing_back(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    await net.step(LAG + 2)
    async with running(database, stream, net) as indexer:
        kept = net.deposit("alice", 5)
        await net.step(2)
        await stored(indexer, net)
        before = await signatures(database)
        slot = before[-1][0]

        def lie(occasion: Occasion) -> Reaction | None:
            if occasion.method != "getSignaturesForAddress" or occasion.value[1]["commitment"] != "finalized":
                return None
            return Reaction(rewrite=lambda rows: [row for row in rows if row["signature"] != kept])

        honest = net.node.faults.add(lie)
        await net.step(LAG + 2)

        async def in_trouble() -> bool:
            return kept in (indexer.status.trouble or "")

        await until(in_trouble)
        assert await signatures(database) == before
        assert (indexer.status.final_slot or 0) < slot
        honest()
        await final(indexer, slot)
    assert await signatures(database) == before
    assert await value(database, "SELECT count(*) FROM heliograph.commits WHERE kind = 'correct'") == 0


async def test_on_alpenglow_what_is_confirmed_is_final(
    database: Database, net: Localnet, stream: StreamRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rpc.METHODS, "getAgGenesisCert", lambda view, params: {"slot": 1})
    net.chain.finalized_lag = 10_000
    await net.step(5)
    async with running(database, stream, net) as indexer:
        net.deposit("alice", 5)
        await net.step(3)
        await final(indexer, at(net))
    assert await signatures(database) == expected(net)


async def test_a_cluster_that_finalizes_nothing_has_no_final_slot(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    net.chain.finalized_lag = 10_000
    async with running(database, stream, net) as indexer:
        net.deposit("alice", 5)
        await net.step(5)
        await stored(indexer, net)
        assert indexer.status.final_slot is None
    assert await value(database, "SELECT final_slot FROM heliograph.streams") is None


async def test_an_endpoint_that_refuses_history_delays_finality_and_says_so_once(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    def refuse(occasion: Occasion) -> Reaction | None:
        if occasion.method != "getSignaturesForAddress" or occasion.value[1]["commitment"] != "finalized":
            return None
        return Reaction(error=(-32011, "Transaction history is not available from this node", None))

    answers = net.node.faults.add(refuse)
    await net.step(LAG + 5)
    async with running(database, stream, net) as indexer:

        async def refused() -> bool:
            return "-32011" in (indexer.status.trouble or "")

        for _ in range(3):
            await until(refused)
            net.deposit("alice", 5)
            await net.step(2)
            await stored(indexer, net)
        assert indexer.status.final_slot is None
        answers()
        await final(indexer, at(net, Commitment.FINALIZED))

        async def well() -> bool:
            return indexer.status.trouble is None

        await until(well)
        net.deposit("alice", 5)
        await net.step(2)
        await stored(indexer, net)
    assert (
        await value(database, "SELECT count(*) FROM heliograph.incidents WHERE kind = 'audit_refused'") == 1
    )


async def test_what_cannot_be_judged_does_not_keep_the_rest_from_being_mended(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    await net.step(LAG + 2)
    async with running(database, stream, net, span_transactions=1) as indexer:
        kept = net.deposit("alice", 5)
        net.ledger.close()
        dropped = net.deposit("bob", 6)
        await net.step(2)
        await stored(indexer, net)

        def lie(occasion: Occasion) -> Reaction | None:
            if occasion.method != "getSignaturesForAddress" or occasion.value[1]["commitment"] != "finalized":
                return None
            return Reaction(rewrite=lambda rows: [row for row in rows if row["signature"] != kept])

        honest = net.node.faults.add(lie)
        net.fork(2, drop=[dropped])
        net.deposit("carol", 7)
        await net.step(LAG + 2)
        await stored(indexer, net)

        async def mended() -> bool:
            return await signatures(database) == expected(net)

        await until(mended)
        slot = next(slot for slot, _, signature in await signatures(database) if signature == kept)
        assert (indexer.status.final_slot or 0) < slot
        honest()
        await final(indexer, at(net, Commitment.FINALIZED))
    assert await signatures(database) == expected(net)


async def test_an_audit_that_fails_at_one_endpoint_is_done_anew_at_another(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    """The first lists less than its own blocks hold: the second proves, lists and gives blocks."""
    await net.step(LAG + 2)
    other = Node(net.chain, view=View(net.chain))
    await other.start()
    asked: dict[str, list[str]] = {"first": [], "second": []}
    hidden: set[str] = set()

    def lie(occasion: Occasion) -> Reaction | None:
        if occasion.method != "getSignaturesForAddress" or occasion.value[1]["commitment"] != "finalized":
            return None
        return Reaction(rewrite=lambda rows: [row for row in rows if row["signature"] not in hidden])

    def note(node: str) -> Callable[[Occasion], None]:
        def rule(occasion: Occasion) -> None:
            if occasion.moment == "request" and "finalized" in str(occasion.value):
                asked[node].append(occasion.method)

        return rule

    net.node.faults.add(note("first"))
    net.node.faults.add(lie)
    other.faults.add(note("second"))
    try:
        async with running(
            database, stream, net, rpc_urls=(other.rpc_url,), ws_urls=(other.ws_url,)
        ) as indexer:
            hidden.add(net.deposit("alice", 5))
            await net.step(LAG + 4)
            await stored(indexer, net)
            await final(indexer, at(net, Commitment.FINALIZED))
        assert await signatures(database) == expected(net)
    finally:
        await other.stop()
    assert {"getSlot", "getBlock", "getSignaturesForAddress"} <= set(asked["second"])
    assert await value(database, "SELECT count(*) FROM heliograph.commits WHERE kind = 'correct'") == 0
    assert (
        await value(database, "SELECT count(*) FROM heliograph.incidents WHERE kind = 'audit_refused'") == 0
    )
