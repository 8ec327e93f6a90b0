"""`/ws`: objects and prices without GraphQL, resumed by their cursors."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
import websockets
from tests.graphql.conftest import Ledger, Server, Servers
from tests.graphql.test_object_feed import change

from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.plain_socket import PlainClient
from heliograph_sql.keys import add_key, make_key


class Client:
    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            heard: dict[str, Any] = json.loads(await self.connection.recv())
        return heard

    async def ask(self, message: object) -> dict[str, Any]:
        await self.say(message)
        return await self.hear()


@asynccontextmanager
async def connected(server: Server, **options: Any) -> AsyncIterator[Client]:
    url = f"ws://127.0.0.1:{server.port}/ws"
    async with websockets.connect(url, proxy=None, max_size=None, **options) as connection:
        yield Client(connection)


async def test_a_position_is_told_whole_by_its_address_and_by_its_id(
    ledger: Ledger, servers: Servers
) -> None:
    for opened in (100, 101):
        await ledger.put("perps.positions", position_key="p1", opened_slot=opened, lifecycle=opened - 99)
    server = await servers.start()
    async with connected(server) as client:
        assert await client.ask({"subscribe": "position", "id": "p1"}) == {
            "subscribed": "position",
            "id": "p1",
        }
        told = await client.hear()
        assert (told["type"], told["id"], told["positions"]["snapshot"]) == ("position", "p1", True)
        assert [node["lifecycle"] for node in told["positions"]["nodes"]] == [1, 2]
        id_ = told["positions"]["nodes"][1]["id"]
        await client.ask({"subscribe": "position", "id": id_})
        told = await client.hear()
        assert [node["id"] for node in told["positions"]["nodes"]] == [id_]
        await client.ask({"unsubscribe": "position", "id": "p1"})
        await change(ledger, ("UPDATE perps.positions SET size = 3 WHERE opened_slot = 101",))
        told = await client.hear()
        assert (told["id"], told["positions"]["snapshot"]) == (id_, False)
        assert [node["size"] for node in told["positions"]["nodes"]] == ["3"]


async def test_the_older_form_of_subscribing_means_the_same(ledger: Ledger, servers: Servers) -> None:
    await ledger.put("perps.positions", position_key="p1")
    await ledger.put("perps.markets", market="sol", symbol="SOL-PERP")
    server = await servers.start()
    async with connected(server) as client:
        asked: dict[str, Any] = {"SubscribePosition": {"position_id": "p1"}}
        assert await client.ask(asked) == {"subscribed": "position", "id": "p1"}
        assert (await client.hear())["positions"]["nodes"][0]["positionKey"] == "p1"
        asked = {"SubscribeMarket": {"market": "SOL-PERP"}}
        assert await client.ask(asked) == {"subscribed": "market", "id": "SOL-PERP"}
        assert (await client.hear())["markets"]["nodes"][0]["address"] == "sol"


async def test_prices_of_a_market_come_by_its_symbol(ledger: Ledger, servers: Servers) -> None:
    await ledger.put("perps.markets", market="sol", symbol="SOL-PERP")
    server = await servers.start()
    async with connected(server) as client:
        await client.ask({"subscribe": "price", "id": "SOL-PERP"})
        prices = {"perps.oracle_prices": [{"market": "sol", "price": 150}]}
        told = None
        for slot in range(101, 201):
            # Only what is committed behind the beginning is told, and the beginning itself is not.
            await ledger.commit({slot: prices})
            try:
                async with asyncio.timeout(0.2):
                    told = json.loads(await client.connection.recv())
                break
            except TimeoutError:
                continue
        assert told is not None and told["oraclePrices"]["nodes"][0]["price"] == "150"


async def test_a_wallet_followed_through_cuts_and_two_replicas_is_what_the_tables_say(
    ledger: Ledger, servers: Servers
) -> None:
    seed = 3
    print(f"seed {seed}")
    dice = random.Random(seed)
    await ledger.put("perps.positions", position_key="p0", wallet="alice", status="open")
    await ledger.put("perps.balances", wallet="alice", asset="USDC")
    replicas = [await servers.start(), await servers.start()]
    held: dict[str, dict[str, Any]] = {"positions": {}, "balances": {}}
    snapshots = {"positions": 0, "balances": 0}
    cursor: str | None = None
    done = asyncio.Event()

    def take(told: dict[str, Any]) -> None:
        for root, objects in held.items():
            if root in told:
                if told[root]["snapshot"]:
                    objects.clear()
                    snapshots[root] += 1
                for node in told[root]["nodes"]:
                    objects[node["id"]] = node
                for gone in told[root]["removed"]:
                    objects.pop(gone, None)

    async def write() -> None:
        for number in range(60):
            position = dice.randrange(4)
            if position == 0:
                await change(ledger, ("UPDATE perps.balances SET free = $1", number))
            elif dice.random() < 0.5:
                await ledger.put(
                    "perps.positions", position_key=f"p{number + 1}", wallet="alice", status="open"
                )
                await change(ledger, ("UPDATE perps.positions SET size = $1", number))
            else:
                await change(
                    ledger,
                    ("UPDATE perps.positions SET status = 'closed' WHERE position_key = $1", f"p{number}"),
                )
        done.set()

    writing = asyncio.create_task(write())
    while not done.is_set() or dice.random() < 0.5:
        async with connected(dice.choice(replicas)) as client:
            await client.ask({"subscribe": "wallet", "id": "alice", "after": cursor})
            for _ in range(dice.randrange(1, 5)):
                if done.is_set():
                    break
                try:
                    async with asyncio.timeout(0.3):
                        told = json.loads(await client.connection.recv())
                except TimeoutError:
                    break
                take(told)
                cursor = told["cursor"]
    await writing
    async with ledger.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT position_key, size FROM perps.positions WHERE wallet = 'alice' AND status = 'open'"
        )
        free = await connection.fetchval("SELECT free FROM perps.balances")
    wanted = {row["position_key"]: str(row["size"]) for row in rows}
    async with connected(replicas[0]) as client:
        await client.ask({"subscribe": "wallet", "id": "alice", "after": cursor})
        async with asyncio.timeout(10):
            while {node["positionKey"]: node["size"] for node in held["positions"].values()} != wanted or [
                node["free"] for node in held["balances"].values()
            ] != [str(free)]:
                take(json.loads(await client.connection.recv()))
    assert snapshots == {"positions": 1, "balances": 1}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("{", "is no JSON object"),
        ("[1]", "is no JSON object"),
        ({}, "and this one has none"),
        ({"subscribe": "position", "ping": 1, "id": "x"}, "and this one has subscribe and ping"),
        (
            {"subscribe": "nothing", "id": "x"},
            "there is no topic 'nothing': there are position, market, wallet, price",
        ),
        ({"subscribe": ["position"], "id": "x"}, "there is no topic"),
        ({"subscribe": "position"}, "subscribe needs an id"),
        ({"subscribe": "position", "id": 5}, "subscribe needs an id"),
        ({"subscribe": "position", "id": "x" * 300}, "subscribe needs an id"),
        ({"subscribe": "position", "id": "x", "after": 5}, "after is no text"),
        ({"unsubscribe": "position", "id": "x"}, "there is no such subscription here"),
        ({"SubscribePosition": "p1"}, "SubscribePosition needs an id"),
        ({"key": 5}, "key"),
    ],
)
async def test_what_cannot_be_done_is_answered_and_the_connection_lives(
    ledger: Ledger, servers: Servers, said: object, error: str
) -> None:
    server = await servers.start()
    async with connected(server) as client:
        answer = await client.ask(said)
        assert error in answer["error"] and answer["code"]
        assert await client.ask({"ping": [1]}) == {"pong": [1]}


@pytest.mark.parametrize("said", [2**100, "\0\u2028", [[{"a": 1.5}]], None])
async def test_a_ping_comes_back_as_it_was(servers: Servers, said: object) -> None:
    server = await servers.start()
    async with connected(server) as client:
        assert await client.ask({"ping": said}) == {"pong": said}


async def test_a_ping_as_deep_as_can_be_does_not_end_the_connection(servers: Servers) -> None:
    server = await servers.start()
    async with connected(server) as client:
        for depth in (300, 900, 20_000):
            answer = await client.ask('{"ping":' + "[" * depth + "]" * depth + "}")
            assert "pong" in answer or answer["code"] == "BAD_USER_INPUT"
        assert await client.ask({"ping": 1}) == {"pong": 1}


async def test_a_slip_of_ours_ends_the_client_and_says_so(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slip(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PlainClient, "_handle", slip)
    server = await servers.start()
    async with connected(server) as client:
        with structlog.testing.capture_logs() as logs, pytest.raises(websockets.ConnectionClosed) as closed:
            await client.ask({"ping": 1})
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["websocket_failed"]


async def test_a_forged_cursor_and_a_doubled_subscription_are_refused(
    ledger: Ledger, servers: Servers
) -> None:
    server = await servers.start(subscriptions_per_connection=1)
    async with connected(server) as client:
        await client.ask({"subscribe": "wallet", "id": "alice", "after": "forged.forged"})
        answer = await client.hear()
        assert "not one of this server's" in answer["error"] and "cursor" not in answer
        await client.ask({"subscribe": "wallet", "id": "alice"})
        await client.hear()
        await client.hear()
        answer = await client.ask({"subscribe": "wallet", "id": "alice"})
        assert "followed here already" in answer["error"]
        answer = await client.ask({"subscribe": "wallet", "id": "bob"})
        assert answer["code"] == "TOO_MANY_SUBSCRIPTIONS" and answer["id"] == "bob"


async def test_where_keys_are_required_who_sends_none_is_closed(servers: Servers) -> None:
    key = make_key()
    async with servers.database.acquire() as connection:
        await add_key(connection, key, "a frontend", None, None)
    server = await servers.start(init_timeout_s=0.5, gateway=GatewaySettings(require_key=True))
    async with connected(server) as silent, connected(server) as known:
        assert await known.ask({"key": key.text}) == {"accepted": "key"}
        assert await silent.ask({"ping": 1}) == {"pong": 1}
        assert (await silent.ask({"subscribe": "position", "id": "x"}))["code"] == "UNAUTHENTICATED"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await silent.hear()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
        assert "no API key within 0.5 s" in closed.value.rcvd.reason
        # The other is older by now.
        assert await known.ask({"ping": 1}) == {"pong": 1}


async def test_key_after_key_that_is_none_closes_the_connection(servers: Servers) -> None:
    server = await servers.start()
    async with connected(server) as client:
        for _ in range(4):
            assert (await client.ask({"key": make_key().text}))["code"] == "UNAUTHENTICATED"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.hear()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


async def test_pages_of_other_origins_are_refused(servers: Servers) -> None:
    server = await servers.start(allowed_origins=("https://mine.example",))
    async with connected(server, origin="https://other.example") as client:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.connection.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4403


async def test_a_stopping_server_says_so(servers: Servers) -> None:
    server = await servers.start()
    async with connected(server) as client:
        stopping = asyncio.create_task(server.stop())
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.connection.recv()
        await stopping
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
