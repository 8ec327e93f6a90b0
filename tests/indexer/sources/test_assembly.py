"""Slots are made of answers that agree with each other, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from heliograph_core.errors import RpcUnavailable
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster, SignatureRow
from heliograph_indexer.sources.assembly import Assembly, Contradiction
from heliograph_localnet.faults import Reaction

FIRST = 1000


class Bench:
    """An assembly over the world's node, and the rows that the node lists."""

    def __init__(self, world: Any) -> None:
        settings = world.settings()
        self.world = world
        self.client = RpcClient(settings.rpc_url, settings.rpc)
        self.cluster = Cluster(self.client)
        self.assembly = Assembly(self.cluster, lambda signature, slot: None, null_rounds=1)

    def fault(self, method: str, change: Any) -> None:
        self.world.node.faults.on("request", Reaction(rewrite=change), methods={method})

    async def rows(self, program: str) -> list[SignatureRow]:
        return list(reversed(await self.cluster.signatures(program, limit=1000)))


@pytest.fixture
async def bench(world: Any, programs: dict[str, str]) -> AsyncIterator[Bench]:
    for _ in range(4):
        world.block((programs["alpha"],), (programs["other"],), (programs["alpha"],))
    world.block()
    bench = Bench(world)
    yield bench
    await bench.client.close()


def without(*names: str) -> Any:
    def change(value: Any) -> Any:
        found = value if isinstance(value, list) else [value]
        for each in found:
            for name in names:
                each[name] = None
        return value

    return change


async def test_a_slot_has_its_time_and_order(bench: Bench, programs: dict[str, str]) -> None:
    slots = await bench.assembly.slots(await bench.rows(programs["alpha"]))
    assert [slot.number for slot in slots] == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    assert [[each.tx_index for each in slot.transactions] for slot in slots] == [[0, 2]] * 4
    assert all(slot.block_time == bench.world.chain.time_of(slot.number) for slot in slots)


async def test_a_time_that_rows_lack_comes_from_the_block(bench: Bench, programs: dict[str, str]) -> None:
    bench.fault("getSignaturesForAddress", without("blockTime", "transactionIndex"))
    slots = await bench.assembly.slots(await bench.rows(programs["alpha"]))
    assert all(slot.block_time == bench.world.chain.time_of(slot.number) for slot in slots)
    assert all(slot.blockhash and slot.parent == slot.number - 1 for slot in slots)


async def test_a_time_divided_by_a_thousand_is_not_believed(bench: Bench, programs: dict[str, str]) -> None:
    def divide(block: Any) -> Any:
        block["blockTime"] //= 1000
        return block

    bench.fault("getSignaturesForAddress", without("blockTime", "transactionIndex"))
    bench.fault("getBlock", divide)
    slots = await bench.assembly.slots(await bench.rows(programs["alpha"]))
    assert all(slot.block_time == bench.world.chain.time_of(slot.number) for slot in slots)


async def test_a_missing_time_is_the_nearest_earlier_one(bench: Bench, programs: dict[str, str]) -> None:
    rows = await bench.rows(programs["alpha"])
    timeless = [
        SignatureRow(row.signature, row.slot, row.err, None, row.transaction_index)
        if row.slot > FIRST + 1
        else row
        for row in rows
    ]
    bench.world.node.faults.on("request", Reaction(rewrite=lambda _: None), methods={"getBlockTime"})
    slots = await bench.assembly.slots(timeless)
    expected = [bench.world.chain.time_of(FIRST + offset) for offset in (0, 1, 1, 1)]
    assert [slot.block_time for slot in slots] == expected


async def test_no_time_at_all_is_waited_for(bench: Bench, programs: dict[str, str]) -> None:
    bench.fault("getSignaturesForAddress", without("blockTime"))
    bench.world.node.faults.on("request", Reaction(rewrite=lambda _: None), methods={"getBlockTime"})
    with pytest.raises(RpcUnavailable, match="gives no time for slot"):
        await bench.assembly.slots(await bench.rows(programs["alpha"]))


def another_slot(record: Any) -> Any:
    record["slot"] += 1
    return record


def another_outcome(record: Any) -> Any:
    record["meta"]["err"] = "AccountInUse"
    return record


def nothing_in_it(record: Any) -> Any:
    record["transaction"] = {}
    return record


def other_signature(record: Any) -> Any:
    record["transaction"]["signatures"][0] = "1" * 64
    return record


@pytest.mark.parametrize(
    "change", [another_slot, another_outcome, nothing_in_it, other_signature, lambda _: None]
)
async def test_a_record_that_contradicts_the_listing_is_not_used(
    bench: Bench, programs: dict[str, str], change: Any
) -> None:
    bench.fault("getTransaction", change)
    with pytest.raises(Contradiction):
        await bench.assembly.slots(await bench.rows(programs["alpha"]))


