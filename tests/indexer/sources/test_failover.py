"""Two nodes on one chain, of which one or both are ill: the spans are the chain's, and each is proved on one node."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heliograph_core.errors import RpcRefused
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.faults import Reaction

FIRST = 1000


@asynccontextmanager
async def watched(pool: Any) -> AsyncIterator[None]:
    """The pool's probes run beside the block."""
    task = asyncio.create_task(pool.watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def down(node: Any) -> Any:
    """Makes the node refuse everything; returns what mends it."""
    return node.faults.on("request", Reaction(status=503))


def record(name: str, node: Any, into: list[tuple[str, str, Any]]) -> None:
    """Notes each request in the order that the nodes received them."""

    def rule(occasion: Any) -> None:
        if occasion.moment == "request":
            into.append((name, occasion.method, occasion.value))

    node.faults.add(rule)


async def through(world: Any, stream: Any, spans: list[Any], slot: int) -> None:
    async with asyncio.timeout(20):
        while not spans or spans[-1].last < slot:
            spans.append(await anext(stream))


async def test_history_and_live_go_on_when_the_first_node_dies(world: Any) -> None:
    await world.second()
    world.traffic(60)
    stream = world.source().spans(FIRST, None)
    spans: list[Any] = []
    await through(world, stream, spans, world.confirmed)
    await world.node.stop()
    world.traffic(60)
    await through(world, stream, spans, world.confirmed)
    await stream.aclose()
    world.check(spans, FIRST)


@pytest.mark.parametrize("world", [31, 32, 33], indirect=True)
async def test_every_proof_stays_on_one_node(world: Any) -> None:
    """Both nodes fail at random; still each page was asked of a node after that very node answered for the block."""
    second = await world.second()
    answered: list[tuple[str, str, Any]] = []
    for name, node in (("first", world.node), ("second", second)):
        node.faults.add(lambda _: _error(-32005) if world.random.random() < 0.1 else None)
        # Rules are asked in turn: what was spoiled above is not noted.
        record(name, node, answered)
    source = world.source(page_signatures=20, span_transactions=20)
    reading = asyncio.create_task(world.read(source, FIRST, FIRST + 150))
    while not reading.done():
        if world.confirmed < FIRST + 160:
            world.traffic(1)
        await asyncio.sleep(0.005)
    world.check(await reading, FIRST)
    proofs: dict[str, int] = {}
    pages: Counter[str] = Counter()
    for name, method, params in answered:
        if method == "getSlot":
            # A proof begins: what was answered before, by whomever, counts no more.
            proofs.clear()
        elif method == "getBlock":
            proofs[name] = max(proofs.get(name, 0), params[0])
        elif method == "getSignaturesForAddress":
            assert proofs.get(name, 0) >= params[1]["minContextSlot"]
            pages[name] += 1
    assert set(pages) == {"first", "second"}


@pytest.mark.parametrize("world", [41, 42, 43], indirect=True)
async def test_a_node_that_lags_takes_over_without_a_hole(world: Any) -> None:
    """It knows nothing of the newest slots: they are not claimed before somebody shows them."""
    lagging = await world.second(lag_slots=40)
    world.traffic(120, skips=0)
    stream = world.source().spans(FIRST, None)
    spans: list[Any] = []
    await through(world, stream, spans, world.confirmed)
    mend = down(world.node)
    reached = spans[-1].last
    ahead = asyncio.create_task(through(world, stream, spans, reached + 1))
    for _ in range(20):
        world.traffic(1, skips=0)
        await asyncio.sleep(0.01)
    assert not ahead.done(), "the node that is left is still behind what is covered"
    for _ in range(40):
        world.traffic(1, skips=0)
        await asyncio.sleep(0.005)
    await ahead
    assert reached < spans[-1].last <= lagging.view.slot_at(Commitment.CONFIRMED)
    mend()
    async with watched(world.pools[-1]):
        await through(world, stream, spans, world.confirmed)
    await stream.aclose()
    world.check(spans, FIRST)
    assert not [kind for kind, _, _ in world.incidents if kind == "late_row"]


async def test_a_first_node_that_lags_is_left_for_one_that_does_not(world: Any) -> None:
    await world.second()
    world.node.view.lag_slots = 40
    world.traffic(120)
    source = world.source()
    async with watched(world.pools[-1]):
        world.check(await world.read(source, FIRST, world.confirmed), FIRST)
    assert source.head_slot == world.confirmed


async def test_a_node_that_says_it_is_unhealthy_is_left(world: Any) -> None:
    second = await world.second()
    world.node.view.healthy = False
    world.traffic(40)
    source = world.source()
    pool = world.pools[-1]
    await pool.probe()
    asked: list[tuple[str, str, Any]] = []
    record("first", world.node, asked)
    world.check(await world.read(source, FIRST, world.confirmed), FIRST)
    assert not asked and pool.trouble is not None and world.node.rpc_url in pool.trouble
    world.node.view.healthy, second.view.healthy = True, False
    await pool.probe()
    world.check(await world.read(source, FIRST, world.confirmed), FIRST)
    assert asked and second.rpc_url in pool.trouble


async def test_a_node_that_prunes_is_left_for_one_that_keeps_history(world: Any) -> None:
    await world.second()
    world.traffic(300)
    world.node.view.keep_slots = 30
    world.check(await world.read(world.source(), FIRST, world.confirmed), FIRST)


async def test_a_node_that_prunes_serves_again_once_its_slots_are_wanted(world: Any) -> None:
    second = await world.second()
    world.traffic(300)
    world.node.view.keep_slots = 30
    stream = world.source().spans(FIRST, None)
    spans: list[Any] = []
    await through(world, stream, spans, world.confirmed)
    await second.stop()
    world.traffic(20)
    await through(world, stream, spans, world.confirmed)
    await stream.aclose()
    world.check(spans, FIRST)


async def test_history_that_no_node_keeps_is_refused_and_not_claimed(world: Any) -> None:
    await world.second(keep_slots=50)
    world.traffic(200)
    world.node.view.keep_slots = 30
    with pytest.raises(RpcRefused, match="keeps blocks from slot"):
        await world.read(world.source(), FIRST, world.confirmed)


async def test_while_the_node_that_keeps_history_is_away_it_is_waited_for(world: Any) -> None:
    """One node refuses for good, the other does not answer now: that is no reason to give up."""
    second = await world.second()
    world.traffic(200)
    world.node.view.keep_slots = 30
    mend = down(second)
    source = world.source()
    reading = asyncio.create_task(world.read(source, FIRST, world.confirmed))
    for _ in range(1000):
        if source.trouble is not None and "503" in source.trouble:
            break
        await asyncio.sleep(0.005)
    assert source.trouble is not None and "503" in source.trouble and not reading.done()
    mend()
    world.check(await reading, FIRST)


async def test_a_node_without_history_is_never_asked_for_it_again(world: Any) -> None:
    await world.second()
    world.node.view.history = False
    world.traffic(100)
    asked: list[tuple[str, str, Any]] = []
    record("first", world.node, asked)
    stream = world.source(span_transactions=10).spans(FIRST, None)
    spans: list[Any] = []
    await through(world, stream, spans, world.confirmed)
    assert {method for _, method, _ in asked} >= {"getBlock", "getTransaction"}
    asked.clear()
    for _ in range(5):
        world.traffic(5)
        await through(world, stream, spans, world.confirmed)
    await stream.aclose()
    world.check(spans, FIRST)
    assert not {method for _, method, _ in asked} & {"getBlock", "getTransaction", "getSignaturesForAddress"}


@pytest.mark.parametrize(
    "manners", [("error", "error"), ("error", "ignore"), ("empty", "error"), ("ignore", "empty")]
)
async def test_a_cursor_that_only_one_node_knows_costs_no_row(world: Any, manners: tuple[str, str]) -> None:
    """A fork drops the newest known rows while both nodes fail now and then, one old and one new."""
    second = await world.second(unknown_cursor=manners[1])
    world.node.view.unknown_cursor = manners[0]
    world.chain.finalized_lag = 20
    world.traffic(60, skips=0)
    stream = world.source().spans(FIRST, None)
    spans: list[Any] = []
    await through(world, stream, spans, world.confirmed)
    closed = spans[-1].last
    world.chain.drop(range(closed - 1, closed + 1))
    world.traffic(10, skips=0)
    after: list[Any] = []
    await through(world, stream, after, world.confirmed)
    down(world.node)
    world.traffic(10, skips=0)
    await through(world, stream, after, world.confirmed)
    await stream.aclose()
    world.check(after, closed + 1)
    assert second.rpc_url
    assert {kind for kind, _, _ in world.incidents} <= {"anchor_lost", "late_row", "record_changed"}


@pytest.mark.parametrize("keeps", ["no history", "few slots"])
async def test_a_cursor_that_a_fork_took_is_given_up_where_the_other_node_refuses(
    world: Any, keeps: str
) -> None:
    """One node answers that it does not know the signature, the other that it keeps no history: neither is the end."""
    second = await world.second()
    world.chain.finalized_lag = 20
    world.traffic(60, skips=0)
    stream = world.source().spans(FIRST, None)
    spans: list[Any] = []
    await through(world, stream, spans, world.confirmed)
    closed = spans[-1].last
    world.chain.drop(range(closed - 5, closed + 1))
    if keeps == "no history":
        second.view.history = False
    else:
        second.view.keep_slots = 2
    world.traffic(10, skips=0)
    after: list[Any] = []
    await through(world, stream, after, world.confirmed)
    await stream.aclose()
    world.check(after, closed + 1)


async def test_a_null_transaction_is_fetched_from_another_node_at_once(world: Any) -> None:
    await world.second()
    world.node.faults.on("request", Reaction(rewrite=lambda _: None), methods={"getTransaction"})
    world.traffic(40)
    source = world.source()
    world.check(await world.read(source, FIRST, world.confirmed), FIRST)
    assert source.trouble is None and not world.incidents


async def test_a_record_that_does_not_pass_is_asked_of_the_node_that_listed_it(world: Any) -> None:
    """The first node lists; where it returns nothing the second is asked, whose records stand in other slots."""
    second = await world.second()

    def moved(record: Any) -> Any:
        return None if record is None else {**record, "slot": record["slot"] + 1}

    second.faults.on("request", Reaction(rewrite=moved), methods={"getTransaction"})
    asked: Counter[str] = Counter()

    def null_at_first(occasion: Any) -> Any:
        if occasion.method != "getTransaction":
            return None
        asked[occasion.value[0]] += 1
        return Reaction(rewrite=lambda _: None) if asked[occasion.value[0]] == 1 else None

    world.node.faults.add(null_at_first)
    world.traffic(40)
    world.check(await world.read(world.source(), FIRST, world.confirmed), FIRST)
    assert not world.incidents


async def test_no_record_is_taken_of_a_node_that_has_another_block_there(world: Any) -> None:
    """The same transaction in the same place has other effects on another fork, and no audit of hashes would tell."""
    second = await world.second()

    def of_a_fork(record: Any) -> Any:
        if record is None:
            return None
        return {**record, "meta": {**record["meta"], "logMessages": ["Program log: of another fork"]}}

    second.faults.on("request", Reaction(rewrite=of_a_fork), methods={"getTransaction"})
    second.faults.on(
        "request",
        Reaction(rewrite=lambda block: {**block, "blockhash": "fork" + block["blockhash"][4:]}),
        methods={"getBlock"},
    )
    asked: Counter[str] = Counter()

    def null_at_first(occasion: Any) -> Any:
        if occasion.method != "getTransaction":
            return None
        asked[occasion.value[0]] += 1
        return Reaction(rewrite=lambda _: None) if asked[occasion.value[0]] == 1 else None

    world.node.faults.add(null_at_first)
    world.traffic(20)
    spans = await world.read(world.source(), FIRST, world.confirmed)
    world.check(spans, FIRST)
    told = [line for span in spans for slot in span.slots for each in slot.transactions for line in each.logs]
    assert told and "Program log: of another fork" not in told


@pytest.mark.parametrize("world", [51, 52], indirect=True)
async def test_a_node_that_dies_while_a_long_gap_is_paged_costs_no_row(world: Any) -> None:
    """What the first node listed and nobody committed is listed anew by the second."""
    await world.second()
    world.traffic(250)
    source = world.source(page_signatures=10, window_signatures=40, span_transactions=15)
    stream = source.spans(FIRST, None)
    spans: list[Any] = [await anext(stream), await anext(stream), await anext(stream)]
    assert spans[-1].last < world.confirmed - 50
    down(world.node)
    await through(world, stream, spans, world.confirmed)
    await stream.aclose()
    world.check(spans, FIRST)
    assert not world.incidents


@pytest.mark.parametrize("world", [61, 62, 63, 64], indirect=True)
async def test_trouble_at_every_turn_on_both_nodes_costs_no_row(world: Any) -> None:
    """Each request may fail in each way, one node lags by a few slots, and blocks come all the time."""
    second = await world.second(lag_slots=3)
    kinds = [
        Reaction(status=429),
        Reaction(status=429, headers={"retry-after": "0.01"}),
        Reaction(status=503),
        Reaction(garbage=b"<html>"),
        Reaction(abort=True),
        Reaction(truncate=40),
        *(
            Reaction(error=(code, "not now", None))
            for code in (-32004, -32005, -32014, -32016, -32019, -32603)
        ),
    ]
    for node in (world.node, second):
        node.faults.add(lambda _: world.random.choice(kinds) if world.random.random() < 0.08 else None)
    world.traffic(60)
    source = world.source(page_signatures=50, span_transactions=20)
    async with watched(world.pools[-1]):
        reading = asyncio.create_task(world.read(source, FIRST, FIRST + 150))
        while not reading.done():
            if world.confirmed < FIRST + 160:
                world.traffic(1)
            await asyncio.sleep(0.01)
        world.check(await reading, FIRST)


def _error(code: int) -> Reaction:
    return Reaction(error=(code, "not now", None))
