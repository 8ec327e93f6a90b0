"""Server-Sent Events: the same messages as over a WebSocket, resumed by the id that every EventSource sends by itself."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2
from tests.graphql.conftest import Ledger, Server, Servers

QUERY = "subscription ($after: String) { trades(after: $after) { cursor kind discard { fromSlot } nodes { tradeId } } }"


class Told(NamedTuple):
    """kind: the event's type. id: where to resume."""

    kind: str
    id: str
    data: Any


class Stream:
    """Reads a response as an EventSource does. last_id: of the last block, an event or not."""

    def __init__(self, response: httpx2.Response, last_id: str) -> None:
        self.response = response
        self.last_id = last_id
        self.comments = 0
        self._lines = response.aiter_lines()

    async def line(self) -> tuple[str, str] | None:
        """Name and value of the next line, None at the end of the response."""
        line = await anext(self._lines, None)
        if line is None:
            return None
        name, _, value = line.partition(":")
        if name == "id":
            self.last_id = value.strip()
        if line.startswith(":"):
            self.comments += 1
        return name, value.removeprefix(" ")

    async def begun(self) -> None:
        """Returns once it is known where to resume."""
        while not self.last_id and await self.line() is not None:
            pass

    async def next(self) -> Told | None:
        """The next event, None at the end of the response."""
        kind, data = "message", []
        while (line := await self.line()) is not None:
            name, value = line
            if name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif not name and not value and data:
                text = "\n".join(data)
                return Told(kind, self.last_id, json.loads(text) if text else None)
        return None

    async def trades(self) -> list[str]:
        """The trades of the next event."""
        async with asyncio.timeout(10):
            told = await self.next()
        assert told is not None and told.kind == "next", told
        return [node["tradeId"] for node in told.data["data"]["trades"]["nodes"]]


@asynccontextmanager
async def listening(
    server: Server, last_id: str | None = None, query: str = QUERY, **variables: Any
) -> AsyncIterator[Stream]:
    headers = {"accept": "text/event-stream"} | ({} if last_id is None else {"last-event-id": last_id})
    given = {"query": query, "variables": json.dumps(variables)}
    url = f"http://127.0.0.1:{server.port}/graphql"
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=10) as client,
        client.stream("GET", url, params=given, headers=headers) as response,
    ):
        yield Stream(response, last_id or "")


async def test_events_are_the_messages_of_the_subscription(ledger: Ledger, servers: Servers) -> None:
    server = await servers.start()
    async with listening(server) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        await stream.begun()
        await ledger.trades(101)
        assert await stream.trades() == ["101"]
        await ledger.commit({101: {"perps.trades": [{"trade_id": "again"}]}}, kind="correct")
        told = await stream.next()
        assert told is not None
        message = told.data["data"]["trades"]
        assert (message["kind"], message["discard"]) == ("CORRECT", {"fromSlot": "101"})
        assert told.id == message["cursor"]


async def test_who_is_cut_off_before_the_first_event_resumes_where_it_began(
    ledger: Ledger, servers: Servers
) -> None:
    server = await servers.start()
    async with listening(server) as stream:
        await stream.begun()
    await ledger.trades(101)
    async with listening(server, stream.last_id) as stream:
        assert await stream.trades() == ["101"]


async def test_the_last_id_counts_more_than_where_the_address_began(ledger: Ledger, servers: Servers) -> None:
    """An EventSource connects again to the same address, which still says `after`."""
    server = await servers.start()
    async with listening(server) as first:
        await first.begun()
    await ledger.trades(101)
    await ledger.trades(102)
    async with listening(server, after=first.last_id) as second:
        assert await second.trades() == ["101"]
    async with listening(server, second.last_id, after=first.last_id) as third:
        assert await third.trades() == ["102"]


async def test_a_client_killed_at_random_moments_gets_each_row_once(ledger: Ledger, servers: Servers) -> None:
    seed = 6
    dice = random.Random(seed)
    print(f"seed {seed}")
    two = [await servers.start(), await servers.start()]
    slots = range(101, 161)

    async def write() -> None:
        for slot in slots:
            await ledger.trades(slot)
            await asyncio.sleep(dice.random() * 0.02)

    async with listening(two[0]) as stream:
        await stream.begun()
    last_id = stream.last_id
    got: list[str] = []
    writing = asyncio.create_task(write())
    while len(got) < len(slots):
        async with listening(dice.choice(two), last_id) as stream:
            for _ in range(dice.randrange(1, 6)):
                if len(got) < len(slots):
                    got += await stream.trades()
                    last_id = stream.last_id
    await writing
    assert got == [str(slot) for slot in slots]