async def test_a_block_that_does_not_hold_a_listed_row_is_not_used(
    bench: Bench, programs: dict[str, str]
) -> None:
    def lose_one(block: Any) -> Any:
        del block["signatures"][0]
        return block

    bench.fault("getSignaturesForAddress", without("transactionIndex"))
    bench.fault("getBlock", lose_one)
    with pytest.raises(Contradiction, match="listed in slot"):
        await bench.assembly.slots(await bench.rows(programs["alpha"]))


async def test_a_listed_slot_that_is_called_skipped_is_not_used(
    bench: Bench, programs: dict[str, str]
) -> None:
    rows = [
        SignatureRow(row.signature, row.slot, row.err, row.block_time)
        for row in await bench.rows(programs["alpha"])
    ]
    skipped = Reaction(error=(-32007, "Slot was skipped", None))
    bench.world.node.faults.on("request", skipped, methods={"getBlock"})
    with pytest.raises(Contradiction, match="called skipped"):
        await bench.assembly.slots(rows)


async def test_two_rows_at_one_place_are_not_used(bench: Bench, programs: dict[str, str]) -> None:
    def same_place(page: Any) -> Any:
        for row in page:
            row["transactionIndex"] = 0
        return page

    bench.fault("getSignaturesForAddress", same_place)
    with pytest.raises(Contradiction, match="one place"):
        await bench.assembly.slots(await bench.rows(programs["alpha"]))


async def test_an_order_that_the_block_denies_is_not_used(bench: Bench, programs: dict[str, str]) -> None:
    def swap(page: Any) -> Any:
        for row in page:
            row["transactionIndex"] = 2 - row["transactionIndex"]
        return page

    bench.fault("getSignaturesForAddress", swap)
    rows = await bench.rows(programs["alpha"])
    head = await bench.cluster.block(FIRST)
    with pytest.raises(Contradiction, match="its block has it at"):
        await bench.assembly.slots(rows, {FIRST: head})


@pytest.mark.parametrize("hashes", [True, False])
async def test_what_a_node_gave_is_kept_until_it_gave_the_rest(
    bench: Bench, programs: dict[str, str], hashes: bool
) -> None:
    """Behind a balancer each request may meet a node that lacks most: one transaction is given at a time, each once."""
    given: list[str] = []
    rows = await bench.rows(programs["alpha"])
    gives = True

    def one_at_a_time(occasion: Any) -> Reaction | None:
        nonlocal gives
        if occasion.moment == "exchange":
            gives = True
        if occasion.method != "getTransaction" or occasion.moment != "request":
            return None
        if gives and occasion.value[0] not in given:
            gives = False
            given.append(occasion.value[0])
            return None
        return Reaction(rewrite=lambda _: None)

    bench.world.node.faults.add(one_at_a_time)
    for _ in range(len(rows)):
        try:
            slots = await bench.assembly.slots(rows, hashes=hashes)
            break
        except Contradiction:
            continue
    found = [each.signature for slot in slots for each in slot.transactions]
    assert sorted(found) == sorted(given) and len(found) == len(rows)


async def test_what_a_node_gave_of_a_block_is_not_used_for_another(
    bench: Bench, programs: dict[str, str]
) -> None:
    rows = await bench.rows(programs["alpha"])
    assembly = Assembly(bench.cluster, lambda signature, slot: None, null_rounds=0)
    lacking = bench.world.node.faults.on(
        "request", Reaction(rewrite=lambda _: None), methods={"getTransaction"}, times=1
    )
    with pytest.raises(Contradiction):
        await assembly.slots(rows, hashes=True)
    lacking()
    asked: list[str] = []
    bench.world.node.faults.add(
        lambda occasion: asked.append(occasion.value[0]) if occasion.method == "getTransaction" else None
    )

    def another_block(block: Any) -> Any:
        return {**block, "blockhash": "another"}

    bench.fault("getBlock", another_block)
    await assembly.slots(rows, hashes=True)
    assert sorted(asked) == sorted(row.signature for row in rows)


async def test_records_of_a_block_that_a_fork_replaced_meanwhile_are_not_used(
    bench: Bench, programs: dict[str, str]
) -> None:
    """The new block has the same transactions in the same order: only its blockhash tells that they ran anew."""
    rows = await bench.rows(programs["alpha"])
    chain, forks = bench.world.chain, 0

    def fork(occasion: Any) -> None:
        nonlocal forks
        if occasion.method == "getTransaction" and not forks:
            forks += 1
            blocks = chain.blocks(FIRST + 2, chain.open_slot - 1)
            chain.replace(FIRST + 2, [[each.again() for each in block.transactions] for block in blocks])

    bench.world.node.faults.add(fork)
    before = chain.block(FIRST + 2).blockhash
    with pytest.raises(Contradiction, match=f"slot {FIRST + 2} at .* had block {before} before"):
        await bench.assembly.slots(rows, hashes=True)
    slots = await bench.assembly.slots(await bench.rows(programs["alpha"]), hashes=True)
    assert forks and [slot.blockhash for slot in slots] == [
        chain.block(slot.number).blockhash for slot in slots
    ]
