"""API keys: who is let in, who is not, how often, and how soon a revoked one counts no more."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson
import pytest
import websockets
from starlette.types import ASGIApp

from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.caller import address_of
from heliograph_graphql.gateway.keys import KeyRing
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.keys import NewKey, add_key, list_keys, make_key, parse_key, revoke_key, store_wallet_key

QUERY = {"query": "{ __typename }"}


def client(app: ASGIApp, address: str = "192.0.2.1") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, client=(address, 1234))
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


def app_with(database: Database, **gateway: Any) -> ASGIApp:
    return create_app(database, ApiSettings(gateway=GatewaySettings(**gateway)))


async def new_key(database: Database, rate: int | None = None, days: int | None = None) -> NewKey:
    made = make_key()
    async with database.acquire() as connection:
        await add_key(connection, made, "a frontend", rate, days)
    return made


async def wallet_key(database: Database, wallet: str) -> NewKey:
    made = make_key()
    expires = datetime.now(UTC) + timedelta(days=1)
    async with database.acquire() as connection:
        assert await store_wallet_key(connection, made, wallet, f"nonce of {wallet}", expires)
    return made


async def waiting(connection: Any, count: int) -> None:
    """Returns once so many statements wait for a lock."""
    while True:
        if await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") == count:
            return
        await asyncio.sleep(0.01)


def test_a_key_is_told_from_what_is_none() -> None:
    made = make_key()
    assert parse_key(made.text) == (made.id, made.hash)
    assert made.text.rpartition("_")[2].encode() not in made.hash
    for text in ("", "hg_", made.text + "x", made.text[:-1], made.text.upper(), "' OR 1=1", "hg_\0"):
        assert parse_key(text) is None


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/run/socket", "unknown"),
    ],
)
def test_addresses_are_counted_by_who_has_them(host: str, counted: str) -> None:
    assert address_of({"client": (host, 1)}) == counted
    assert address_of({"client": None}) == "unknown"


async def test_where_keys_are_required_data_is_for_those_who_have_one(database: Database) -> None:
    key = await new_key(database)
    async with client(app_with(database, require_key=True)) as http:
        for path in ("/health", "/schema.graphql", "/api", "/api/openapi.json"):
            assert (await http.get(path)).status_code == 200
        page = await http.get("/graphql", headers={"accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")
        refused = [
            await http.post("/graphql", json=QUERY),
            await http.get("/graphql?query={__typename}", headers={"accept": "text/html"}),
            await http.get("/graphql?extensions={}", headers={"accept": "text/html"}),
            await http.get("/graphql?documentId=a", headers={"accept": "text/html"}),
            await http.get("/graphql?quer%79={__typename}", headers={"accept": "text/html"}),
            await http.get("/api/trades"),
            await http.get("/api/trades", headers={"authorization": "Basic x"}),
            # The router takes a line end behind a path for the end of it.
            await http.post("/graphql%0A", json=QUERY),
            await http.get("/graphql%0A?query={__typename}"),
        ]
        assert {response.status_code for response in refused} == {401}
        assert refused[0].json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert refused[5].json()["code"] == "UNAUTHENTICATED"
        for headers in ({"authorization": f"Bearer {key.text}"}, {"x-api-key": key.text}):
            assert (await http.get("/api/trades", headers=headers)).status_code == 200
            assert (await http.post("/graphql", json=QUERY, headers=headers)).status_code == 200
        preflight = {"origin": "https://a.example", "access-control-request-method": "POST"}
        assert (await http.options("/graphql", headers=preflight)).status_code == 200


async def test_a_key_that_is_none_is_refused_even_where_none_is_needed(database: Database) -> None:
    key = await new_key(database)
    forged = key.text[:-1] + ("A" if key.text[-1] != "A" else "B")
    async with client(app_with(database, bad_keys_per_minute=4)) as http:
        for text in (forged, make_key().text, "'; DROP TABLE heliograph.api_keys; --", "é"):
            headers = [(b"x-api-key", text.encode())]
            response = await http.post("/graphql", json=QUERY, headers=headers)
            assert response.status_code == 401
            assert "misspelt, expired or revoked" in response.json()["errors"][0]["message"]
        # Now the address has guessed enough; who has a key there, or none, does not wait.
        response = await http.post("/graphql", json=QUERY, headers={"x-api-key": forged})
        assert (response.status_code, response.headers["retry-after"]) == (429, "60")
        assert (await http.post("/graphql", json=QUERY)).status_code == 200
        for _ in range(2):
            response = await http.post("/graphql", json=QUERY, headers={"x-api-key": key.text})
            assert response.status_code == 200


async def test_a_revoked_or_expired_key_counts_no_more(database: Database) -> None:
    key, short = await new_key(database), await new_key(database, days=1)
    now = itertools.count()
    ring = KeyRing(database, cache_s=2.5, clock=lambda: next(now))
    assert await ring.find(key.text) is not None and await ring.find(short.text) is not None
    async with database.acquire() as connection:
        assert await revoke_key(connection, key.id) is True
        assert await revoke_key(connection, key.id) is False
        assert await revoke_key(connection, "nobody") is None
        await connection.execute(
            "UPDATE heliograph.api_keys SET expires_at = now() - interval '1 s' WHERE id = $1", short.id
        )
        listed = await list_keys(connection)
    assert [one.revoked_at is not None for one in listed] == [True, False]
    for one in (key, short):
        while await ring.find(one.text) is not None:
            assert next(now) < 20


async def test_rates_are_counted_by_key_and_else_by_address(database: Database) -> None:
    slow, fast = await new_key(database, rate=2), await new_key(database)
    app = app_with(database, address_requests_per_minute=3, key_requests_per_minute=5)

    async def admitted(address: str, key: NewKey | None = None) -> int:
        """How many of ten requests."""
        headers = {"x-api-key": key.text} if key is not None else {}
        async with client(app, address) as http:
            answers = [await http.get("/api/openapi.json", headers=headers) for _ in range(10)]
        assert answers[0].headers["ratelimit-limit"] == answers[9].headers["ratelimit-limit"]
        assert answers[9].json()["code"] == "RATE_LIMITED"
        assert 0 < int(answers[9].headers["retry-after"]) <= 60
        return sum(answer.status_code == 200 for answer in answers)

    assert await admitted("192.0.2.1") == 3
    assert await admitted("192.0.2.2") == 3
    assert await admitted("2001:db8::1") == 3
    async with client(app, "2001:db8::2") as http:
        assert (await http.get("/api/openapi.json")).status_code == 429
        assert (await http.get("/health")).status_code == 200
    assert await admitted("192.0.2.1", slow) == 2
    assert await admitted("192.0.2.1", fast) == 5


async def test_wallets_of_one_address_share_its_rate(database: Database, ledger: Any) -> None:
    wallets = [await wallet_key(database, name) for name in ("alice", "bob", "carol")]
    app = app_with(database, address_requests_per_minute=4, key_requests_per_minute=2, requests_at_once=1)

    async def statuses(address: str, *keys: NewKey) -> list[int]:
        async with client(app, address) as http:
            return [
                (await http.get("/api/openapi.json", headers={"x-api-key": key.text})).status_code
                for key in keys
            ]

    alice, bob, carol = wallets
    assert await statuses("192.0.2.1", alice, alice, alice) == [200, 200, 429], (
        "a wallet's key has its own rate too"
    )
    assert await statuses("192.0.2.1", bob, carol, bob, carol) == [200, 200, 429, 429]
    # What the address refused was not spent of the keys.
    assert await statuses("192.0.2.2", bob, carol) == [200, 200]
    async with client(app, "192.0.2.3") as http, database.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE perps.trades")
        held = asyncio.create_task(
            http.get("/api/trades", headers={"x-api-key": (await wallet_key(database, "dave")).text})
        )
        await waiting(connection, 1)
        other = await wallet_key(database, "erin")
        refused = await http.get("/api/markets", headers={"x-api-key": other.text})
        assert refused.status_code == 429 and "of this address are under way" in refused.json()["error"]
        await connection.execute("SELECT 1")
    assert (await held).status_code == 200


async def test_what_a_key_opens_is_for_no_shared_cache(database: Database, ledger: Any) -> None:
    key = {"x-api-key": (await new_key(database)).text}
    await ledger.trades(100, 101)
    async with database.acquire() as connection:
        await connection.execute("UPDATE heliograph.streams SET final_slot = 101")
    settled = "/api/trades?fromSlot=100&throughSlot=100"
    async with client(app_with(database, require_key=True)) as http:
        for path, kept in (
            (settled, "private, max-age="),
            ("/graphql?query={trades{totalCount}}", "private, no-cache"),
        ):
            response = await http.get(path, headers=key)
            assert response.status_code == 200, response.text
            assert response.headers["cache-control"].startswith(kept)
            varies = {name.strip() for name in response.headers["vary"].lower().split(",")}
            assert varies >= {"authorization", "x-api-key", "accept"}
        posted = await http.post("/graphql", json=QUERY, headers=key)
        assert posted.headers["cache-control"] == "no-store"
        assert "private" not in (await http.get("/api/openapi.json")).headers["cache-control"]
    async with client(app_with(database)) as http:
        assert (await http.get(settled, headers=key)).headers["cache-control"].startswith("max-age=")


async def test_a_websocket_has_its_key_in_connection_init(servers: Any, database: Database) -> None:
    key = await new_key(database, rate=5)
    server = await servers.start(gateway=GatewaySettings(require_key=True))

    async def begin(payload: object, **headers: str) -> Any:
        socket = await websockets.connect(
            server.ws_url,
            subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
            additional_headers=headers,
        )
        await socket.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
        return socket

    for payload in (None, {}, {"authorization": "Bearer nonsense"}, {"x-api-key": make_key().text}, [1]):
        socket = await begin(payload)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
    for payload, headers in (({"Authorization": f"Bearer {key.text}"}, {}), (None, {"X-API-Key": key.text})):
        socket = await begin(payload, **headers)
        assert orjson.loads(await socket.recv())["type"] == "connection_ack"
        kinds = []
        for name in ("1", "2", "3"):
            await socket.send(
                orjson.dumps(
                    {"type": "subscribe", "id": name, "payload": {"query": "{ __typename }"}}
                ).decode()
            )
            answer = orjson.loads(await socket.recv())
            kinds.append(answer["type"])
            if answer["type"] == "next":
                await socket.recv()
            else:
                assert answer["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        await socket.close()
        if headers:
            break
        assert kinds == ["next", "next", "next"]
    assert "error" in kinds


async def test_a_database_that_is_away_is_no_bad_key(database: Database) -> None:
    key = make_key()
    await database.close()
    async with client(app_with(database)) as http:
        response = await http.post("/graphql", json=QUERY, headers={"x-api-key": key.text})
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (
        503,
        "DATABASE_UNAVAILABLE",
    )


async def test_one_caller_has_so_many_requests_under_way_and_others_are_not_held_up(
    database: Database, ledger: Any
) -> None:
    key = await new_key(database)
    app = app_with(database, requests_at_once=2)
    query = {"query": "{ trades { totalCount } }"}
    async with client(app) as http, client(app, "192.0.2.2") as other:
        async with database.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE perps.trades")
            held = [asyncio.create_task(http.post("/graphql", json=query)) for _ in range(2)]
            await waiting(connection, 2)
            refused = await http.get("/api/trades")
            assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
            streams = {"accept": "application/json, text/event-stream"}
            assert (await http.get("/api/trades", headers=streams)).status_code == 429
            for accepted in (streams, {"accept": "text/event-stream"}):
                refused = await http.post("/graphql", json=query, headers=accepted)
                assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert (await http.get("/health")).status_code == 200
            assert (await http.get("/api/markets", headers={"x-api-key": key.text})).status_code == 200
            assert (await other.get("/api/markets")).status_code == 200
        assert [(await one).status_code for one in held] == [200, 200]
        assert (await http.get("/api/trades")).status_code == 200
        streamed = await http.post("/graphql", json=query, headers={"accept": "text/event-stream"})
        assert "event: next" in streamed.text and '"totalCount":' in streamed.text


async def test_queries_of_a_websocket_count_among_the_requests_at_once(
    servers: Any, database: Database, ledger: Any
) -> None:
    server = await servers.start(gateway=GatewaySettings(requests_at_once=1))
    async with websockets.connect(
        server.ws_url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]
    ) as socket:

        async def hear() -> dict[str, Any]:
            async with asyncio.timeout(10):
                heard: dict[str, Any] = orjson.loads(await socket.recv())
            return heard

        async def ask(name: str, text: str) -> None:
            message = {"type": "subscribe", "id": name, "payload": {"query": text}}
            await socket.send(orjson.dumps(message).decode())

        await socket.send('{"type":"connection_init"}')
        await hear()
        async with database.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE perps.trades")
            await ask("1", "{ trades { totalCount } }")
            await waiting(connection, 1)
            await ask("2", "{ streams { totalCount } }")
            refused = await hear()
            assert (refused["id"], refused["type"]) == ("2", "error")
            assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        told = [await hear(), await hear()]
        assert [(one["id"], one["type"]) for one in told] == [("1", "next"), ("1", "complete")]
        await ask("3", "{ streams { totalCount } }")
        assert (await hear())["type"] == "next"


async def test_a_caller_has_so_many_websockets(servers: Any) -> None:
    server = await servers.start(gateway=GatewaySettings(live_connections_per_caller=2))

    async def dial() -> Any:
        return await websockets.connect(
            server.ws_url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]
        )

    first, _second, third = await dial(), await dial(), await dial()
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await third.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4429
    await first.close()
    while True:
        again = await dial()
        try:
            await again.send('{"type":"connection_init"}')
            assert "connection_ack" in await again.recv()
            return
        except websockets.ConnectionClosed:
            continue
