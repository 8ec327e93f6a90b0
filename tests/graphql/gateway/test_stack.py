"""What every answer has: a request id, a line of the log, compression, and nothing of our insides."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import structlog

from heliograph_graphql.app import create_app
from heliograph_graphql.executor import Executor
from heliograph_graphql.gateway.body_limits import BodyLimits
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(database, ApiSettings(gateway=GatewaySettings(compressed_bytes=500)))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_every_answer_has_a_request_id_and_a_line_of_the_log(http: httpx2.AsyncClient) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        given = await http.get("/api/nonsense?secret=1", headers={"x-request-id": "abc-1"})
        made = await http.get("/schema.graphql", headers={"x-request-id": "a b\x7f"})
        await http.get("/health")
    assert given.headers["x-request-id"] == "abc-1"
    assert made.headers["x-request-id"].isalnum() and len(made.headers["x-request-id"]) == 16
    first, second = (line for line in lines if line["event"] == "request")
    assert (first["path"], first["status"], first["request_id"], first["method"]) == (
        "/api/nonsense",
        404,
        "abc-1",
        "GET",
    )
    assert first["bytes"] == len(given.content) and first["key"] is None and "secret" not in repr(first)
    assert second["request_id"] == made.headers["x-request-id"]


async def test_no_control_character_reaches_the_log(http: httpx2.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        await http.get("/api/%1b[31m%07%00%7f")
    (line,) = (line for line in lines if line["event"] == "request")
    assert line["path"] == "/api/\\x1b[31m\\x07\\x00\\x7f"


async def test_a_socket_that_nobody_accepts_is_logged_as_the_server_answers_it(database: Database) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/nonsense", "headers": [], "query_string": b"", "subprotocols": []}
    with structlog.testing.capture_logs() as lines:
        await create_app(database, ApiSettings())(scope, receive, send)
    (line,) = (line for line in lines if line["event"] == "request")
    assert (line["status"], line["method"], sent[0]["type"]) == (403, "WEBSOCKET", "websocket.close")


async def test_answers_are_compressed_for_those_who_take_it(http: httpx2.AsyncClient) -> None:
    packed = await http.get("/schema.graphql", headers={"accept-encoding": "gzip"})
    plain = await http.get("/schema.graphql", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    small = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers


async def test_a_browser_may_read_what_it_needs(http: httpx2.AsyncClient) -> None:
    response = await http.get("/api/nonsense", headers={"origin": "https://a.example"})
    exposed = response.headers["access-control-expose-headers"].lower()
    for name in ("etag", "link", "retry-after", "x-request-id", "heliograph-next"):
        assert name in exposed
    assert response.headers["access-control-allow-origin"] == "*"


async def test_caches_are_told_what_an_answer_depends_on(http: httpx2.AsyncClient) -> None:
    """Also where the request has not sent it: another one may."""
    for origin, encoding in itertools.product((None, "https://a.example"), (None, "gzip", "br")):
        sent = {"origin": origin, "accept-encoding": encoding}
        request = http.build_request("GET", "/schema.graphql")
        for name, value in sent.items():
            request.headers.pop(name, None)
            if value is not None:
                request.headers[name] = value
        response = await http.send(request)
        varies = {name.strip().lower() for name in response.headers["vary"].split(",")}
        assert {"accept-encoding", "origin"} <= varies, sent


async def test_other_methods_of_the_path_that_is_asked_most(http: httpx2.AsyncClient) -> None:
    refused = await http.put("/graphql", json={})
    assert refused.status_code == 405 and {"GET", "POST"} <= set(refused.headers["allow"].split(", "))
    asked = await http.request("HEAD", "/graphql?query={__typename}")
    assert asked.status_code == 200 and asked.headers["x-request-id"]


async def test_a_defect_shows_nothing_of_what_it_was(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_(*_: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Executor, "execute", break_)
    for path, body in (("/graphql?query={a}", "errors"), ("/api/trades", "error")):
        response = await http.get(path)
        assert response.status_code == 500
        assert body in response.json() and "secret" not in response.text
        assert "INTERNAL_SERVER_ERROR" in response.text


async def test_a_get_that_nothing_changed_is_answered_with_304(http: httpx2.AsyncClient, ledger: Any) -> None:
    await ledger.trades(100)
    first = await http.get("/graphql?query={trades{totalCount}}")
    held = {"if-none-match": first.headers["etag"]}
    assert (await http.get("/graphql?query={trades{totalCount}}", headers=held)).status_code == 304
    await ledger.trades(101)
    assert (await http.get("/graphql?query={trades{totalCount}}", headers=held)).status_code == 200
    posted = await http.post("/graphql", json={"query": "{trades{totalCount}}"}, headers=held)
    assert (posted.status_code, posted.headers["cache-control"]) == (200, "no-store")


async def test_a_body_that_does_not_come_is_given_up() -> None:
    sent: list[Any] = []
    parts = iter([{"type": "http.request", "body": b"a", "more_body": True}])

    async def receive() -> Any:
        try:
            return next(parts)
        except StopIteration:
            await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def read(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    limited = BodyLimits(read, most=10, timeout_s=0.05)
    await limited({"type": "http", "path": "/graphql", "method": "POST", "headers": []}, receive, send)
    assert sent[0]["status"] == 408 and b"TIMEOUT" in sent[1]["body"]
