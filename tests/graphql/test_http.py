"""The HTTP side: GraphQL requests, the query page, health and readiness."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psycopg
import pytest

from heliograph_graphql.app import create_app
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Without lifespan: nothing here is live."""
    app = create_app(database, ApiSettings(max_body_bytes=10_000))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_post_answers_json(client: httpx2.AsyncClient, ledger: Any) -> None:
    response = await client.post(
        "/graphql", json={"query": "query Q { streams { nodes { name } } }", "operationName": "Q"}
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"data": {"streams": {"nodes": [{"name": "godark"}]}}}


async def test_the_graphql_media_type_is_spoken_to_those_who_ask(client: httpx2.AsyncClient) -> None:
    headers = {"accept": "application/graphql-response+json"}
    response = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert response.headers["content-type"] == "application/graphql-response+json"


async def test_get_answers_a_query(client: httpx2.AsyncClient, ledger: Any) -> None:
    params = {"query": "query ($n: Int) { streams(first: $n) { nodes { name } } }", "variables": '{"n": 1}'}
    response = await client.get("/graphql", params=params)
    assert response.json() == {"data": {"streams": {"nodes": [{"name": "godark"}]}}}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"nonsense", {}, 400, "BAD_REQUEST"),
        (b"[]", {}, 400, "BAD_REQUEST"),
        (b'{"query": 5}', {}, 400, "BAD_REQUEST"),
        (b'{"query": "{ __typename }", "variables": []}', {}, 400, "BAD_REQUEST"),
        (b'{"query": "\xff"}', {}, 400, "BAD_REQUEST"),
        (b"[" * 9000, {}, 400, "BAD_REQUEST"),
        (b"{" + b" " * 10_000 + b"}", {}, 413, "REQUEST_TOO_LARGE"),
        (b"query=x", {"content-type": "application/x-www-form-urlencoded"}, 415, "BAD_REQUEST"),
        (b'{"query": "{ nonsense }"}', {}, 400, "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_bad_body_is_refused(
    client: httpx2.AsyncClient, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = await client.post(
        "/graphql", content=body, headers={"content-type": "application/json"} | headers
    )
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_other_methods_are_not_allowed(client: httpx2.AsyncClient) -> None:
    assert [(await client.request(method, "/graphql")).status_code for method in ("PUT", "DELETE")] == [
        405,
        405,
    ]


async def test_a_browser_gets_a_page_that_loads_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    response = await client.get("/graphql", headers={"accept": "text/html,application/xhtml+xml"})
    assert response.status_code == 200
    texts = [response.text]
    for name in ("style.css", "page.js", "client.js", "language.js", "examples.js"):
        part = await client.get(f"/explorer/{name}")
        assert part.status_code == 200
        texts.append(part.text)
    for text in texts:
        assert "https://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "//unpkg" not in text


async def test_the_page_can_be_switched_off(database: Database) -> None:
    app = create_app(database, ApiSettings(explorer=False))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/graphql", headers={"accept": "text/html"})).status_code == 400
        assert (await client.get("/explorer/page.js")).status_code == 404


async def test_every_example_of_the_page_is_valid(client: httpx2.AsyncClient, ledger: Any) -> None:
    import re

    text = (await client.get("/explorer/examples.js")).text
    queries = re.findall(r"query: `([^`]*)`", text)
    assert len(queries) >= 10
    for query in [*queries, text.partition("introspection = `")[2].partition("`")[0]]:
        body = {"query": query, "variables": {"symbol": "SOL-PERP"} if "$symbol" in query else {}}
        answer = (await client.post("/graphql", json=body)).json()
        if query.startswith("subscription"):
            assert "WebSocket" in answer["errors"][0]["message"]
        else:
            assert "errors" not in answer, query


async def test_any_origin_may_ask(client: httpx2.AsyncClient) -> None:
    headers = {"origin": "https://frontend.example", "access-control-request-method": "POST"}
    response = await client.options("/graphql", headers=headers)
    assert response.headers["access-control-allow-origin"] == "*"


async def test_health_needs_no_database(client: httpx2.AsyncClient, database: Database) -> None:
    await database.close()
    assert (await client.get("/health")).json() == {"alive": True}


async def test_ready_where_a_led_stream_is_complete_and_current(
    client: httpx2.AsyncClient, database: Database, ledger: Any
) -> None:
    await ledger.trades(100, 101)
    await be_led(database)
    response = await client.get("/ready")
    assert (response.status_code, response.json()["ready"]) == (200, True)
    checks = response.json()["checks"]
    assert list(checks) == [
        "live",
        "database",
        "migrations",
        "streams",
        "complete",
        "leader",
        "lag",
        "gaps",
    ]
    assert all(check == {"ok": True} for check in checks.values())


async def be_led(database: Database, age_s: float = 1) -> None:
    """As with an indexer beside it, whose last block is so old."""
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE heliograph.streams SET leader = 'host:1', leader_expires = now() + interval '1 hour',"
            " head_time = now() - make_interval(secs => $1)",
            age_s,
        )


async def test_ready_says_why_not(client: httpx2.AsyncClient, database: Database, database_url: str) -> None:
    response = await client.get("/ready")
    assert (response.status_code, response.json()["code"]) == (503, "NO_STREAM")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM heliograph.schema_migrations WHERE name LIKE '0002%'")
    assert (await client.get("/ready")).json()["code"] == "MIGRATION_MISSING"
    await database.close()
    response = await client.get("/ready")
    assert (response.status_code, response.json()["ready"], response.json()["code"]) == (
        503,
        False,
        "DATABASE_UNAVAILABLE",
    )


async def test_a_stream_that_nobody_indexes_is_not_ready(client: httpx2.AsyncClient, ledger: Any) -> None:
    await ledger.trades(100, 101)
    answer = (await client.get("/ready")).json()
    assert (answer["ready"], answer["code"]) == (False, "NO_LEADER")
    assert answer["reason"] == answer["checks"]["leader"]["why"]
    assert "nobody holds its lease" in answer["reason"]
    assert answer["checks"]["complete"] == {"ok": True}


async def test_ready_tells_lag_and_gaps(client: httpx2.AsyncClient, database: Database, ledger: Any) -> None:
    await ledger.trades(100, 101)
    await ledger.trades(110)
    await be_led(database, age_s=600)
    answer = (await client.get("/ready")).json()
    assert (answer["ready"], answer["code"]) == (False, "LAGGING")
    assert "600 s old, more than ready_lag_s (60)" in answer["reason"]
    # Gaps that somebody heals are worth a word and no refusal.
    assert answer["checks"]["gaps"] == {"ok": True, "why": "godark: 1 gaps of 8 slots are being healed"}


async def test_an_api_over_history_alone_may_be_ready(database: Database, ledger: Any) -> None:
    await ledger.trades(100, 101)
    app = create_app(database, ApiSettings(ready_unindexed=True))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        answer = (await client.get("/ready")).json()
    assert answer["ready"] is True
    assert "nobody holds its lease" in answer["checks"]["leader"]["why"]


async def test_an_empty_database_is_not_ready(empty_database_url: str) -> None:
    async with await Database.open(empty_database_url) as database:
        app = create_app(database)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get("/ready")).json()["code"] == "MIGRATION_MISSING"


async def test_the_sdl_is_served(client: httpx2.AsyncClient) -> None:
    response = await client.get("/schema.graphql")
    assert "type Query {" in response.text


async def test_an_unreachable_database_is_said_with_a_code(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await database.close()
    response = await client.post("/graphql", json={"query": "{ markets { totalCount } }"})
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (
        503,
        "DATABASE_UNAVAILABLE",
    )
