"""The rpc source on a localnet node: its spans equal the chain, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from heliograph_core.errors import RpcRefused
from heliograph_indexer.sources.rpc import TRAILING_SLOTS
from heliograph_localnet.faults import Reaction

FIRST = 1000
PROGRAMS = ("A1phaProgram1111111111111111111111111111111", "BetaProgram11111111111111111111111111111111")


@pytest.mark.parametrize("world", [1, 2, 3, 4], indirect=True)
async def test_spans_equal_the_chain(world: Any) -> None:
    world.traffic(150)
    spans = await world.read(world.source(), FIRST, world.confirmed)
    world.check(spans, FIRST)


async def test_blocks_that_come_while_it_reads_are_read_too(world: Any) -> None:
    world.traffic(20)
    reading = asyncio.create_task(world.read(world.source(), FIRST, FIRST + 100))
    while not reading.done():
        world.traffic(1)
        await asyncio.sleep(0.005)
    world.check(await reading, FIRST)
    assert not world.incidents


async def test_order_comes_from_the_block_where_rows_have_no_index(world: Any) -> None:
    world.node.view.transaction_index = False
    world.traffic(80)
    spans = await world.read(world.source(), FIRST, world.confirmed)
    world.check(spans, FIRST)
    assert all(slot.blockhash is not None for span in spans for slot in span.slots)


async def test_a_start_in_the_middle_reads_nothing_older(world: Any) -> None:
    world.traffic(120)
    spans = await world.read(world.source(), FIRST + 60, world.confirmed)
    world.check(spans, FIRST + 60)


async def test_a_range_ends_where_it_was_asked_to(world: Any) -> None:
    world.traffic(120)
    spans = await world.read(world.source(), FIRST + 20, 10**9, last=FIRST + 70)
    world.check(spans, FIRST + 20)
    assert spans[-1].last == FIRST + 70


async def test_a_range_in_the_past_is_not_paged_from_the_tip(world: Any) -> None:
    world.traffic(100)
    world.traffic(400, most=6)
    pages: list[Any] = []
    world.node.faults.add(
        lambda occasion: (
            pages.append(occasion.value) if occasion.method == "getSignaturesForAddress" else None
        )
    )
    source = world.source(page_signatures=100, window_signatures=300)
    spans = await world.read(source, FIRST + 20, 10**9, last=FIRST + 70)
    world.check(spans, FIRST + 20)
    assert spans[-1].last == FIRST + 70
    assert len(pages) <= 6 and all("before" in config for _, config in pages)


async def test_a_history_of_many_pages_is_read_whole(world: Any, programs: dict[str, str]) -> None:
    for _ in range(30):
        world.block(*[(programs["alpha"],)] * 80)
    world.block((programs["beta"],))
    world.block()
    spans = await world.read(world.source(span_transactions=300), FIRST, world.confirmed)
    world.check(spans, FIRST)
    assert sum(len(slot.transactions) for span in spans for slot in span.slots) == 2401
    assert max(sum(len(slot.transactions) for slot in span.slots) for span in spans) < 400


@pytest.mark.parametrize("world", [5, 6], indirect=True)
async def test_a_gap_larger_than_the_window_is_paged_again_and_read_whole(world: Any) -> None:
    world.traffic(200)
    source = world.source(page_signatures=10, window_signatures=40, span_transactions=15)
    spans = await world.read(source, FIRST, world.confirmed)
    world.check(spans, FIRST)
    assert not world.incidents


async def test_one_slot_with_more_rows_than_the_window_is_read_whole(
    world: Any, programs: dict[str, str]
) -> None:
    world.traffic(10)
    world.block(*[(programs["alpha"],)] * 100)
    world.traffic(10)
    source = world.source(page_signatures=10, window_signatures=20, span_transactions=5)
    world.check(await world.read(source, FIRST, world.confirmed), FIRST)


async def test_a_transaction_of_two_programs_is_counted_once(world: Any, programs: dict[str, str]) -> None:
    world.block((programs["alpha"], programs["beta"]))
    world.block()
    spans = await world.read(world.source(), FIRST, world.confirmed)
    assert [len(slot.transactions) for span in spans for slot in span.slots] == [1]


async def test_empty_slots_are_covered_as_time_goes(world: Any) -> None:
    for _ in range(10):
        world.block()
    spans = await world.read(world.source(), FIRST, world.confirmed)
    assert spans[-1].last == world.confirmed and not any(span.slots for span in spans)
    assert spans[-1].last_time == world.chain.block(world.confirmed).time


async def test_a_span_is_final_only_where_the_chain_is(world: Any) -> None:
    world.traffic(200, skips=0)
    spans = await world.read(world.source(span_transactions=20), FIRST, world.confirmed)
    final = world.node.view.slot_at("finalized")
    assert {span.final for span in spans} == {True, False}
    assert all(span.final == (span.last <= final) for span in spans)


async def test_a_slot_is_not_claimed_before_its_block_answers(world: Any) -> None:
    world.traffic(40)
    held = world.confirmed - 5
    world.node.faults.add(
        lambda occasion: (
            _error(-32004) if occasion.method == "getBlock" and occasion.value[0] > held else None
        )
    )
    spans = await world.read(world.source(), FIRST, held)
    assert spans[-1].last <= held
    world.check(spans, FIRST)


async def test_a_node_behind_is_waited_for(world: Any) -> None:
    world.traffic(60)
    world.node.faults.on("request", _error(-32016), methods={"getSignaturesForAddress"}, times=20)
    world.check(await world.read(world.source(), FIRST, world.confirmed), FIRST)


async def test_a_transaction_that_is_null_for_a_while_is_waited_for(world: Any) -> None:
    world.traffic(40)
    asked: dict[str, int] = {}

    def null_at_first(occasion: Any) -> Any:
        if occasion.method != "getTransaction":
            return None
        signature = occasion.value[0]
        asked[signature] = asked.get(signature, 0) + 1
        return _rewritten(lambda _: None) if asked[signature] < 6 else None

    world.node.faults.add(null_at_first)
    world.check(await world.read(world.source(), FIRST, world.confirmed), FIRST)


async def test_a_short_page_is_not_the_end(world: Any) -> None:
    world.traffic(150)
    shorten = _rewritten(lambda page: page[: max(1, len(page) // 3)])
    world.node.faults.on("request", shorten, methods={"getSignaturesForAddress"})
    world.check(await world.read(world.source(), FIRST, world.confirmed), FIRST)


async def test_a_page_that_is_empty_once_is_not_the_end(world: Any) -> None:
    world.traffic(100)
    count = 0

    def every_third_is_empty(occasion: Any) -> Any:
        nonlocal count
        if occasion.method != "getSignaturesForAddress":
            return None
        count += 1
        return _rewritten(lambda _: []) if count % 3 == 0 else None

    world.node.faults.add(every_third_is_empty)
    spans = await world.read(world.source(page_signatures=20), FIRST, world.confirmed)
    world.check(spans, FIRST)


async def test_rows_missing_from_the_foot_of_a_page_are_noticed(world: Any) -> None:
    """A page that lacks its oldest rows does not reach what is known, so nothing of it is believed."""
    world.traffic(40)
    source = world.source()
    stream = source.spans(FIRST, None)
    spans = []
    async with asyncio.timeout(10):
        async for span in stream:
            spans.append(span)
            if span.last == world.confirmed:
                break
        world.traffic(20, skips=0)
        through = world.confirmed
        lose_foot = _rewritten(lambda page: page[: len(page) // 2] if len(page) > 1 else [])
        world.node.faults.on("request", lose_foot, methods={"getSignaturesForAddress"}, times=9)
        async for span in stream:
            spans.append(span)
            if span.last >= through:
                break
        await stream.aclose()
    world.check(spans, FIRST)


@pytest.mark.parametrize("manner", ["error", "empty", "ignore"])
async def test_an_unknown_cursor_costs_no_row(world: Any, manner: str) -> None:
    """A fork drops the newest known rows: the next page's cursor means nothing to the node."""
    world.node.view.unknown_cursor = manner
    world.chain.finalized_lag = 20
    world.traffic(60, skips=0)
    source = world.source()
    stream = source.spans(FIRST, None)
    spans = []
    async with asyncio.timeout(10):
        async for span in stream:
            spans.append(span)
            if span.last == world.confirmed:
                break
        closed = spans[-1].last
        world.chain.drop(range(closed - 1, closed + 1))
        before = world.expected(FIRST, closed)
        world.traffic(20, skips=0)
        through = world.confirmed
        after = []
        async for span in stream:
            after.append(span)
            if span.last >= through:
                break
        await stream.aclose()
    world.check(after, closed + 1)
    assert before != {slot.number: () for span in spans for slot in span.slots}
    assert {kind for kind, _, _ in world.incidents} <= {"anchor_lost", "late_row", "record_changed"}
    assert any(kind == "anchor_lost" for kind, _, _ in world.incidents)


