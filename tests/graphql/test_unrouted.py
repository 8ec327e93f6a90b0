"""What no route takes is told in JSON, as every other error is."""

from __future__ import annotations

import httpx2
import pytest

from heliograph_graphql.app import create_app
from heliograph_sql.database import Database


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "words"),
    [
        ("GET", "/nope", 404, "NOT_FOUND", "there is no /nope: there are /graphql, /api"),
        ("POST", "/nope", 404, "NOT_FOUND", "there is no /nope"),
        ("GET", "/explorer/nope.js", 404, "NOT_FOUND", "there is no /explorer/nope.js"),
        ("POST", "/health", 405, "METHOD_NOT_ALLOWED", "POST is not possible at /health: use "),
        ("GET", "/ws", 426, "UPGRADE_REQUIRED", "/ws speaks WebSocket"),
    ],
)
async def test_it_is_an_error_with_a_code(
    database: Database, method: str, path: str, status: int, code: str, words: str
) -> None:
    transport = httpx2.ASGITransport(create_app(database))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        response = await http.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json()["code"] == code and words in response.json()["error"]


async def test_of_graphql_it_is_an_error_of_graphql(database: Database) -> None:
    transport = httpx2.ASGITransport(create_app(database))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        response = await http.delete("/graphql")
    assert response.status_code == 405 and "GET" in response.headers["allow"]
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "METHOD_NOT_ALLOWED"}
    assert error["message"].startswith("DELETE is not possible at /graphql: use ")
