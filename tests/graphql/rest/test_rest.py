"""REST: pages and rows, filters, formats, what is refused, and how long an answer may be kept."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from heliograph_graphql.app import create_app
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.rest.resources import RESOURCES
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(database)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


async def market(ledger: Any) -> None:
    await ledger.put("perps.markets")


async def test_every_resource_answers_with_every_field_in_both_formats(
    client: httpx2.AsyncClient, ledger: Any
) -> None:
    await market(ledger)
    await ledger.put("perps.positions")
    query = {"/api/candles": "?market=SOL-PERP"}
    entities = [load_catalog().by_root[resource.root] for resource in RESOURCES]
    await ledger.commit({100: {entity.table: [{}] for entity in entities if entity.live}})
    for resource, entity in zip(RESOURCES, entities, strict=True):
        await check_both_formats(client, resource.path + query.get(resource.path, ""), entity)


async def check_both_formats(client: httpx2.AsyncClient, path: str, entity: Any) -> None:
    answer = (await client.get(path)).json()
    assert list(answer) == ["data", "page", "completeThrough", "coverage"]
    (row,) = answer["data"]
    assert list(row) == [field.key for field in entity.fields]
    response = await client.get(path, headers={"accept": "text/csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    (told,) = csv.DictReader(io.StringIO(response.text))
    assert told["stream"] == row["stream"]
    assert [name for name, value in row.items() if value is None] == [
        name for name, value in told.items() if value == "" and row[name] != ""
    ]


async def test_pages_follow_each_other_by_cursor_and_by_link(client: httpx2.AsyncClient, ledger: Any) -> None:
    await market(ledger)
    await ledger.trades(*range(100, 110))
    seen, path = [], "/api/trades?limit=4&order=asc"
    while path:
        response = await client.get(path)
        seen += [row["slot"] for row in response.json()["data"]]
        link = response.headers.get("link")
        assert (link is not None) == response.json()["page"]["hasNext"]
        path = link[1:].partition(">")[0] if link else ""
    assert seen == [str(slot) for slot in range(100, 110)]


FILTERED = [
    ("wallet=carol", ["102"]),
    ("wallet=carol,alice", ["102", "101", "100"]),
    ("taker=alice&maker=carol", ["102"]),
    ("market=SOL-PERP", ["102", "101", "100"]),
    ("market=BTC-PERP", []),
    ("marketAddress=SolMarket&fromSlot=101", ["102", "101"]),
    ("throughSlot=100", ["100"]),
    ("from=2026-11-21T00:00:25Z&to=2026-11-21T00:00:26%2B00:00", ["102", "101", "100"]),
    ("from=2026-11-21T00:00:25+00:00&fromSlot=102", ["102"]),
    ("to=2026-11-21T00:00:25Z", []),
    ("minSize=5", ["101"]),
    ("takerSide=SHORT", ["101"]),
    ("liquidation=true", []),
    ("signature=sig-101-0", ["101"]),
    ("stream=godark&limit=1", ["102"]),
]


async def test_filters(client: httpx2.AsyncClient, ledger: Any) -> None:
    await market(ledger)
    await ledger.commit(
        {
            100: {"perps.trades": [{}]},
            101: {"perps.trades": [{"size": Decimal(5), "taker_side": "short"}]},
            102: {"perps.trades": [{"maker": "carol"}]},
        }
    )
    for query, slots in FILTERED:
        response = await client.get(f"/api/trades?{query}")
        assert response.status_code == 200, response.text
        assert [row["slot"] for row in response.json()["data"]] == slots, query


REFUSED = [
    ("nonsense=1", "no parameter 'nonsense'"),
    ("limit=1&limit=2", "limit is given twice"),
    ("limit=1001", "limit is '1001': give a whole number from 1 to 1000"),
    ("limit=0", "limit is '0': give a whole number from 1 to 1000"),
    ("limit=-1", "limit is '-1'"),
    ("limit=x", "limit is 'x'"),
    ("limit=" + "9" * 5000, "limit is"),
    ("limit=١", "limit is"),
    ("fromSlot=-1", "fromSlot: slot -1 is negative"),
    ("fromSlot=1e3", "fromSlot: '1e3' is no 64-bit integer"),
    ("minSize=NaN", "minSize: 'NaN' is no decimal number"),
    ("minSize=1e101", "minSize: '1e101' is out of range"),
    ("minSize=1;drop table perps.trades", "minSize: "),
    ("from=yesterday", "from: 'yesterday' is no time"),
    ("takerSide=up", "takerSide is 'up': it is long or short"),
    ("liquidation=1", "liquidation is '1': it is true or false"),
    ("order=up", "order is 'up'"),
    ("format=xml", "format is 'xml': it is json or csv"),
    ("wallet=", "wallet is ''"),
    ("wallet=a%00b", "wallet is"),
    ("wallet=" + ",".join("a" * 101), "wallet has 101 values"),
    ("after=nonsense", "cursor 'nonsense'"),
]


async def test_a_bad_parameter_is_named(client: httpx2.AsyncClient, ledger: Any) -> None:
    for query, words in REFUSED:
        response = await client.get(f"/api/trades?{query}")
        body = response.json()
        assert (response.status_code, set(body)) == (400, {"error", "code"}), query
        assert words in body["error"]
        assert body["code"] == ("CURSOR_INVALID" if "after" in query else "BAD_USER_INPUT")


async def test_a_position_is_found_by_its_address_and_by_its_id(
    client: httpx2.AsyncClient, ledger: Any
) -> None:
    await market(ledger)
    await ledger.put("perps.positions", status="closed")
    await ledger.put("perps.positions", opened_slot=200, lifecycle=2)
    latest = (await client.get("/api/positions/alice-sol")).json()["data"]
    assert latest["lifecycle"] == 2
    first = (await client.get("/api/positions?order=asc")).json()["data"][0]
    assert (await client.get(f"/api/positions/{first['id']}")).json()["data"] == first
    assert (await client.get("/api/positions/alice-sol?stream=other")).status_code == 404
    response = await client.get("/api/positions/alice-sol?format=csv")
    assert response.text.splitlines()[0].startswith("id,stream,")


async def test_candles_are_those_of_one_market(client: httpx2.AsyncClient, ledger: Any) -> None:
    await market(ledger)
    await ledger.commit(
        {
            100: {"perps.trades": [{"price": Decimal(100)}, {"price": Decimal(90)}]},
            700: {"perps.trades": [{"price": Decimal(120)}]},
        }
    )

    async def closes(query: str) -> list[str]:
        response = await client.get(f"/api/candles?{query}")
        assert response.status_code == 200, response.text
        return [row["close"] for row in response.json()["data"]]

    assert await closes("market=SOL-PERP") == ["120", "90"]
    assert await closes("marketAddress=SolMarket&resolution=1m&fill=true") == ["120", "90", "90"]
    assert await closes("market=SOL-PERP&resolution=1h&priceKind=trade") == ["120"]
    assert await closes("market=SOL-PERP&until=2026-11-21T00:01:00Z") == ["90"]
    assert await closes("market=SOL-PERP&limit=1") == ["120"]
    response = await client.get("/api/candles?market=SOL-PERP&limit=1")
    link = response.headers["link"][1:].partition(">")[0]
    assert [row["close"] for row in (await client.get(link)).json()["data"]] == ["90"]
    for query, status, words in (
        ("", 400, "needs market or marketAddress"),
        ("market=SOL-PERP&resolution=2m", 400, "resolution is '2m': it is 1m or 5m"),
        ("market=SOL-PERP&order=asc", 400, "no parameter 'order'"),
        ("market=NOPE", 404, "there is no market 'NOPE': /api/markets lists"),
    ):
        response = await client.get(f"/api/candles?{query}")
        assert response.status_code == status and words in response.json()["error"], response.text


async def test_what_is_not_there_is_404(client: httpx2.AsyncClient, ledger: Any) -> None:
    response = await client.get("/api/positions/nobody")
    assert (response.status_code, response.json()) == (
        404,
        {"error": "there is no position 'nobody': pass the address or the id of one", "code": "NOT_FOUND"},
    )
    response = await client.get("/api/nonsense")
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
    assert "/api/trades" in response.json()["error"]


async def test_nothing_can_be_written(client: httpx2.AsyncClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"):
        for path in ("/api/trades", "/api/positions/alice-sol", "/api/openapi.json", "/api"):
            response = await client.request(method, path)
            assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
            assert "the chain is the only writer" in response.json()["error"]
            assert response.json()["code"] == "METHOD_NOT_ALLOWED"
    assert (await client.options("/api/trades")).status_code == 204


async def test_a_database_that_is_away_is_503(client: httpx2.AsyncClient, database: Database) -> None:
    await database.close()
    for path in ("/api/markets", "/api/markets?minSlot=1"):
        response = await client.get(path)
        assert (response.status_code, response.json()["code"]) == (503, "DATABASE_UNAVAILABLE")


async def test_the_format_follows_what_is_accepted(client: httpx2.AsyncClient, ledger: Any) -> None:
    async def kind(accept: str) -> tuple[int, str]:
        response = await client.get("/api/trades", headers={"accept": accept})
        return response.status_code, response.headers["content-type"].partition(";")[0]

    assert await kind("text/csv;q=0.5, application/json") == (200, "application/json")
    assert await kind("text/csv, application/json;q=0.1") == (200, "text/csv")
    assert await kind("text/*, */*;q=0.1") == (200, "text/csv")
    assert await kind("*/*") == (200, "application/json")
    assert await kind("application/xml") == (406, "application/json")
    assert await kind("text/csv;q=0") == (406, "application/json")


async def test_an_answer_is_sent_again_only_once_a_commit_changed_it(
    client: httpx2.AsyncClient, ledger: Any
) -> None:
    await ledger.trades(100)
    first = await client.get("/api/trades")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    again = await client.get("/api/trades", headers={"if-none-match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await client.get("/api/trades?limit=2", headers={"if-none-match": tag})).status_code == 200
    assert (await client.get("/api/trades?format=csv", headers={"if-none-match": tag})).status_code == 200
    await ledger.trades(101)
    later = await client.get("/api/trades", headers={"if-none-match": tag})
    assert (later.status_code, len(later.json()["data"])) == (200, 2)


async def test_only_a_bounded_final_range_without_gaps_may_be_kept_for_long(
    client: httpx2.AsyncClient, ledger: Any, database: Database
) -> None:
    async def kept(query: str) -> bool:
        response = await client.get(f"/api/trades?{query}")
        assert response.status_code == 200
        long: bool = response.headers["cache-control"] == "max-age=86400"
        assert response.json()["coverage"]["settled"] == long
        tag = response.headers["etag"]
        again = await client.get(f"/api/trades?{query}", headers={"if-none-match": tag})
        assert (again.status_code, again.headers["cache-control"]) == (304, response.headers["cache-control"])
        return long

    async def execute(text: str) -> None:
        async with database.acquire() as connection:
            await connection.execute(text)

    await ledger.trades(100, 101, 102, 103, 104, 108)
    await ledger.trades(120)
    assert not await kept("fromSlot=100&throughSlot=104")
    await execute("UPDATE heliograph.streams SET final_slot = 108")
    assert await kept("fromSlot=100&throughSlot=104")
    assert await kept("fromSlot=100&throughSlot=108")
    # Slot 104 is of the same second as 105 to 107: what comes behind `to` bounds it.
    assert await kept("fromSlot=100&to=2026-11-21T00:00:26Z")
    assert await kept("from=2026-11-21T00:00:26Z&throughSlot=106")
    assert not await kept("from=2026-11-21T00:00:25Z&throughSlot=106")
    assert not await kept("fromSlot=100&to=2026-11-21T00:00:27Z")
    assert not await kept("fromSlot=100&throughSlot=109")
    assert not await kept("fromSlot=99&throughSlot=104")
    assert not await kept("fromSlot=100")
    assert not await kept("throughSlot=104")
    assert not await kept("fromSlot=100&throughSlot=104&stream=nobody")
    await execute("INSERT INTO heliograph.dirty (stream, position_key) VALUES ('godark', 'alice-sol')")
    assert not await kept("fromSlot=100&throughSlot=104")
    await execute("DELETE FROM heliograph.dirty")
    await execute("UPDATE heliograph.coverage SET slots = slots - int8multirange(int8range(102, 103))")
    assert not await kept("fromSlot=100&throughSlot=104")
    assert await kept("fromSlot=103&throughSlot=104")


async def test_the_page_for_browsers_loads_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    texts = [(await client.get("/api")).text]
    for name in ("rest.css", "rest.js"):
        part = await client.get(f"/explorer/{name}")
        assert part.status_code == 200
        texts.append(part.text)
    assert not any("https://" in text or "//unpkg" in text for text in texts)


async def test_min_slot_waits_or_says_how_far_it_is(database: Database, ledger: Any) -> None:
    await ledger.trades(100, 101)
    app = create_app(database, ApiSettings(min_slot_wait_s=0.05))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        assert len((await client.get("/api/trades?minSlot=101")).json()["data"]) == 2
        for path in ("/api/trades?minSlot=102", "/api/positions/nobody?minSlot=102"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (409, "SLOT_NOT_REACHED")
            assert "complete through 101" in answer.json()["error"]
        assert (await client.get("/api/trades?minSlot=soon")).status_code == 400