async def test_history_that_the_node_does_not_keep_is_not_claimed(world: Any) -> None:
    world.traffic(200)
    world.node.view.keep_slots = 50
    with pytest.raises(RpcRefused, match="keeps blocks from slot"):
        await world.read(world.source(), FIRST, world.confirmed)


async def test_a_quiet_program_survives_a_node_that_forgets(world: Any, programs: dict[str, str]) -> None:
    """Its last rows are pruned while nothing happens: what is known of it is given up, nothing is lost."""
    for _ in range(3):
        world.block((programs["beta"],), (programs["alpha"],))
    world.block()
    stream = world.source().spans(FIRST, None)
    spans = []
    async with asyncio.timeout(10):
        async for span in stream:
            spans.append(span)
            if span.last == world.confirmed:
                break
        for _ in range(200):
            world.block((programs["alpha"],))
            if world.chain.open_slot % 20 == 0:
                await anext_through(stream, spans, world.confirmed)
        world.node.view.keep_slots = 50
        world.block((programs["beta"],))
        world.block((programs["alpha"],))
        await anext_through(stream, spans, world.confirmed)
        await stream.aclose()
    world.check(spans, FIRST)


async def anext_through(stream: Any, spans: list[Any], through: int) -> None:
    while spans[-1].last < through:
        spans.append(await anext(stream))


