"""What no route takes: told in JSON, as every other error is."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from heliograph_graphql.failures import BAD_REQUEST
from heliograph_graphql.gateway.refusal import Refusal
from heliograph_graphql.rest.endpoint import METHOD_NOT_ALLOWED, NOT_FOUND

UPGRADE_REQUIRED = "UPGRADE_REQUIRED"
_CODES = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}
_THERE = "/graphql, /api, /ws, /schema.graphql, /health, /ready and /metrics"


async def tell(http: Request, error: Exception) -> Response:
    """The handler of Starlette's HTTPException, which it raises for what has no route."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    path, method = http.url.path[:100], http.method[:20]
    match error.status_code:
        case 404:
            text = f"there is no {path}: there are {_THERE}"
        case 405:
            text = f"{method} is not possible at {path}: use {headers.get('Allow', 'GET')}"
        case _:
            text = HTTPStatus(error.status_code).phrase
    code = _CODES.get(error.status_code, BAD_REQUEST)
    return Refusal(text, code, error.status_code, headers).response(http.url.path)


async def upgrade(http: Request) -> Response:
    """A WebSocket's address that was asked for without one."""
    text = f"{http.url.path} speaks WebSocket: connect to it as ws:// or wss://, or ask /api or /graphql"
    headers = {"upgrade": "websocket", "connection": "upgrade"}
    return Refusal(text, UPGRADE_REQUIRED, 426, headers).response(http.url.path)
