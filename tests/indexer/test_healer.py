"""The healer on localnet: gaps are filled beside others, past what is refused, and never past what failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.endtoend.fetched import Fetched

from heliograph_core.intervals import SlotSet
from heliograph_indexer.healer import Healer, heal_share
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.settings import HealSettings, IndexerSettings, RpcSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.faults import Occasion, Reaction
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.node import Node
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.view import View
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, read_coverage
from heliograph_sql.writer import Writer

GODARK = PROTOCOLS["godark"]


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=5, rate=40, traders=40, finalized_lag=8)) as net:
        await net.step(120)
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


def settings(net: Localnet, **heal: Any) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=net.rpc_url,
        ws_url=net.ws_url,
        rpc=RpcSettings(deadline_s=1.5, attempts=2, backoff_s=0.005, backoff_max_s=0.02),
        poll_interval_s=0.05,
        retry_s=0.01,
        retry_max_s=0.05,
        heal=HealSettings(
            **{"piece_slots": 16, "poll_s": 0.05, "batch_age_s": 0.2, "refused_s": 0.3, **heal}
        ),
    )


def confirmed(net: Localnet) -> int:
    return net.chain.slot_at(Commitment.CONFIRMED)


class Healers:
    """Starts healers that run until the end of the test."""

    def __init__(self, database: Database, net: Localnet, stream: StreamRow, stack: AsyncExitStack) -> None:
        self._database, self._net, self._stream, self._stack = database, net, stream, stack
        self.running: list[asyncio.Task[None]] = []

    async def start(
        self, name: str = "one", through: int | None = None, net: Localnet | None = None, **heal: Any
    ) -> Healer:
        chosen = settings(net or self._net, **heal)
        client = await self._stack.enter_async_context(RpcClient(chosen.rpc_url, chosen.rpc))
        healer = Healer(self._database, self._stream, GODARK, chosen, Cluster(client), holder=f"{name}:heal")
        task = asyncio.create_task(healer.run(confirmed(self._net) if through is None else through))
        self.running.append(task)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(stop)
        return healer

    async def until(self, met: Callable[[], bool]) -> None:
        """Polls: a healer tells nobody. 30 s at most."""
        async with asyncio.timeout(30):
            while True:
                if met():
                    return
                for task in self.running:
                    if task.done() and not task.cancelled():
                        task.result()
                await asyncio.sleep(0.01)


@pytest.fixture
async def healers(database: Database, net: Localnet, stream: StreamRow) -> AsyncIterator[Healers]:
    async with AsyncExitStack() as stack:
        yield Healers(database, net, stream, stack)


async def stored(database: Database) -> list[str]:
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT signature FROM heliograph.transactions")
    return sorted(row["signature"] for row in rows)


async def pieces_committed(database: Database) -> list[tuple[int, int, str]]:
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT first_slot, last_slot, origin FROM heliograph.commits ORDER BY seq"
        )
    return [tuple(row) for row in rows]


def expected(net: Localnet) -> list[str]:
    return sorted(row["signature"] for row in net.truth(confirmed(net))["heliograph.transactions"])


@asynccontextmanager
async def refused(net: Localnet, methods: set[str], code: int) -> AsyncIterator[None]:
    """The node answers with the error while the block lasts."""
    undo = net.node.faults.on("request", Reaction(error=(code, "refused", None)), methods=methods)
    try:
        yield
    finally:
        undo()


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_gaps_are_filled_in_the_order_of_the_setting(
    database: Database, net: Localnet, healers: Healers, order: str
) -> None:
    healer = await healers.start(order=order)
    await healers.until(lambda: healer.status.gaps == 0)
    assert await stored(database) == expected(net)
    commits = await pieces_committed(database)
    firsts = [first // 16 for first, _, _ in commits]
    assert firsts == sorted(firsts, reverse=order == "newest") and len(set(firsts)) > 3
    assert {origin for *_, origin in commits} == {"heal"}
    status = healer.status
    assert status.healed_gaps == 1 and status.gap_slots == 0 and status.trouble is None
    assert status.healed_slots == confirmed(net) - net.settings.first_slot + 1
    assert status.transactions == len(expected(net)) and status.commits == len(commits)
    assert status.rows > 0 and status.piece is None


async def test_two_healers_that_meet_fetch_and_write_nothing_twice(
    database: Database, net: Localnet, healers: Healers
) -> None:
    fetched = Fetched(net)
    one, two = await healers.start("one"), await healers.start("two")
    await healers.until(lambda: one.status.gaps == 0 and two.status.gaps == 0)
    assert await stored(database) == expected(net)
    assert fetched.twice() == []
    assert one.status.healed_slots and two.status.healed_slots, "one of them did everything"
    assert one.status.healed_slots + two.status.healed_slots == confirmed(net) - net.settings.first_slot + 1


async def test_what_a_dead_healer_had_claimed_is_filled_when_its_claim_ends(
    database: Database, net: Localnet, stream: StreamRow, healers: Healers
) -> None:
    first = stream.first_slot
    dead = Writer(database, "godark", "dead", claim_ttl_s=600)
    await dead.claim(first, first + 15)
    healer = await healers.start()
    await healers.until(lambda: healer.status.gap_slots == 16)
    assert await read_coverage(database, "godark") == SlotSet([(first + 16, confirmed(net))])
    async with database.acquire() as connection:
        await connection.execute("UPDATE heliograph.claims SET expires = clock_timestamp()")
    await healers.until(lambda: healer.status.gaps == 0)
    assert await stored(database) == expected(net)


async def test_a_claim_is_prolonged_for_as_long_as_the_piece_takes(
    database: Database, net: Localnet, healers: Healers
) -> None:
    slow = net.node.faults.on("request", Reaction(delay_s=0.8), methods={"getTransaction"}, times=200)
    fetched = Fetched(net)
    one = await healers.start("one", claim_ttl_s=0.3)
    await healers.until(lambda: one.status.piece is not None)
    two = await healers.start("two", claim_ttl_s=0.3)
    await healers.until(lambda: one.status.gaps == 0 and two.status.gaps == 0)
    slow()
    assert fetched.twice() == []
    assert await stored(database) == expected(net)


async def test_who_lost_a_claim_gives_the_piece_up_and_writes_nothing_of_it(
    database: Database, net: Localnet, healers: Healers
) -> None:
    hung = net.node.faults.on("request", Reaction(hang=True), methods={"getTransaction"})
    healer = await healers.start(claim_ttl_s=0.3)
    await healers.until(lambda: healer.status.piece is not None)
    piece = healer.status.piece
    assert piece is not None
    thief = Writer(database, "godark", "thief", claim_ttl_s=1.0)
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM heliograph.claims")
    await thief.claim(*piece)
    await healers.until(lambda: healer.status.piece not in (None, piece))
    assert not (await read_coverage(database, "godark")) & SlotSet([piece])
    hung()
    await healers.until(lambda: healer.status.gaps == 0)
    assert await stored(database) == expected(net)


async def test_nothing_advances_past_a_fetch_that_failed(
    database: Database, net: Localnet, healers: Healers
) -> None:
    async with refused(net, {"getTransaction"}, -32004):
        healer = await healers.start(order="oldest")
        await healers.until(lambda: healer.status.trouble is not None)
        assert not await read_coverage(database, "godark")
        assert healer.status.piece is not None and healer.status.piece.first == net.settings.first_slot
    await healers.until(lambda: healer.status.gaps == 0)
    assert healer.status.trouble is None
    assert await stored(database) == expected(net)


async def test_history_that_the_endpoint_pruned_is_put_off_and_the_rest_is_healed(
    database: Database, net: Localnet, stream: StreamRow, healers: Healers
) -> None:
    net.node.view.keep_slots = 40
    kept_from = net.node.view.first_available
    assert kept_from > stream.first_slot
    healer = await healers.start(refused_s=60.0)
    await healers.until(lambda: healer.status.gap_slots == kept_from - stream.first_slot)
    assert "keeps blocks from slot" in (healer.status.trouble or "")
    assert await read_coverage(database, "godark") == SlotSet([(kept_from, confirmed(net))])


async def test_what_one_of_two_endpoints_still_keeps_is_healed_from_it(
    database: Database, net: Localnet, stream: StreamRow, healers: Healers
) -> None:
    """Oldest first, pieces come first that neither keeps: they are put off, and no more than they."""
    longer = Node(net.chain, view=View(net.chain, keep_slots=80))
    await longer.start()
    try:
        net.node.view.keep_slots = 40
        kept_from = longer.view.first_available
        assert stream.first_slot < kept_from < net.node.view.first_available
        chosen = replace(settings(net, order="oldest", refused_s=60.0), rpc_urls=(longer.rpc_url,))
        async with Pool.open(chosen.endpoint_urls, chosen.rpc) as pool:
            share = Cluster(heal_share(pool, chosen))
            healer = Healer(database, stream, GODARK, chosen, share, holder="one:heal")
            task = asyncio.create_task(healer.run(confirmed(net)))
            healers.running.append(task)
            await healers.until(lambda: healer.status.gap_slots == kept_from - stream.first_slot)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    finally:
        await longer.stop()
    assert await read_coverage(database, "godark") == SlotSet([(kept_from, confirmed(net))])


async def test_a_refused_piece_is_recorded_and_asked_for_again(
    database: Database, net: Localnet, healers: Healers
) -> None:
    async with refused(net, {"getTransaction"}, -32015):
        healer = await healers.start()
        await healers.until(lambda: healer.status.trouble is not None)
    await healers.until(lambda: healer.status.gaps == 0)
    assert await stored(database) == expected(net)
    async with database.acquire() as connection:
        kinds = await connection.fetch("SELECT DISTINCT kind FROM heliograph.incidents")
    assert [row["kind"] for row in kinds] == ["heal_refused"]


async def test_the_healer_leaves_what_is_above_to_live_indexing(
    database: Database, net: Localnet, stream: StreamRow, healers: Healers
) -> None:
    through = stream.first_slot + 49
    healer = await healers.start(through=through)
    await healers.until(lambda: healer.status.gaps == 0)
    assert await read_coverage(database, "godark") == SlotSet([(stream.first_slot, through)])


async def test_an_indexer_begins_at_the_head_and_heals_what_lies_behind(
    database: Database, net: Localnet, stream: StreamRow, healers: Healers
) -> None:
    head = confirmed(net)
    old = set(expected(net))

    def refuse_history(occasion: Occasion) -> Reaction | None:
        asked = occasion.method == "getTransaction" and occasion.value[0] in old
        return Reaction(error=(-32004, "not now", None)) if asked else None

    undo = net.node.faults.add(refuse_history)
    indexer = Indexer(database, stream, GODARK, settings(net, catch_up_slots=10))
    task = asyncio.create_task(indexer.run())
    healers.running.append(task)
    await healers.until(
        lambda: indexer.status.healing is not None and indexer.status.healing.trouble is not None
    )
    await net.step(5)
    await healers.until(lambda: (indexer.status.committed_slot or 0) >= confirmed(net))
    assert await read_coverage(database, "godark") == SlotSet([(head + 1, confirmed(net))])
    undo()
    await healers.until(lambda: indexer.status.healing is not None and indexer.status.healing.gaps == 0)
    healing = indexer.status.healing
    await indexer.stop()
    await task
    assert await stored(database) == expected(net)
    assert healing is not None and healing.healed_gaps == 1