async def test_a_query_is_one_event_and_complete(ledger: Ledger, servers: Servers) -> None:
    server = await servers.start()
    async with listening(server, query="{ trades { totalCount } }") as stream:
        told = await stream.next()
        assert told is not None and told.data == {"data": {"trades": {"totalCount": 0}}}
        assert await stream.next() == Told("complete", "", None)
        assert await stream.next() is None


async def test_a_client_that_takes_json_too_gets_events_for_subscriptions_alone(
    ledger: Ledger, servers: Servers
) -> None:
    """As urql asks for everything."""
    server = await servers.start()
    accept = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
    url = f"http://127.0.0.1:{server.port}/graphql"
    async with httpx2.AsyncClient(trust_env=False, headers={"accept": accept}) as client:
        answer = await client.post(url, json={"query": "{ trades { totalCount } }"})
        assert answer.headers["content-type"].startswith("application/graphql-response+json")
        assert answer.json() == {"data": {"trades": {"totalCount": 0}}}
        async with client.stream("POST", url, json={"query": QUERY}) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
        wrong = await client.post(url, json={"query": "subscription { nothing { seq } }"})
        assert wrong.status_code == 400 and "application/" in wrong.headers["content-type"]


async def test_the_head_of_a_stream_is_all_of_its_answer(servers: Servers) -> None:
    server = await servers.start()
    async with httpx2.AsyncClient() as http:
        asked = {"query": "subscription { commits { cursor } }"}
        response = await http.head(
            f"http://127.0.0.1:{server.port}/graphql", params=asked, headers={"accept": "text/event-stream"}
        )
        assert response.status_code == 200 and response.headers["content-type"].startswith(
            "text/event-stream"
        )
        # On the same connection.
        assert (await http.get(f"http://127.0.0.1:{server.port}/health")).status_code == 200


async def test_an_operation_that_cannot_run_is_an_answer_and_no_stream(servers: Servers) -> None:
    server = await servers.start()
    async with listening(server, query="subscription { nothing { seq } }") as stream:
        assert stream.response.status_code == 400
        body = json.loads(await stream.response.aread())
        assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_a_forged_id_ends_with_its_error(ledger: Ledger, servers: Servers) -> None:
    server = await servers.start()
    async with listening(server, "forged") as stream:
        told = await stream.next()
        assert told is not None
        assert "not one of this server's" in told.data["errors"][0]["message"]
        assert (await stream.next() or told).kind == "complete"


async def test_a_silent_stream_is_kept_alive_and_a_stopped_server_ends_it_without_complete(
    ledger: Ledger, servers: Servers
) -> None:
    server = await servers.start(keep_alive_s=0.05)
    async with listening(server) as stream:
        await stream.begun()
        while stream.comments < 3:
            await stream.line()
        stopping = asyncio.create_task(server.stop())
        assert await stream.next() is None
        await stopping


async def test_who_takes_nothing_is_told_where_to_resume(ledger: Ledger, servers: Servers) -> None:
    server = await servers.start(queue_messages=1, queue_bytes=1)
    async with listening(server) as stream:
        await stream.begun()
        # More than the sockets between take up: the client reads none of it.
        large = "x" * 200_000
        for slot in range(101, 180):
            await ledger.commit({slot: {"perps.trades": [{"trade_id": f"{slot}{large}"}]}})
        got = []
        async with asyncio.timeout(20):
            while "errors" not in (told := await stream.next() or Told("", "", {"errors": []})).data:
                got.append(told.data["data"]["trades"]["nodes"][0]["tradeId"].removesuffix(large))
        (error,) = told.data["errors"]
    assert error["extensions"]["code"] == "SLOW_CONSUMER"
    async with listening(server, error["extensions"]["cursor"]) as stream:
        assert (await stream.trades())[0].removesuffix(large) == str(int(got[-1]) + 1 if got else 101)