@pytest.mark.parametrize("world", [21, 22, 23], indirect=True)
async def test_forks_of_what_is_not_confirmed_yet_are_not_seen(world: Any) -> None:
    """Blocks at the tip are dropped and replaced all the time; at confirmed nobody notices."""
    world.chain.confirmed_lag = 4
    reading = asyncio.create_task(world.read(world.source(), FIRST, FIRST + 120))
    while not reading.done():
        world.traffic(1)
        tip = world.chain.open_slot - 1
        if world.random.random() < 0.3 and tip - 2 > world.confirmed:
            world.chain.drop([world.random.randint(world.confirmed + 1, tip)])
        await asyncio.sleep(0.005)
    world.check(await reading, FIRST)
    assert not world.incidents


async def test_rows_that_turn_up_late_are_told_and_not_smuggled_in(world: Any) -> None:
    """A node that hid rows of a slot already handed out shows them: an incident each, and spans stay whole."""
    hidden: set[str] = set()

    def hide(page: Any) -> Any:
        return [row for row in page if row["signature"] not in hidden]

    world.node.faults.on("request", Reaction(rewrite=hide), methods={"getSignaturesForAddress"})
    world.traffic(40, skips=0)
    newest = world.chain.block(world.confirmed).transactions
    while not [t for t in newest if set(t.keys) & set(PROGRAMS)]:
        world.traffic(1, skips=0)
        newest = world.chain.block(world.confirmed).transactions
    hidden |= {t.signature for t in newest}
    stream = world.source().spans(FIRST, None)
    spans: list[Any] = []
    async with asyncio.timeout(10):
        spans.append(await anext(stream))
        await anext_through(stream, spans, world.confirmed)
        late = set(hidden)
        hidden.clear()
        world.traffic(10, skips=0)
        await anext_through(stream, spans, world.confirmed)
        await stream.aclose()
    for before, after in pairwise(spans):
        assert after.first == before.last + 1
    told = {detail["signature"] for kind, _, detail in world.incidents if kind == "late_row"}
    assert told and told <= late


async def test_what_is_waited_for_is_said(world: Any) -> None:
    world.traffic(20)
    source = world.source()
    away = world.node.faults.on("request", Reaction(status=503))
    reading = asyncio.create_task(world.read(source, FIRST, world.confirmed))
    for _ in range(1000):
        if source.trouble is not None:
            break
        await asyncio.sleep(0.005)
    assert "HTTP 503" in source.trouble and not reading.done()
    away()
    world.check(await reading, FIRST)
    assert source.trouble is None


async def test_a_cluster_far_below_the_next_slot_is_said(world: Any) -> None:
    world.traffic(20)
    for ahead, told in ((TRAILING_SLOTS + 1, True), (TRAILING_SLOTS, False)):
        source = world.source()
        reading = asyncio.create_task(anext(source.spans(world.confirmed + ahead, None)))
        for _ in range(1000):
            if source.head_slot == world.confirmed:
                break
            await asyncio.sleep(0.005)
        assert (source.trouble is not None) is told
        if told:
            assert f"at slot {world.confirmed}" in source.trouble
            assert f"below {world.confirmed + ahead}, the next" in source.trouble
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_trouble_at_every_turn_costs_no_row(world: Any) -> None:
    """Each request may fail in each way; the spans are what they would have been."""
    world.traffic(120)
    kinds = [
        Reaction(status=429),
        Reaction(status=429, headers={"retry-after": "0.01"}),
        Reaction(status=503),
        Reaction(garbage=b"<html>"),
        Reaction(abort=True),
        Reaction(truncate=40),
        *(_error(code) for code in (-32004, -32005, -32014, -32016, -32019, -32603)),
    ]
    world.node.faults.add(
        lambda occasion: world.random.choice(kinds) if world.random.random() < 0.2 else None
    )
    source = world.source(page_signatures=50, span_transactions=20)
    world.check(await world.read(source, FIRST, world.confirmed), FIRST)


def _error(code: int) -> Any:
    return Reaction(error=(code, "not now", None))


def _rewritten(change: Any) -> Any:
    return Reaction(rewrite=change)
