"""Connections: silent, too many, and slow ones end, and nobody else waits for it; a stop lets requests finish."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from heliograph_graphql.gateway.connections import Connections
from heliograph_graphql.gateway.settings import GatewaySettings

HELLO = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[..., Awaitable[Stream]]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Opens connections and closes them at the end of the test."""
    opened: list[asyncio.StreamWriter] = []

    async def dial(port: int, send: bytes = b"") -> Stream:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened.append(writer)
        writer.write(send)
        await writer.drain()
        return reader, writer

    yield dial
    for writer in opened:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def ended(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionError):
        return await reader.read(1) == b""
    return True


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


async def test_of_many_that_say_nothing_the_oldest_go_and_who_speaks_is_served(
    servers: Any, dial: Dial
) -> None:
    server = await servers.start(gateway=GatewaySettings(silent_connections=20, head_timeout_s=60))
    silent = [await dial(server.port) for _ in range(60)]
    for reader, _ in silent[:40]:
        assert await asyncio.wait_for(ended(reader), 10)
    assert len(server.connections.open) == 20 and server.connections.cut["silent"] == 40
    async with httpx2.AsyncClient() as http:
        assert (await http.get(f"http://127.0.0.1:{server.port}/health")).status_code == 200
    reader, writer = silent[59]
    writer.write(HELLO)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_newcomers_are_heard_one_in_a_turn_of_the_loop_and_whole(servers: Any, dial: Dial) -> None:
    connections, heard = Connections(GatewaySettings()), list[int]()

    class Newcomer:
        def __init__(self, number: int) -> None:
            self.number = number

        def hear(self) -> None:
            heard.append(self.number)

    for number in range(3):
        connections.introduce(Newcomer(number))  # type: ignore[arg-type]
    for count in range(4):
        assert heard == list(range(count))
        await asyncio.sleep(0)
    server = await servers.start()
    for part in (HELLO[:9], HELLO):
        streams = [await dial(server.port, part) for _ in range(20)]
        for reader, writer in streams:
            writer.write(HELLO[len(part) :])
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_a_head_that_does_not_come_ends_the_connection(servers: Any, dial: Dial) -> None:
    server = await servers.start(gateway=GatewaySettings(head_timeout_s=0.2))
    silent, dripping = await dial(server.port), await dial(server.port, HELLO[:20])
    for reader, _ in (silent, dripping):
        assert await asyncio.wait_for(ended(reader), 10)
    reader, _ = await dial(server.port, HELLO)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_beyond_the_most_connections_further_ones_are_closed(servers: Any, dial: Dial) -> None:
    server = await servers.start(gateway=GatewaySettings(connections=5))
    held = [await dial(server.port, HELLO) for _ in range(5)]
    for reader, _ in held:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    reader, _ = await dial(server.port, HELLO)
    assert await asyncio.wait_for(ended(reader), 10)
    held[0][1].close()
    await held[0][1].wait_closed()
    await until(lambda: len(server.connections.open) < 5)
    reader, _ = await dial(server.port, HELLO)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_who_takes_nothing_of_a_large_answer_is_cut(servers: Any, ledger: Any, dial: Dial) -> None:
    await ledger.commit({slot: {"perps.trades": [{}] * 5} for slot in range(100, 300)})
    server = await servers.start(gateway=GatewaySettings(write_timeout_s=0.3))
    request = b"GET /api/trades?limit=1000 HTTP/1.1\r\nHost: a\r\n\r\n" * 40
    await dial(server.port, request)
    await until(lambda: server.connections.cut["slow"] > 0)
    assert not server.connections.open


async def test_a_stop_lets_a_request_finish(servers: Any, database: Any, dial: Dial) -> None:
    server = await servers.start()
    port = server.port
    async with httpx2.AsyncClient() as http:
        async with database.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE perps.trades")
            asked = asyncio.create_task(
                http.post(
                    f"http://127.0.0.1:{server.port}/graphql", json={"query": "{ trades { totalCount } }"}
                )
            )
            async with database.acquire() as other:
                while True:
                    if await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                        break
                    await asyncio.sleep(0.01)
            stopping = asyncio.create_task(server.stop())
            with contextlib.suppress(ConnectionError):
                # Nobody new is let in, and the one who was is still waited for.
                while True:
                    await dial(port)
                    await asyncio.sleep(0.01)
            assert not asked.done() and not stopping.done()
        assert (await asked).status_code == 200
        await stopping


async def test_a_body_that_stays_away_is_given_up_and_one_that_comes_in_pieces_is_not(
    servers: Any, dial: Dial
) -> None:
    server = await servers.start(gateway=GatewaySettings(body_timeout_s=1.0))
    body = b'{"query": "{ __typename }"}'
    head = b"POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(body)
    reader, writer = await dial(server.port, request + body)
    assert (await reader.readuntil(b'"Query"}}')).startswith(b"HTTP/1.1 200")
    # The same connection, so that nothing is left over of the request whose body was there at once.
    writer.write(request + body[:10])
    # Long enough for the server to see the piece by itself.
    await asyncio.sleep(0.3)
    writer.write(body[10:])
    assert (await reader.readuntil(b'"Query"}}')).startswith(b"HTTP/1.1 200")
    writer.write(request + body[:10])
    refused = await asyncio.wait_for(reader.read(), 10)
    assert refused.startswith(b"HTTP/1.1 408") and b"TIMEOUT" in refused


async def test_a_head_without_end_is_cut_and_a_large_body_is_not(servers: Any, dial: Dial) -> None:
    server = await servers.start()
    body = b'{"query": "{ __typename }", "operationName": null, "extensions": {"a": "%s"}}' % (b"x" * 500_000)
    head = b"POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    reader, writer = await dial(server.port, request)
    for _ in range(2):
        assert (await asyncio.wait_for(reader.readuntil(b'"Query"}}'), 10)).startswith(b"HTTP/1.1 200")
        writer.write(request)
        await writer.drain()
    assert (await asyncio.wait_for(reader.readuntil(b'"Query"}}'), 10)).startswith(b"HTTP/1.1 200")
    with contextlib.suppress(ConnectionError):
        writer.write(head + b"X-A: " + b"x" * 1_000_000)
        await writer.drain()
    assert await asyncio.wait_for(ended(reader), 10)
    assert server.connections.cut["large_head"] == 1
