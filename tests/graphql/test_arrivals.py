"""`@minSlot`: an answer comes once the slot is in, and not a moment before; who waits too long is told how far it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.tail import Tail

TRADES = "query ($slot: Slot, $where: TradeFilter) @minSlot(slot: $slot) { trades(where: $where) { nodes { slot } } }"
NEVER = 3600.0


@pytest.fixture
async def executor(ledger: Any) -> AsyncIterator[Executor]:
    """Nothing but a notification wakes it within the test."""
    tail = Tail(ledger.database, poll_interval_s=NEVER)
    task = asyncio.create_task(tail.run())
    await tail.started()
    yield Executor(ledger.database, ApiSettings(poll_interval_s=NEVER, min_slot_wait_s=20.0), tail=tail)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def hasty(ledger: Any) -> Executor:
    return Executor(ledger.database, ApiSettings(min_slot_wait_s=0.05))


async def ask(executor: Executor, slot: object, **variables: Any) -> Any:
    return json.loads((await executor.execute(Request(TRADES, None, {"slot": slot, **variables}))).body)


async def looked(executor: Executor, times: int) -> None:
    for _ in range(4000):
        if executor.arrivals.looks >= times:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"looked {executor.arrivals.looks} times, not {times}")


async def test_an_answer_waits_for_the_commit_that_brings_the_slot(ledger: Any, executor: Executor) -> None:
    await ledger.trades(100)
    asked = asyncio.create_task(ask(executor, "102"))
    await looked(executor, 1)
    await ledger.trades(101)
    await looked(executor, 2)
    assert not asked.done()
    await ledger.trades(102)
    body = await asked
    assert [row["slot"] for row in body["data"]["trades"]["nodes"]] == ["102", "101", "100"]


async def test_a_slot_that_is_in_is_not_waited_for_and_looked_for_once(
    ledger: Any, executor: Executor
) -> None:
    await ledger.trades(100, 101)
    assert len((await ask(executor, "101"))["data"]["trades"]["nodes"]) == 2
    assert executor.arrivals.looks == 1


async def test_many_who_wait_cost_what_one_costs(ledger: Any, executor: Executor) -> None:
    await ledger.trades(100)
    asked = [asyncio.create_task(ask(executor, "101")) for _ in range(100)]
    await looked(executor, 1)
    await ledger.trades(101)
    assert all(len(body["data"]["trades"]["nodes"]) == 2 for body in await asyncio.gather(*asked))
    assert executor.arrivals.looks <= 3


async def test_a_slot_that_does_not_come_is_an_error_that_says_how_far_it_is(ledger: Any) -> None:
    await ledger.trades(100)
    answer = await hasty(ledger).execute(Request(TRADES, None, {"slot": "105"}))
    (error,) = json.loads(answer.body)["errors"]
    assert answer.status == 409
    assert error["extensions"] == {
        "code": "SLOT_NOT_REACHED", "minSlot": "105", "stream": "godark", "completeThrough": "100",
    }  # fmt: skip
    assert "slot 105 is not in after 0.05 s: godark is complete through 100" in error["message"]


async def test_a_slot_above_a_gap_is_not_in(ledger: Any, executor: Executor) -> None:
    await ledger.trades(100)
    await ledger.trades(102)
    asked = asyncio.create_task(ask(executor, "102"))
    await looked(executor, 1)
    assert not asked.done()
    await ledger.trades(101)
    assert len((await asked)["data"]["trades"]["nodes"]) == 3


async def test_only_the_streams_that_are_asked_are_waited_for(ledger: Any) -> None:
    slow = type(ledger)(ledger.database, "slow")
    await slow.create()
    await ledger.trades(100, 101)
    executor = hasty(ledger)
    (error,) = (await ask(executor, "101"))["errors"]
    assert (error["extensions"]["stream"], error["extensions"]["completeThrough"]) == ("slow", None)
    body = await ask(executor, "101", where={"stream": {"eq": "godark"}})
    assert len(body["data"]["trades"]["nodes"]) == 2
    body = await ask(executor, "101", where={"stream": {"eq": "nowhere"}})
    assert body["errors"][0]["extensions"]["stream"] == "nowhere"


async def test_null_and_what_asks_no_stream_wait_for_nothing(ledger: Any) -> None:
    executor = hasty(ledger)
    assert await ask(executor, None) == {"data": {"trades": {"nodes": []}}}
    for text in (
        "query ($slot: Slot) @minSlot(slot: $slot) { trades { nodes { slot } } }",
        "query @minSlot(slot: 900) { __typename }",
    ):
        assert "data" in json.loads((await executor.execute(Request(text))).body)
    assert executor.arrivals.looks == 0
    refused = await executor.execute(Request("query @minSlot(slot: 900) { status { streams { name } } }"))
    assert json.loads(refused.body)["errors"][0]["extensions"]["code"] == "SLOT_NOT_REACHED"


async def test_each_slot_is_the_same_statement(ledger: Any) -> None:
    await ledger.trades(*range(100, 110))
    executor = hasty(ledger)
    operation = executor.documents.operation(TRADES, None)
    made = [
        executor.compiled(operation, executor.documents.variables(operation, {"slot": str(slot)}))
        for slot in range(100, 110)
    ]
    assert all(each is made[0] for each in made)


@pytest.mark.parametrize(
    "text",
    [
        "subscription @minSlot(slot: 1) { trades { seq } }",
        "{ trades @minSlot(slot: 1) { totalCount } }",
        'query @minSlot(slot: "x") { __typename }',
    ],
)
async def test_where_it_does_not_belong_it_is_refused(ledger: Any, text: str) -> None:
    answer = await hasty(ledger).execute(Request(text))
    assert answer.status == 400
