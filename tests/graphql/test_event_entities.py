"""Events of any program by GraphQL: typed, or all of a stream in one list; each page as pages of other entities are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from tests.graphql.event_program import EventProgram, ask, layout, refused
from tests.graphql.test_websocket import connect
from tests.peers.server import ON_BOTH

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_graphql.compiled_query import Compiled
from heliograph_graphql.event_entities import EVENT
from heliograph_graphql.executor import Executor, looked_up
from heliograph_graphql.node_id import encode_id
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.event_tables import KEYS

FILL = layout(
    "FillRecord",
    ("taker", "text"),
    ("price", "numeric(20,0)"),
    ("ts", "bigint"),
    ("index", "integer"),
    ("perp", "boolean"),
    ("rate", "double precision"),
    ("raw", "bytea"),
    ("order", "jsonb"),
    ("slot", "numeric(39,0)"),
    docs="One fill.",
    field_docs={"price": "Of the fill, 1e6."},
)
EMPTY = layout("Paused")
NAMED = layout("it's odd", ("who", "text"))
FILLED = {
    "taker": "alice",
    "price": 2**64 - 1,
    "ts": -(2**63),
    "index": 7,
    "perp": True,
    "rate": 0.1,
    "raw": bytes(range(100)),
    "order": {"id": 2**127, "legs": [{"size": -1, "text": 'a "1" \\ 2'}, None], "on": True, "ratio": 1.5},
    "slot": 2**100,
}
DATA = {
    "taker": "alice",
    "price": "18446744073709551615",
    "ts": "-9223372036854775808",
    "index": 7,
    "perp": True,
    "rate": 0.1,
    "raw": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiYw==",
    "order": {
        "id": "170141183460469231731687303715884105728",
        "legs": [{"size": "-1", "text": 'a "1" \\ 2'}, None],
        "on": True,
        "ratio": "1.5",
    },
    "slot": "1267650600228229401496703205376",
}


@pytest.fixture
async def program(database: Database) -> EventProgram:
    program = EventProgram(database, "dex")
    await program.create(FILL, EMPTY, NAMED)
    return program


async def ready(program: EventProgram, **settings: Any) -> Executor:
    executor = Executor(program.database, ApiSettings(**settings))
    assert await executor.editions.refresh()
    return executor


@ON_BOTH
async def test_every_field_is_typed_and_exact(program: EventProgram) -> None:
    await program.say(100, ("FillRecord", FILLED))
    found = await ask(
        await ready(program),
        """{ dexFillRecords { nodes {
          __typename stream program caller blockTime slot txIndex ordinal signature
          taker price ts index perp rate raw order slot_2 transaction { signature failed }
        } completeThrough { slot } totalCount } }""",
    )
    assert found == {
        "dexFillRecords": {
            "nodes": [
                {
                    "__typename": "DexFillRecord",
                    "stream": "dex",
                    "program": "Prog",
                    "caller": None,
                    "blockTime": "2026-09-21T14:13:45+00:00",
                    "slot": "100",
                    "txIndex": 0,
                    "ordinal": 1,
                    "signature": "sig-100-0",
                    **{key: DATA[key] for key in DATA if key != "slot"},
                    "slot_2": DATA["slot"],
                    "transaction": {"signature": "sig-100-0", "failed": False},
                }
            ],
            "completeThrough": {"slot": "100"},
            "totalCount": 1,
        }
    }


@ON_BOTH
async def test_all_events_of_a_stream_are_one_list(program: EventProgram) -> None:
    await program.say(100, ("FillRecord", FILLED), ("Paused", {}), ("it's odd", {"who": "bob"}))
    await program.say(101, ("Paused", {}))
    executor = await ready(program)
    text = """query ($name: String, $first: Int, $after: String) {
      events(stream: "dex", name: $name, first: $first, after: $after) {
        nodes { stream name slot data } pageInfo { hasNextPage endCursor } totalCount
      }
    }"""
    everything = [
        {"stream": "dex", "name": "Paused", "slot": "101", "data": {}},
        {"stream": "dex", "name": "it's odd", "slot": "100", "data": {"who": "bob"}},
        {"stream": "dex", "name": "Paused", "slot": "100", "data": {}},
        {"stream": "dex", "name": "FillRecord", "slot": "100", "data": DATA},
    ]
    page = (await ask(executor, text))["events"]
    assert page["nodes"] == everything and page["totalCount"] == 4
    assert list(page["nodes"][-1]["data"]) == list(DATA)
    walked, after = [], None
    while True:
        page = (await ask(executor, text, first=1, after=after))["events"]
        walked += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert walked == everything
    for name in ("Paused", "it's odd"):
        page = (await ask(executor, text, name=name))["events"]
        assert page["nodes"] == [each for each in everything if each["name"] == name]


@ON_BOTH
async def test_filters_mean_what_they_mean_elsewhere(program: EventProgram) -> None:
    dice = Random(5)
    rows = []
    for slot in range(100, 130):
        said = [
            {
                "taker": dice.choice("ab"),
                "price": dice.randrange(4),
                "ts": slot,
                "index": dice.choice((None, 1)),
            }
            for _ in range(2)
        ]
        await program.say(slot, *(("FillRecord", each) for each in said))
        rows += [{**each, "slot": slot, "txIndex": index} for index, each in enumerate(said)]
    executor = await ready(program)
    rows.reverse()
    for where, holds in (
        ('{taker: {eq: "a"}}', lambda row: row["taker"] == "a"),
        ('{price: {gt: "1"}, taker: {in: ["b"]}}', lambda row: row["price"] > 1 and row["taker"] == "b"),
        ("{index: {eq: null}}", lambda row: row["index"] is None),
        ('{not: {price: {lte: "2"}}}', lambda row: row["price"] > 2),
        (
            '{or: [{slot: {eq: "103"}}, {ts: {gte: "127"}}]}',
            lambda row: row["slot"] == 103 or row["ts"] >= 127,
        ),
        ('{slot: {gte: "110", lt: "112"}}', lambda row: 110 <= row["slot"] < 112),
        ('{signature: {eq: "sig-120-1"}}', lambda row: (row["slot"], row["txIndex"]) == (120, 1)),
        ('{stream: {eq: "other"}}', lambda row: False),
    ):
        text = f"{{ dexFillRecords(first: 100, where: {where}) {{ totalCount nodes {{ slot txIndex price }} }} }}"
        page = (await ask(executor, text))["dexFillRecords"]
        expected = [row for row in rows if holds(row)]
        assert page["totalCount"] == len(expected), where
        assert [(int(row["slot"]), row["txIndex"], int(row["price"])) for row in page["nodes"]] == [
            (row["slot"], row["txIndex"], row["price"]) for row in expected
        ], where
    for where, count in (
        ('{slot: {eq: "103"}}', 2),
        ('{signature: {in: ["sig-120-1", "sig-121-0"]}}', 2),
        ('{name: {eq: "Paused"}}', 0),
        ('{blockTime: {lt: "2026-09-21T14:13:46Z"}}', 8),
        ('{caller: {eq: "Caller"}, program: {eq: "Prog"}}', 30),
    ):
        text = f'{{ events(stream: "dex", where: {where}) {{ totalCount }} }}'
        assert (await ask(executor, text))["events"]["totalCount"] == count, where
    oldest = "{ dexFillRecords(first: 1, orderBy: [{slot: ASC}]) { nodes { slot } } }"
    assert (await ask(executor, oldest))["dexFillRecords"]["nodes"] == [{"slot": "100"}]


@ON_BOTH
async def test_what_they_come_to_is_told_by_group(program: EventProgram) -> None:
    for slot in range(100, 110):
        fill = {
            "taker": "ab"[slot % 2],
            "price": 2**64 - 1,
            "ts": slot,
            "index": None if slot < 105 else slot,
        }
        await program.say(slot, ("FillRecord", fill), ("Paused", {}))
    executor = await ready(program)
    typed = """{ dexFillRecords(where: {slot: {gte: "102"}}) {
      aggregates(by: [TAKER], orderBy: {sum: {index: DESC}}) {
        groups { key { taker } count sum { price index } avg { index } min { ts slot } max { ts } known { index } }
        hasMore
      } } }"""
    page = (await ask(executor, typed))["dexFillRecords"]["aggregates"]
    assert page == {
        "groups": [
            {
                "key": {"taker": "b"},
                "count": "4",
                "sum": {"price": str(4 * (2**64 - 1)), "index": "321"},
                "avg": {"index": "107"},
                "min": {"ts": "103", "slot": "103"},
                "max": {"ts": "109"},
                "known": {"index": "3"},
            },
            {
                "key": {"taker": "a"},
                "count": "4",
                "sum": {"price": str(4 * (2**64 - 1)), "index": "214"},
                "avg": {"index": "107"},
                "min": {"ts": "102", "slot": "102"},
                "max": {"ts": "108"},
                "known": {"index": "2"},
            },
        ],
        "hasMore": False,
    }
    every = """{ events(stream: "dex") { aggregates(by: [NAME], bucket: ONE_MINUTE) {
      groups { key { name bucket } count } } } }"""
    groups = (await ask(executor, every))["events"]["aggregates"]["groups"]
    assert groups == [
        {"key": {"name": name, "bucket": "2026-09-21T14:13:00+00:00"}, "count": "10"}
        for name in ("FillRecord", "Paused")
    ]
    few = await ready(program, max_aggregated=5)
    assert "5" in (await refused(few, every))["message"]


async def test_a_field_that_changed_its_type_has_a_name_for_each(program: EventProgram) -> None:
    await program.say(100, ("it's odd", {"who": "bob"}))
    new = layout("it's odd", ("who", "numeric(20,0)"), ("since", "bigint"), since=101)
    await program.learn(FILL, EMPTY, NAMED, new)
    batch = program.batch(101, [("it's odd", {"who": 5, "since": 3})])
    said = [msgspec.structs.replace(each, since=101) for each in batch.events]
    batch = msgspec.structs.replace(batch, events=said)
    await program.writer.commit(batch, epoch=None)
    executor = await ready(program)
    found = await ask(
        executor,
        """{ dexItSOdds { nodes { who whoNumeric20 since } }
             events(stream: "dex", name: "it's odd") { nodes { data } } }""",
    )
    assert found == {
        "dexItSOdds": {
            "nodes": [
                {"who": None, "whoNumeric20": "5", "since": "3"},
                {"who": "bob", "whoNumeric20": None, "since": None},
            ]
        },
        "events": {"nodes": [{"data": {"who": "5", "since": "3"}}, {"data": {"who": "bob", "since": None}}]},
    }


async def test_the_longest_names_are_told_apart(program: EventProgram) -> None:
    long = "a" * 62
    await program.learn(
        FILL, EMPTY, NAMED, layout("E" * 80, (f"{long}bX", "bigint"), (f"{long}bY", "bigint"))
    )
    await program.say(100, ("E" * 80, {f"{long}bX": 1, f"{long}bY": 2}))
    executor = await ready(program)
    (kind,) = [
        each
        for each in (await ask(executor, "{ eventTypes { event root fields { name } } }"))["eventTypes"]
        if each["event"] == "E" * 80
    ]
    names = [field["name"] for field in kind["fields"]]
    text = f'{{ {kind["root"]} {{ nodes {{ {" ".join(names)} }} }} events(stream: "dex") {{ nodes {{ data }} }} }}'
    found = await ask(executor, text)
    assert list(found[kind["root"]]["nodes"][0].values()) == ["1", "2"]
    assert list(found["events"]["nodes"][0]["data"].values()) == ["1", "2"]


async def test_what_there_is_not_is_said_with_what_there_is(program: EventProgram) -> None:
    executor = await ready(program)
    text = "query ($stream: String!, $name: String) { events(stream: $stream, name: $name) { totalCount } }"
    error = await refused(executor, text, stream="nowhere")
    assert error["message"] == "there is no stream 'nowhere' with events: there are dex"
    error = await refused(executor, text, stream="dex", name="Fill")
    assert error["message"] == "stream dex has no event 'Fill': it has FillRecord, Paused, it's odd"
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await ask(executor, text, stream="dex", name="Paused")) == {"events": {"totalCount": 0}}


async def test_the_values_of_stream_and_name_choose_the_statement(
    database: Database, program: EventProgram
) -> None:
    other = EventProgram(database, "other")
    await other.create(layout("Paused", ("by", "text")))
    await program.say(100, ("Paused", {}))
    await other.say(100, ("Paused", {"by": "eve"}))
    executor = await ready(program)
    text = """query ($a: String!, $n: String) {
      one: events(stream: $a, name: $n) { nodes { data } completeThrough { slot } }
      two: events(stream: "other") { nodes { data } }
    }"""
    eve = {"nodes": [{"data": {"by": "eve"}}]}
    for _ in range(2):
        first = await ask(executor, text, a="dex", n="Paused")
        assert first == {"one": {"nodes": [{"data": {}}], "completeThrough": {"slot": "100"}}, "two": eve}
        second = await ask(executor, text, a="other", n=None)
        assert second == {"one": {**eve, "completeThrough": {"slot": "100"}}, "two": eve}


async def test_a_row_comes_by_its_id_and_beside_what_is_not_compiled(program: EventProgram) -> None:
    await program.say(100, ("FillRecord", FILLED))
    executor = await ready(program)
    (row,) = (await ask(executor, "{ dexFillRecords { nodes { id } } }"))["dexFillRecords"]["nodes"]
    listed = await ask(executor, '{ events(stream: "dex") { nodes { id } } }')
    assert listed["events"]["nodes"] == [row]
    text = (
        "query ($id: ID!) { node(id: $id) { id ... on DexFillRecord { price } } status { streams { name } } }"
    )
    found = await ask(executor, text, **row)
    assert found == {"node": {**row, "price": DATA["price"]}, "status": {"streams": [{"name": "dex"}]}}
    mixed = "{ eventTypes { root } dexFillRecords { nodes { taker } } }"
    assert (await ask(executor, mixed))["dexFillRecords"] == {"nodes": [{"taker": "alice"}]}


async def test_an_id_of_no_type_of_rows_is_refused(program: EventProgram) -> None:
    executor = await ready(program)
    error = await refused(
        executor, "query ($id: ID!) { node(id: $id) { id } }", id=encode_id("Event", [0, 100, 0, 1])
    )
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_other_streams_commits_leave_an_answer_kept(database: Database, program: EventProgram) -> None:
    other = EventProgram(database, "other")
    await other.create(EMPTY)
    await program.say(100, ("Paused", {}))
    executor = await ready(program)
    for text in ("{ dexPauseds { nodes { slot } } }", '{ events(stream: "dex") { nodes { slot } } }'):
        before = executor.responses.hits
        await ask(executor, text)
        await other.say(100 + before * 2, ("Paused", {}))
        await ask(executor, text)
        assert executor.responses.hits == before + 1
    await program.say(101, ("Paused", {}))
    found = await ask(executor, "{ dexPauseds { nodes { slot } } }")
    assert found == {"dexPauseds": {"nodes": [{"slot": "101"}, {"slot": "100"}]}}


async def test_they_are_followed_live_with_corrections_and_from_a_cursor(
    program: EventProgram, servers: Any
) -> None:
    server = await servers.start()
    typed = """subscription ($after: String) { dexFillRecords(after: $after, where: {taker: {eq: "alice"}}) {
      cursor kind stream discard { fromSlot throughSlot } nodes { slot price } } }"""
    every = 'subscription ($after: String) { events(stream: "dex", after: $after) { cursor nodes { name data } } }'
    start = encode_stream({"dex": StreamPosition.after(0)})
    async with connect(server.ws_url) as client:
        await client.subscribe(typed, name="typed", after=start)
        await client.subscribe(every, name="every", after=start)
        await program.say(
            100, ("FillRecord", FILLED), ("Paused", {}), ("FillRecord", {"taker": "bob", "price": 1})
        )
        message = await client.message("typed")
        cursor = message.pop("cursor")
        assert message == {
            "kind": "APPLY", "stream": "dex", "discard": None, "nodes": [{"slot": "100", "price": DATA["price"]}],
        }  # fmt: skip
        told = await client.message("every")
        assert [each["name"] for each in told["nodes"]] == ["FillRecord", "Paused", "FillRecord"]
        assert told["nodes"][0]["data"] == DATA
        await program.say_instead(100, ("FillRecord", {"taker": "alice", "price": 3}))
        message = await client.message("typed")
        assert (message["kind"], message["discard"]) == ("CORRECT", {"fromSlot": "100", "throughSlot": "100"})
        assert message["nodes"] == [{"slot": "100", "price": "3"}]
    async with connect(server.ws_url) as client:
        await program.say(101, ("Paused", {}))
        await client.subscribe(typed, name="typed", after=cursor)
        message = await client.message("typed")
        assert (message["kind"], message["nodes"]) == ("CORRECT", [{"slot": "100", "price": "3"}])
        await client.subscribe(every, name="every", after=told["cursor"])
        assert [each["name"] for each in (await client.message("every"))["nodes"]] == ["FillRecord"]
        assert (await client.message("every"))["nodes"] == [{"name": "Paused", "data": {}}]
        await client.subscribe('subscription { events(stream: "dex", name: "No") { seq } }', name="no")
        frame = await client.frame()
        assert frame["type"] == "error" and "has no event 'No'" in frame["payload"][0]["message"]


@ON_BOTH
async def test_a_page_reads_few_more_rows_than_it_shows(program: EventProgram) -> None:
    for slot in range(100, 160):
        await program.say(slot, ("FillRecord", FILLED), ("Paused", {}), ("it's odd", {"who": "bob"}))
    async with program.database.acquire() as connection:
        for table in ("fill_record", "paused", "it_s_odd"):
            await connection.execute(f"ANALYZE dex.{table}")
    executor = await ready(program)
    tables = 3
    for text in (
        "{ dexFillRecords(first: 5) { nodes { slot price } pageInfo { hasNextPage } } }",
        '{ events(stream: "dex", first: 5) { nodes { name data } pageInfo { hasNextPage } } }',
        '{ events(stream: "dex", first: 5, where: {slot: {lte: "130"}}) { nodes { name data } } }',
        '{ events(stream: "dex", first: 5, where: {slot: {eq: "130"}}) { nodes { name data } } }',
    ):
        operation = executor.documents.operation(text, None)
        (item,) = executor.compiled(operation, executor.documents.variables(operation, {})).items.values()
        assert isinstance(item, Compiled)
        bound = [param.bind({}) for param in item.statement.params]
        async with program.database.acquire() as connection, connection.transaction():
            # So small a table is read whole otherwise.
            await connection.execute("SET LOCAL enable_seqscan = off")
            values = await looked_up(connection, item.statement, bound)
            told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {item.statement.text}", *values)
        read = sum(rows_read(json.loads(told)[0]["Plan"]))
        assert 5 <= read <= 6 + tables or ("eq" in text and read == tables), (text, read, told)


def rows_read(node: dict[str, Any]) -> Iterator[int]:
    """By each node that reads a table of the program's."""
    if "Relation Name" in node and node["Relation Name"] not in ("streams", "coverage", "slots"):
        yield round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
    for inner in node.get("Plans", []):
        yield from rows_read(inner)


def test_what_every_event_has_is_null_only_where_its_column_may_be() -> None:
    assert all(EVENT.by_column[column.name].nullable == column.nullable for column in KEYS)
