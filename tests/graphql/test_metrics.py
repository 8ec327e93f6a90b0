"""/metrics: what Prometheus reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from heliograph_core.figure import Figure, Histogram, Reading
from heliograph_graphql.app import create_app
from heliograph_graphql.metrics import CONTENT_TYPE, Metrics
from heliograph_sql.database import Database

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(database)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


def samples(text: str) -> Samples:
    """(name, sorted labels) -> value; fails for text that is not Prometheus's format."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


STREAM = (("stream", "godark"),)


async def test_the_database_says_how_far_each_stream_is(client: httpx2.AsyncClient, ledger: Any) -> None:
    await ledger.trades(100, 101)
    await ledger.trades(110)
    async with ledger.database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.incidents (stream, kind, detail) VALUES ('godark', 'late_row', '{}')"
        )
        await connection.execute(
            "UPDATE heliograph.streams SET leader = 'h', leader_expires = now() + interval '1 hour', final_slot = 101"
        )
        await connection.execute("INSERT INTO heliograph.dirty VALUES ('godark', 'key')")
    response = await client.get("/metrics")
    assert (response.status_code, response.headers["content-type"]) == (200, CONTENT_TYPE)
    found = samples(response.text)
    expected = {
        "heliograph_first_slot": 100,
        "heliograph_head_slot": 110,
        "heliograph_final_slot": 101,
        "heliograph_complete_through_slot": 101,
        "heliograph_gaps": 1,
        "heliograph_gap_slots": 8,
        "heliograph_commits_total": 2,
        "heliograph_leader": 1,
        "heliograph_dirty_keys": 1,
    }
    assert {name: found[name, STREAM] for name in expected} == expected
    assert found["heliograph_lag_seconds", STREAM] > 0
    assert found["heliograph_lease_seconds", STREAM] > 3000
    assert found["heliograph_incidents_total", (("kind", "late_row"), *STREAM)] == 1
    assert found["heliograph_database_up", ()] == 1


async def test_a_database_that_is_away_is_a_figure_and_no_error(
    client: httpx2.AsyncClient, database: Database, ledger: Any
) -> None:
    await database.close()
    response = await client.get("/metrics")
    found = samples(response.text)
    assert response.status_code == 200
    assert found["heliograph_database_up", ()] == 0
    assert ("heliograph_head_slot", STREAM) not in found


async def test_requests_are_counted_by_route_and_status_and_made_up_paths_are_one(
    client: httpx2.AsyncClient,
) -> None:
    await client.get("/health")
    for number in range(3):
        await client.get(f"/nowhere/{number}")
    await client.request("BREW", "/health")
    found = samples((await client.get("/metrics")).text)

    def requests(route: str, method: str, status: str) -> float:
        labels = (("method", method), ("route", route), ("status", status))
        return found["heliograph_api_requests_total", labels]

    assert requests("/health", "GET", "200") == 1
    assert requests("other", "GET", "404") == 3
    assert requests("/health", "other", "405") == 1
    assert found["heliograph_api_request_seconds_count", (("route", "/health"),)] == 2


async def test_subscriptions_and_their_messages_are_counted(ledger: Any, servers: Any) -> None:
    from tests.graphql.test_websocket import connect

    server = await servers.start()
    url = f"http://127.0.0.1:{server.port}/metrics"
    async with httpx2.AsyncClient(trust_env=False) as client:
        async with connect(server.ws_url) as subscriber:
            await subscriber.subscribe(after=None)
            await subscriber.subscribe(name="2")
            await ledger.trades(101)
            await subscriber.message("1")
            await subscriber.message("2")
            during = samples((await client.get(url)).text)
        assert during["heliograph_api_websockets", ()] == 1
        assert during["heliograph_api_subscriptions", ()] == 2
        assert during["heliograph_api_messages_total", ()] == 2
        while (after := samples((await client.get(url)).text))["heliograph_api_websockets", ()]:
            continue
    assert after["heliograph_api_subscriptions", ()] == 0
    assert after["heliograph_api_messages_total", ()] == 2


class Source:
    """Two figures, of which one has no reading."""

    COUNT = Figure("test_things_total", "counter", "Things.", ("kind",))
    SILENT = Figure("test_silent", "gauge", "Nothing yet.")
    SECONDS = Figure("test_seconds", "histogram", "How long.", ("kind",))
    figures = (COUNT, SILENT, SECONDS)

    def readings(self) -> Iterator[Reading]:
        yield Reading(self.COUNT, 3, ('quo"te\n',))
        histogram = Histogram((0.5,))
        histogram.observe(0.1)
        histogram.observe(2)
        yield Reading(self.SECONDS, histogram.read(), ("a",))


async def test_whatever_a_label_holds_the_page_can_be_read(database: Database) -> None:
    text = (await Metrics(database, [Source()]).text()).decode()
    found = samples(text)
    assert found["test_things_total", (("kind", 'quo"te\n'),)] == 3
    assert found["test_seconds_bucket", (("kind", "a"), ("le", "+Inf"))] == 2
    assert found["test_seconds_sum", (("kind", "a"),)] == 2.1
    assert "# HELP test_silent Nothing yet." in text
