"""The schema follows the streams: what is added while the API runs is there, what is removed fails for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from tests.graphql.conftest import Servers
from tests.graphql.event_program import EventProgram, ask, layout, refused

from heliograph_core.errors import DatabaseUnavailable
from heliograph_graphql.editions import Editions
from heliograph_graphql.executor import Executor
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.removal import remove_stream

PAUSED = layout("Paused", ("by", "text"))
TYPED = "{ dexPauseds { nodes { by } } }"


async def test_what_is_added_while_the_api_runs_is_served(database: Database, servers: Servers) -> None:
    server = await servers.start(schema_refresh_s=0.05)
    program = EventProgram(database, "dex")
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:

        async def answer(query: str) -> Any:
            return (await client.post("/graphql", json={"query": query})).json()

        refusal = await answer(TYPED)
        assert "Cannot query field 'dexPauseds'" in refusal["errors"][0]["message"]
        assert "dexPauseds" not in (await client.get("/schema.graphql")).text
        await program.create(PAUSED)
        await program.say(100, ("Paused", {"by": "eve"}))
        async with asyncio.timeout(30):
            while True:
                body = await answer(TYPED)
                if "errors" not in body:
                    break
                await asyncio.sleep(0.02)
        assert body == {"data": {"dexPauseds": {"nodes": [{"by": "eve"}]}}}
        assert "dexPauseds" in (await client.get("/schema.graphql")).text
        # An IDL that adds a field and an event.
        await program.learn(
            PAUSED, layout("Paused", ("by", "text"), ("why", "text"), since=101), layout("Ended")
        )
        query = "{ dexPauseds { nodes { by why } } dexEndeds { totalCount } }"
        async with asyncio.timeout(30):
            while True:
                body = await answer(query)
                if "errors" not in body:
                    break
                await asyncio.sleep(0.02)
        assert body["data"]["dexPauseds"] == {"nodes": [{"by": "eve", "why": None}]}


async def test_an_api_that_starts_later_has_it_from_the_first_request(
    database: Database, servers: Servers
) -> None:
    await EventProgram(database, "dex").create(PAUSED)
    server = await servers.start(schema_refresh_s=3600.0)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        body = (await client.post("/graphql", json={"query": TYPED})).json()
    assert body == {"data": {"dexPauseds": {"nodes": []}}}


async def test_a_stream_that_was_removed_is_no_error_of_ours(database: Database, database_url: str) -> None:
    program = EventProgram(database, "dex")
    await program.create(PAUSED)
    executor = Executor(database, ApiSettings())
    await executor.editions.refresh()
    assert await ask(executor, TYPED) == {"dexPauseds": {"nodes": []}}
    await remove_stream(database, "dex")
    error = await refused(executor, TYPED)
    assert "Cannot query field 'dexPauseds'" in error["message"]
    # One of that name that has other fields is another.
    again = EventProgram(database, "dex")
    await again.create(layout("Paused", ("who", "text")))
    await executor.editions.refresh()
    await refused(executor, TYPED)
    assert await ask(executor, "{ dexPauseds { nodes { who } } }") == {"dexPauseds": {"nodes": []}}


async def test_nothing_is_made_anew_where_nothing_changed(database: Database) -> None:
    program = EventProgram(database, "dex")
    executor = Executor(database, ApiSettings())
    assert not await executor.editions.refresh()
    await program.create(PAUSED)
    made = await asyncio.gather(*(executor.editions.refresh() for _ in range(5)))
    assert sorted(made) == [False, False, False, False, True]
    before = executor.editions.current
    await program.say(100, ("Paused", {"by": "eve"}))
    assert not await executor.editions.refresh()
    assert executor.editions.current is before


async def test_it_survives_the_loss_of_the_database(database: Database) -> None:
    await EventProgram(database, "dex").create(PAUSED)
    executor = Executor(database, ApiSettings(schema_refresh_s=0.01))

    class Failing:
        def __init__(self) -> None:
            self.failures = 3

        @asynccontextmanager
        async def acquire(self) -> AsyncIterator[Any]:
            if self.failures:
                self.failures -= 1
                raise DatabaseUnavailable("gone")
            async with database.acquire() as connection:
                yield connection

    editions = Editions(executor.schema, executor.catalog, executor.settings, Failing())
    running = asyncio.create_task(editions.run())
    async with asyncio.timeout(30):
        while True:
            if editions.current.digest:
                break
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "DexPaused" in editions.current.core.type_map
