"""Answers that are kept: what comes out of them is what the database would say, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database

SEED = 11
QUERIES = (
    "{ trades(first: 5) { totalCount nodes { slot size marketSymbol } completeThrough { slot } } }",
    '{ trades(where: {stream: {eq: "godark"}}) { totalCount } }',
    '{ trades(where: {stream: {in: ["other"]}, slot: {gte: "100", lte: "110"}}) { totalCount coverage { settled gaps { from } } } }',
    '{ positions(where: {wallet: {eq: "alice"}}) { nodes { size market { symbol trades { totalCount } } } coverage { settled } } }',
    "{ streams { nodes { name seq finalSlot headSlot } } }",
    "query ($n: Int) { markets(first: $n) { nodes { symbol positions { totalCount } } } __typename }",
    "{ trades(where: {slot: {gte: 100, lte: 104}}) { coverage { settled } } status { streams { finalSlot } } }",
)


async def test_random_interleavings_give_what_nothing_kept_would_give(
    database: Database, ledger: Any
) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    other = type(ledger)(database, "other")
    await other.create()
    keeping = Executor(database, ApiSettings())
    plain = Executor(database, ApiSettings(response_cache=False))
    lots = {"godark": 100, "other": 100}

    async def execute(text: str) -> None:
        async with database.acquire() as connection:
            await connection.execute(text)

    async def step() -> None:
        book = dice.choice((ledger, other))
        match dice.randrange(8):
            case 0 | 1:
                await book.trades(lots[book.stream])
                lots[book.stream] += dice.choice((1, 1, 3))
            case 2:
                slot = dice.randrange(100, lots[book.stream] + 1)
                await book.commit({slot: {"perps.trades": [{}] * dice.randrange(3)}}, kind="correct")
            case 3:
                await execute(
                    f"UPDATE heliograph.streams SET final_slot = {dice.randrange(95, 115)} WHERE name = '{book.stream}'"
                )
            case 4:
                await execute(
                    "UPDATE heliograph.coverage SET slots = slots - int8multirange(int8range(101, 102))"
                    f" WHERE stream = '{book.stream}'"
                )
            case 5:
                if dice.random() < 0.5:
                    await execute("DELETE FROM heliograph.dirty")
                else:
                    key = dice.randrange(10**9)
                    await execute(f"INSERT INTO heliograph.dirty VALUES ('{book.stream}', '{key}')")
            case 6:
                slot = dice.randrange(10**9)
                async with database.acquire() as connection, connection.transaction():
                    await connection.execute(
                        "UPDATE heliograph.streams SET seq = seq + 1 WHERE name = $1", book.stream
                    )
                    await book._insert(
                        connection,
                        "perps.positions",
                        {"stream": book.stream, "opened_slot": slot, "position_key": str(slot)},
                    )
            case _:
                pass

    for _ in range(120):
        await step()
        for query in dice.sample(QUERIES, 3):
            request = Request(query, None, {"n": dice.randrange(3)} if "$n" in query else {})
            assert (await keeping.execute(request)).body == (await plain.execute(request)).body, query
    assert keeping.responses.hits > 20
    assert plain.responses.hits == 0


async def test_while_commits_come_an_answer_holds_all_that_was_in_when_it_was_asked(
    database: Database, ledger: Any
) -> None:
    executor = Executor(database, ApiSettings())
    written = 0
    done = False

    async def write() -> None:
        nonlocal written, done
        for slot in range(100, 150):
            await ledger.trades(slot)
            written += 1
        done = True

    async def read() -> int:
        rounds = 0
        while not done:
            before = written
            answer = await executor.execute(Request("{ trades { totalCount } }"))
            count = json.loads(answer.body)["data"]["trades"]["totalCount"]
            # The commit under way may be in before its writer has heard of it.
            assert before <= count <= written + 1
            rounds += 1
        return rounds

    _, *rounds = await asyncio.gather(write(), read(), read(), read())
    assert sum(filter(None, rounds)) > 50


async def test_a_commit_of_another_stream_changes_no_version(database: Database, ledger: Any) -> None:
    other = type(ledger)(database, "other")
    await other.create()
    await ledger.trades(100)
    executor = Executor(database, ApiSettings())
    position = '{ positions(where: {and: [{stream: {eq: "godark"}}]}) { nodes { id market { symbol } } } }'
    everything = "{ positions { totalCount } }"

    async def versions() -> tuple[str | None, str | None]:
        answers = [await executor.execute(Request(query)) for query in (position, everything)]
        return answers[0].version, answers[1].version

    before = await versions()
    await other.trades(100)
    after = await versions()
    assert before[0] == after[0] and before[1] != after[1]
    await ledger.trades(101)
    assert (await versions())[0] != after[0]


async def test_what_changes_without_a_commit_has_no_version(database: Database, ledger: Any) -> None:
    executor = Executor(database, ApiSettings())
    for query in (
        "{ streams { nodes { leader: name } } }",
        "{ status { streams { leader } } }",
        "{ nonsense }",
    ):
        assert (await executor.execute(Request(query))).version is None
