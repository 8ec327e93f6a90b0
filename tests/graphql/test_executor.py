"""Queries: what is refused and how, what is cached, and that no value ever becomes SQL."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import pytest

from heliograph_core.cursor import encode_keyset
from heliograph_graphql.compiled_query import Compiled
from heliograph_graphql.executor import Answer, Executor, Request
from heliograph_graphql.node_id import encode_id
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database


@pytest.fixture
async def executor(ledger: Any) -> Executor:
    return Executor(ledger.database, ApiSettings())


async def ask(executor: Executor, text: str, **variables: Any) -> dict[str, Any]:
    answer = await executor.execute(Request(text, None, variables))
    body: dict[str, Any] = json.loads(answer.body)
    return body


def code(answer: Answer) -> str:
    found: str = json.loads(answer.body)["errors"][0]["extensions"]["code"]
    return found


async def test_bytes_keep_the_order_and_the_names_that_were_asked(ledger: Any, executor: Executor) -> None:
    await ledger.put("perps.markets")
    await ledger.trades(101)
    answer = await executor.execute(
        Request(
            "{ t: trades { totalCount nodes { slot p: price market { symbol } takerSide blockTime } } __typename }"
        )
    )
    assert answer.body.decode() == (
        '{"data":{"t":{"totalCount":1,"nodes":[{"slot":"101","p":"150.25","market":{"symbol":"SOL-PERP"},'
        '"takerSide":"LONG","blockTime":"2026-11-21T00:00:25+00:00"}]},"__typename":"Query"}}'
    )


async def test_amounts_are_exact_text_without_trailing_zeros(ledger: Any, executor: Executor) -> None:
    async with ledger.database.acquire() as connection:
        await ledger.trades(101)
        await connection.execute(
            "UPDATE perps.trades SET price = 123456789012345678901234567890.100000, size = 100"
        )
    body = await ask(executor, "{ trades { nodes { price size } } }")
    assert body["data"]["trades"]["nodes"] == [{"price": "123456789012345678901234567890.1", "size": "100"}]


async def test_introspection_and_rows_come_in_one_answer(ledger: Any, executor: Executor) -> None:
    await ledger.trades(101)
    body = await ask(
        executor,
        "{ a: status { streams { name headSlot gaps } } b: status { streams { seq } } trades { nodes { slot } }"
        ' none: market(symbol: "NOPE") { symbol } __schema { queryType { name } } }',
    )
    assert body["data"] == {
        "a": {"streams": [{"name": "godark", "headSlot": "101", "gaps": 1}]},
        "b": {"streams": [{"seq": "1"}]},
        "trades": {"nodes": [{"slot": "101"}]},
        "none": None,
        "__schema": {"queryType": {"name": "Query"}},
    }


async def test_introspection_needs_no_database(executor: Executor, database: Database) -> None:
    await database.close()
    body = await ask(executor, '{ __type(name: "Trade") { name } __typename }')
    assert body["data"] == {"__type": {"name": "Trade"}, "__typename": "Query"}


async def test_introspection_can_be_switched_off(ledger: Any) -> None:
    executor = Executor(ledger.database, ApiSettings(introspection=False))
    assert (
        code(await executor.execute(Request("{ __schema { queryType { name } } }")))
        == "GRAPHQL_VALIDATION_FAILED"
    )


async def test_complete_through_ends_at_the_first_gap(ledger: Any, executor: Executor) -> None:
    text = "{ trades { completeThrough { slot time } coverage { from through gaps { from through } } } }"
    assert (await ask(executor, text))["data"]["trades"]["completeThrough"] is None
    await ledger.commit({101: {}}, span=(100, 104))
    await ledger.commit({110: {}}, span=(108, 112))
    found = (await ask(executor, text))["data"]["trades"]
    assert found["completeThrough"] == {"slot": "104", "time": "2026-11-21T00:00:25+00:00"}
    assert found["coverage"] == {"from": "100", "through": "112", "gaps": [{"from": "105", "through": "107"}]}
    await ledger.commit({106: {}}, span=(105, 107))
    found = (await ask(executor, text))["data"]["trades"]
    assert found["completeThrough"] == {"slot": "112", "time": "2026-11-21T00:00:28+00:00"}


async def test_coverage_speaks_of_the_queried_range(ledger: Any, executor: Executor) -> None:
    await ledger.commit({101: {}}, span=(100, 104))
    await ledger.commit({110: {"heliograph.transactions": [{"truncated": True}]}}, span=(108, 112))
    text = "query ($w: TradeFilter) { trades(where: $w) { coverage { from through truncated gaps { from through } } } }"
    found = await ask(executor, text, w={"slot": {"gte": "100", "lte": "103"}})
    assert found["data"]["trades"]["coverage"] == {
        "from": "100",
        "through": "103",
        "truncated": False,
        "gaps": [],
    }
    found = await ask(executor, text, w={"blockTime": {"gte": "2026-11-21T00:00:27Z"}})
    assert found["data"]["trades"]["coverage"] == {
        "from": "110",
        "through": "112",
        "truncated": True,
        "gaps": [],
    }


async def test_pages_are_stable_while_new_rows_arrive(ledger: Any, executor: Executor) -> None:
    await ledger.trades(*range(101, 111))
    text = "query ($a: String) { trades(first: 3, after: $a) { nodes { slot } pageInfo { endCursor hasNextPage } } }"
    found: list[int] = []
    after, newest = None, 200
    while True:
        page = (await ask(executor, text, a=after))["data"]["trades"]
        found.extend(int(node["slot"]) for node in page["nodes"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        await ledger.trades(newest := newest + 1)
    assert found == list(range(110, 100, -1))


async def test_rows_belong_to_the_lifecycle_that_was_opened_last_before_them(
    ledger: Any, executor: Executor
) -> None:
    lives = [(101, "closed", 1), (105, "open", 2)]
    for slot, status, number in lives:
        await ledger.put(
            "perps.positions", opened_slot=slot, status=status, lifecycle=number, opened_at=ledger_time(slot)
        )
    await ledger.commit(
        {
            s: {"perps.position_changes": [{"kind": k}]}
            for s, k in ((101, "open"), (103, "close"), (105, "open"), (107, "increase"))
        }
    )
    await ledger.commit({s: {"perps.funding_payments": [{}]} for s in (102, 106)})
    body = await ask(
        executor,
        "{ positions(orderBy: [{lifecycle: ASC}]) { nodes { id lifecycle changes { nodes { slot positionId } }"
        " fundingPayments { nodes { slot positionId } } } } }",
    )
    first, second = body["data"]["positions"]["nodes"]
    assert [c["slot"] for c in first["changes"]["nodes"]] == ["103", "101"]
    assert [c["slot"] for c in second["changes"]["nodes"]] == ["107", "105"]
    assert [c["slot"] for c in first["fundingPayments"]["nodes"]] == ["102"]
    assert [c["slot"] for c in second["fundingPayments"]["nodes"]] == ["106"]
    for position in (first, second):
        rows = position["changes"]["nodes"] + position["fundingPayments"]["nodes"]
        assert {row["positionId"] for row in rows} == {position["id"]}


async def test_a_flip_gives_its_fill_to_both_lives_of_the_position(ledger: Any, executor: Executor) -> None:
    await ledger.put(
        "perps.positions",
        opened_slot=101,
        opened_ordinal=1,
        status="closed",
        lifecycle=1,
        opened_at=ledger_time(101),
    )
    await ledger.put(
        "perps.positions", opened_slot=105, opened_ordinal=2, lifecycle=2, opened_at=ledger_time(105)
    )
    fill = {"taker_position_key": "alice-sol"}
    await ledger.commit(
        {
            101: {
                "perps.trades": [fill | {"trade_id": "1"}],
                "perps.position_changes": [{"ordinal": 1, "trade_id": "1"}],
            },
            105: {
                "perps.trades": [fill | {"trade_id": "2"}],
                "perps.position_changes": [
                    {"ordinal": 1, "kind": "close", "trade_id": "2"},
                    {"ordinal": 2, "kind": "open", "trade_id": "2"},
                ],
            },
        }
    )
    body = await ask(
        executor,
        "{ positions(orderBy: [{lifecycle: ASC}]) { nodes { id trades { nodes { tradeId } } } }"
        ' trades(where: {tradeId: {eq: "2"}}) { nodes { takerPositionId makerPositionId } } }',
    )
    first, second = body["data"]["positions"]["nodes"]
    assert [t["tradeId"] for t in first["trades"]["nodes"]] == ["2", "1"]
    assert [t["tradeId"] for t in second["trades"]["nodes"]] == ["2"]
    assert body["data"]["trades"]["nodes"] == [{"takerPositionId": second["id"], "makerPositionId": None}]


def ledger_time(slot: int) -> Any:
    from datetime import UTC, datetime, timedelta

    return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=slot // 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ trades { nodes { nonsense } } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ trades(first: 1001) { totalCount nodes { id } } }", "BAD_USER_INPUT"),
        ("{ trades(first: -1) { nodes { id } } }", "BAD_USER_INPUT"),
        ("{ trades(first: -1) { totalCount } }", "BAD_USER_INPUT"),
        ('{ trades(after: "x") { nodes { id } } }', "CURSOR_INVALID"),
        ("{ trades(where: {price: {gt: null}}) { nodes { id } } }", "BAD_USER_INPUT"),
        ('{ trades(where: {price: {gt: "1e9999"}}) { nodes { id } } }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ trades(where: {slot: {gt: "-1"}}) { nodes { id } } }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ trades(where: {slot: {gt: "9223372036854775808"}}) { nodes { id } } }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ trades(where: {blockTime: {gt: "yesterday"}}) { nodes { id } } }', "GRAPHQL_VALIDATION_FAILED"),
        ("{ trades(orderBy: [{price: ASC, size: DESC}]) { nodes { id } } }", "BAD_USER_INPUT"),
        ("{ market { symbol } }", "BAD_USER_INPUT"),
        ('{ market(stream: "godark") { symbol } }', "BAD_USER_INPUT"),
        ('{ market(id: "x") { symbol } }', "BAD_USER_INPUT"),
        (f'{{ market(id: "{encode_id("Trade", ["a", "b"])}") {{ symbol }} }}', "BAD_USER_INPUT"),
        (f'{{ market(id: "{encode_id("Market", [1, 2])}") {{ symbol }} }}', "BAD_USER_INPUT"),
        ("query A { __typename } query B { __typename }", "BAD_USER_INPUT"),
        ("subscription { trades { cursor } }", "BAD_USER_INPUT"),
        ("{ trades(first: 1000) { nodes { market { trades(first: 1000) { nodes { id } } } } } }", "QUERY_TOO_COMPLEX"),
        ("{ trades { nodes { " + "id " * 30 + "} } }", "QUERY_TOO_COMPLEX"),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }", "QUERY_TOO_COMPLEX"),
        ("{ markets { nodes " + "{ trades { nodes { market " * 6 + "{ id }" + " } } }" * 6 + " } }", "QUERY_TOO_COMPLEX"),
        ("{ trades { nodes { " + "a" * 64 + ": id } } }", "QUERY_TOO_COMPLEX"),
        ("{ a }" * 2000, "GRAPHQL_PARSE_FAILED"),
        ("fragment F on Query { ...F } { ...F }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_refused_with_a_stable_code(
    executor: Executor, text: str, expected: str
) -> None:
    answer = await executor.execute(Request(text))
    assert (code(answer), answer.status) == (expected, 400)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("TradeFilter", {"price": {"gt": "abc"}}),
        ("TradeFilter", {"price": {"gt": True}}),
        ("TradeFilter", {"slot": {"eq": 1.5}}),
        ("TradeFilter", {"nonsense": {}}),
        ("TradeFilter", {"taker": {"eq": "\0"}}),
        ("TradeFilter", {"taker": {"in": ["a", "\0"]}}),
        ("TradeFilter", {"taker": {"in": None}}),
        ("TradeFilter", []),
        ("TradeFilter", "x"),
    ],
)
async def test_a_bad_variable_is_refused(executor: Executor, kind: str, value: Any) -> None:
    text = f"query ($w: {kind}) {{ trades(where: $w) {{ nodes {{ id }} }} }}"
    answer = await executor.execute(Request(text, None, {"w": value}))
    assert (code(answer), answer.status) == ("BAD_USER_INPUT", 400)


async def test_a_cursor_of_another_order_is_refused(ledger: Any, executor: Executor) -> None:
    await ledger.trades(101, 102)
    body = await ask(executor, "{ trades(first: 1) { pageInfo { endCursor } } }")
    cursor = body["data"]["trades"]["pageInfo"]["endCursor"]
    text = "query ($a: String) { trades(after: $a, orderBy: [{price: ASC}]) { nodes { id } } }"
    assert code(await executor.execute(Request(text, None, {"a": cursor}))) == "CURSOR_INVALID"


ORDER = "Trade:-block_time,-slot,-tx_index,-ordinal,-stream,-part"


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1, 2, 3],
        [2**62, 1, 1, 1, "x", 1],
        [1, 2**63, 1, 1, "x", 1],
        [1, 1, 2**31, 1, "x", 1],
        ["1", 1, 1, 1, "x", 1],
        [1, 1, 1, 1, 5, 1],
        [1, 1, 1, 1, "a\0", 1],
        [1, 1, 1, True, "x", 1],
        [None, 1, 1, 1, "x", 1],
    ],
)
async def test_a_forged_cursor_is_refused(executor: Executor, values: list[Any]) -> None:
    text = "query ($a: String) { trades(after: $a) { nodes { id } } }"
    answer = await executor.execute(Request(text, None, {"a": encode_keyset(ORDER, values)}))
    assert code(answer) == "CURSOR_INVALID"


async def test_text_in_every_place_stays_text(ledger: Any, executor: Executor) -> None:
    await ledger.trades(101)
    for text in (
        "'; DROP TABLE perps.trades; --",
        '"',
        "\\",
        "$1",
        "{row}",
        "%s",
        "😀",
        "}}",
        "\u2028",
        "'||pg_sleep(9)||'",
    ):
        query = "query ($t: String!) { trades(where: {taker: {eq: $t}, stream: {in: [$t]}}) { nodes { id } totalCount } market(symbol: $t) { id } }"
        body = await ask(executor, query, t=text)
        assert body["data"] == {"trades": {"nodes": [], "totalCount": 0}, "market": None}
        literal = json.dumps(text, ensure_ascii=False)
        body = await ask(executor, f"{{ trades(where: {{taker: {{eq: {literal}}}}}) {{ totalCount }} }}")
        assert body["data"] == {"trades": {"totalCount": 0}}
    body = await ask(executor, "{ trades { totalCount } }")
    assert body["data"] == {"trades": {"totalCount": 1}}


async def test_noise_as_operation_never_fails_inside(executor: Executor, seed: int) -> None:
    dice = random.Random(seed)
    words = [
        "{",
        "}",
        "(",
        ")",
        "trades",
        "nodes",
        "where",
        ":",
        "first",
        "1",
        '"x"',
        "...",
        "on",
        "Trade",
        "$v",
        "query",
        "@skip",
        "if",
        "id",
    ]
    for _ in range(500):
        text = " ".join(dice.choices(words, k=dice.randint(1, 12))) + dice.choice(["", *string.punctuation])
        answer = await executor.execute(Request(text))
        assert answer.status in (200, 400), text


async def test_a_statement_over_its_time_is_broken_off(ledger: Any) -> None:
    await ledger.put("perps.markets")
    async with ledger.database.acquire() as connection:
        await connection.execute(
            "ALTER TABLE perps.markets RENAME TO real_markets;"
            "CREATE VIEW perps.markets AS SELECT m.* FROM perps.real_markets m, pg_sleep(3)"
        )
    executor = Executor(ledger.database, ApiSettings(statement_timeout_s=0.1))
    answer = await executor.execute(Request("{ markets { nodes { symbol } } }"))
    assert (code(answer), answer.status) == ("TIMEOUT", 503)


async def test_an_internal_failure_shows_no_internals(ledger: Any, executor: Executor) -> None:
    async with ledger.database.acquire() as connection:
        await connection.execute("DROP TABLE perps.markets")
    answer = await executor.execute(Request("{ markets { nodes { symbol } } }"))
    assert (code(answer), answer.status) == ("INTERNAL_SERVER_ERROR", 500)
    assert b"perps" not in answer.body


async def test_nothing_can_be_written_through_a_query(executor: Executor, ledger: Any) -> None:
    async with executor.snapshot() as connection:
        assert await connection.fetchval("SELECT current_setting('transaction_read_only')") == "on"
        assert (
            await connection.fetchval("SELECT current_setting('transaction_isolation')") == "repeatable read"
        )


async def test_a_known_shape_is_compiled_once(ledger: Any, executor: Executor) -> None:
    text = "query ($w: TradeFilter, $n: Int) { trades(where: $w, first: $n) { nodes { id } } }"
    for number in range(5):
        await ask(executor, text, w={"price": {"gt": str(number)}}, n=1)
    assert len(executor.editions.current.plans) == 1
    await ask(executor, text, w={"price": {"lt": "1"}}, n=1)
    await ask(executor, text, w={"price": {"eq": None}}, n=1)
    await ask(executor, text, n=1)
    assert len(executor.editions.current.plans) == 4
    # How many rows stands in the statement itself.
    await ask(executor, text, n=2)
    assert len(executor.editions.current.plans) == 5


async def test_switches_decide_what_is_selected(ledger: Any, executor: Executor) -> None:
    await ledger.trades(101)
    text = "query ($on: Boolean!) { trades { nodes { slot price @include(if: $on) size @skip(if: $on) } } }"
    for on, field in ((True, "price"), (False, "size"), (True, "price")):
        body = await ask(executor, text, on=on)
        assert list(body["data"]["trades"]["nodes"][0]) == ["slot", field]


async def test_caches_are_bounded(database: Database, ledger: Any) -> None:
    executor = Executor(database, ApiSettings(plans_cached=10, operations_cached=10))
    for number in range(30):
        await ask(executor, f"{{ a{number}: markets {{ nodes {{ id }} }} }}")
    assert len(executor.editions.current.plans) == 10
    assert len(executor.documents._cache) == 10


async def test_nothing_that_a_client_makes_up_stays_in_memory_beyond_a_bound(
    executor: Executor, ledger: Any
) -> None:
    text = "query ($w: TradeFilter, $on: Boolean!) { __typename trades(where: $w) @include(if: $on) { totalCount } }"
    wide: dict[str, Any] = {"or": [{"and": [{}] * 45}] * 100}
    refused = await executor.execute(Request(text, None, {"w": wide, "on": True}))
    assert json.loads(refused.body)["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    # What is left out is not compiled, and its shape is part of the key all the same.
    executor.editions.current.plans._most_weight = 10_000
    assert await ask(executor, text, w=wide, on=False) == {"data": {"__typename": "Query"}}
    assert (len(executor.editions.current.plans), executor.editions.current.plans._weight) == (0, 0)
    long = "x" * 600_000
    await ask(executor, f'{{ trades(where: {{ taker: {{ eq: "{long}" }} }}) {{ totalCount }} }}')
    assert executor.documents._cache._weight < 500_000


async def test_an_order_longer_than_there_are_fields_is_refused(executor: Executor, ledger: Any) -> None:
    text = "query ($o: [TradeOrder!]) { trades(orderBy: $o) { totalCount } }"
    answer = await executor.execute(Request(text, None, {"o": [{"price": "ASC"}] * 1000}))
    assert json.loads(answer.body)["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"


async def test_a_first_out_of_range_is_named_with_its_field(executor: Executor, ledger: Any) -> None:
    inner = "{ mine: positions(first: 2) { nodes { all: trades(first: 1001) { totalCount } } } }"
    told = [
        json.loads((await executor.execute(Request(text))).body)["errors"][0]["message"]
        for text in ("{ p: trades(first: -1) { totalCount } }", inner)
    ]
    assert told == [
        "p: first is -1: ask for 0 to 1000 rows",
        "mine.all: first is 1001: ask for 0 to 1000 rows",
    ]


async def test_variables_are_limited_before_they_are_coerced(
    executor: Executor, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coerced(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was coerced")

    monkeypatch.setattr("heliograph_graphql.document.get_variable_values", coerced)
    text = "query ($w: TradeFilter) { trades(where: $w) { totalCount } }"
    answer = await executor.execute(Request(text, None, {"w": {"slot": {"in": ["1"] * 100_000}}}))
    assert json.loads(answer.body)["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"


async def test_status_tells_what_the_database_counts(executor: Executor, ledger: Any) -> None:
    await ledger.trades(100, 101)
    await ledger.trades(110)
    async with ledger.database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.incidents (stream, kind, detail)"
            " VALUES ('godark', 'late_row', '{}'), ('godark', 'late_row', '{}'), ('godark', 'refused', '{}')"
        )
        await connection.execute("UPDATE heliograph.streams SET genesis = 'Gen'")
    text = """{ status { streams {
        completeThrough completeTime gaps gapSlots lagSeconds leader leaseSeconds genesis
        incidents { kind count } undecoded { kind count } } } }"""
    (status,) = (await ask(executor, text))["data"]["status"]["streams"]
    assert status.pop("lagSeconds") > 0
    assert status == {
        "completeThrough": "101",
        "completeTime": "2026-11-21T00:00:25+00:00",
        "gaps": 1,
        "gapSlots": "8",
        "leader": None,
        "leaseSeconds": None,
        "genesis": "Gen",
        "incidents": [{"kind": "late_row", "count": "2"}, {"kind": "refused", "count": "1"}],
        "undecoded": [],
    }


async def test_every_connection_says_through_which_slot_it_is_complete_in_the_statement_of_its_rows(
    executor: Executor, ledger: Any
) -> None:
    connections = [name for name in executor.schema._schema.type_map if name.endswith("Connection")]
    assert len(connections) == len(executor.catalog.by_root) > 10
    for entity in executor.catalog.by_root.values():
        required = "".join(f', {argument.key}: "x"' for argument in entity.arguments if argument.required)
        text = (
            f"{{ {entity.root}(first: 1{required}) {{ completeThrough {{ slot }} nodes {{ __typename }} }} }}"
        )
        operation = executor.documents.operation(text, None)
        (compiled,) = executor.compiled(operation, executor.documents.variables(operation, {})).items.values()
        assert isinstance(compiled, Compiled)
        text = compiled.statement.text.replace('"', "")
        table = {"candles": "recent_candles", "pnl_buckets": "perps.position_changes"}.get(
            entity.table, entity.table
        )
        assert table in text and "heliograph.coverage" in text
        (page,) = (await ask(executor, operation.text))["data"].values()
        assert page["completeThrough"] is None
    await ledger.trades(100, 101)
    (page,) = (await ask(executor, "{ balances { completeThrough { slot } nodes { wallet } } }"))[
        "data"
    ].values()
    assert page == {"completeThrough": {"slot": "101"}, "nodes": []}


async def test_a_node_is_one_statement_of_its_type(ledger: Any, executor: Executor) -> None:
    await ledger.put("perps.markets")
    await ledger.trades(101)
    listed = await ask(executor, "{ trades { nodes { id } } markets { nodes { id } } }")
    text = "query ($id: ID!) { node(id: $id) { __typename ... on Trade { price } ... on Market { symbol } } }"
    found = {}
    for root, expected in (("trades", "perps.trades"), ("markets", "perps.markets")):
        (row,) = listed["data"][root]["nodes"]
        operation = executor.documents.operation(text, None)
        compiled = executor.compiled(operation, executor.documents.variables(operation, row))
        item = compiled.items["node"]
        assert compiled.alone is item and isinstance(item, Compiled) and item.root.entity.table == expected
        found[root] = (await ask(executor, text, **row))["data"]["node"]
    assert found == {
        "trades": {"__typename": "Trade", "price": "150.25"},
        "markets": {"__typename": "Market", "symbol": "SOL-PERP"},
    }


@pytest.mark.parametrize(
    "id_", ["", "no id", encode_id("Nothing", ["a"]), encode_id("Trade", [1]), "n" * 5000]
)
async def test_what_is_no_id_of_a_row_is_refused_by_node(executor: Executor, id_: str) -> None:
    for text, variables in (
        ("query ($id: ID!) { node(id: $id) { id } }", {"id": id_}),
        (f"{{ node(id: {json.dumps(id_)}) {{ id }} }}", {}),
    ):
        answer = await executor.execute(Request(text, None, variables))
        assert code(answer) == "BAD_USER_INPUT" and answer.status == 400
