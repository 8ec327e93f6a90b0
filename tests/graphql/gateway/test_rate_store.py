"""Where requests are counted: a shared storage that is away neither refuses anybody nor lifts the limits."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import structlog
from limits import RateLimitItemPerMinute

from heliograph_core.errors import SettingsError
from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.rate_store import RateStore
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database

WHO = ("address", "192.0.2.1")
TWO = RateLimitItemPerMinute(2)


@pytest.fixture
def nobody() -> str:
    """host:port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def mute() -> Iterator[str]:
    """host:port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def redis(nobody: str) -> Iterator[str]:
    """host:port of a Redis of this test's own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server to test on")
    port = nobody.rpartition(":")[2]
    with subprocess.Popen(
        [program, "--port", port, "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any("Ready to accept connections" in line for line in process.stdout)
            yield nobody
        finally:
            process.terminate()


async def test_replicas_count_together_in_redis(redis: str) -> None:
    one, other = RateStore(f"async+redis://{redis}"), RateStore(f"async+redis://{redis}")
    assert await one.hit(TWO, WHO) and await other.hit(TWO, WHO)
    for store in (one, other):
        assert not await store.hit(TWO, WHO) and not await store.has_room(TWO, WHO)
        assert (await store.window(TWO, WHO)).remaining == 0
        assert [reading.value for reading in store.readings()] == [1, 0]
        # The library has no word for closing what it opened.
        shared: Any = store._shared
        await shared.storage.bridge.storage.aclose()


async def test_while_redis_is_away_requests_are_counted_here(database: Database, nobody: str) -> None:
    gateway = GatewaySettings(rate_storage=f"async+redis://{nobody}", address_requests_per_minute=3)
    app = create_app(database, ApiSettings(gateway=gateway))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        with structlog.testing.capture_logs() as logs:
            answers = [await http.get("/api/openapi.json") for _ in range(5)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
        lost = [log for log in logs if log["event"] == "rate_storage_lost"]
        assert len(lost) == 1 and "each replica counts by itself" in lost[0]["until_then"]
        page = (await http.get("/metrics")).text
    assert "heliograph_api_rate_storage_up 0.0" in page
    assert "heliograph_api_rate_storage_lost_total 1.0" in page


async def test_one_that_does_not_answer_holds_up_one_request_a_while(mute: str) -> None:
    now = 0.0
    store = RateStore(f"async+redis://{mute}", clock=lambda: now)
    loop = asyncio.get_running_loop()
    assert await store.hit(TWO, WHO)
    began = loop.time()
    assert await store.hit(TWO, WHO)
    assert not await store.hit(TWO, WHO)
    assert loop.time() - began < 0.5
    now = 10.0
    asked = asyncio.create_task(store.has_room(TWO, WHO))
    await asyncio.sleep(0)
    began = loop.time()
    assert not await store.has_room(TWO, WHO)
    assert loop.time() - began < 0.5, "one finds out whether it is back, and the others do not wait for that"
    assert not await asked


async def test_it_counts_there_again_once_it_is_back(monkeypatch: pytest.MonkeyPatch, nobody: str) -> None:
    now = 0.0
    store = RateStore(f"async+redis://{nobody}", clock=lambda: now)
    assert await store.hit(TWO, WHO)
    back = RateStore("async+memory://")
    # There is no Redis to test on everywhere: what answers in its place is the library's other storage.
    monkeypatch.setattr(store, "_shared", back._own)
    assert await store.hit(TWO, WHO) and not await store.hit(TWO, WHO), "it rests for a while"
    now = 10.0
    with structlog.testing.capture_logs() as logs:
        assert await store.hit(TWO, WHO)
    assert [log["event"] for log in logs] == ["rate_storage_back"]
    assert (await store.window(TWO, WHO)).remaining == 1


async def test_a_defect_of_the_counting_is_not_taken_for_a_storage_that_is_away(
    monkeypatch: pytest.MonkeyPatch, nobody: str
) -> None:
    store = RateStore(f"async+redis://{nobody}")

    class Broken:
        async def hit(self, *_: object) -> bool:
            raise ZeroDivisionError

    monkeypatch.setattr(store, "_shared", Broken())
    with pytest.raises(ZeroDivisionError):
        await store.hit(TWO, WHO)


def test_a_storage_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="rate_storage is 'nonsense://x'"):
        RateStore("nonsense://x")
