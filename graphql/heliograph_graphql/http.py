"""GraphQL over HTTP: POST, GET for queries, and the query page for browsers."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, Response

from heliograph_graphql.executor import Answer, Executor, Request
from heliograph_graphql.failures import BAD_REQUEST, TOO_LARGE, RequestError, refuse
from heliograph_graphql.settings import ApiSettings

_RESPONSE = "application/graphql-response+json"


class _Body(msgspec.Struct):
    query: str
    operationName: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(_Body)


class GraphQLEndpoint:
    """POST /graphql and GET /graphql."""

    def __init__(self, executor: Executor, settings: ApiSettings, page: str) -> None:
        """page: the HTML that a browser gets."""
        self._executor = executor
        self._settings = settings
        self._page = page

    async def post(self, http: HttpRequest) -> Response:
        try:
            kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise refuse(
                    f"content-type {kind[:60]!r} is not read: send application/json", BAD_REQUEST, 415
                )
            request = _read(await self._body(http))
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), http)
        return _respond(await self._executor.execute(request), http)

    async def get(self, http: HttpRequest) -> Response:
        query = http.query_params.get("query")
        if query is None:
            if self._settings.explorer and "text/html" in http.headers.get("accept", ""):
                return HTMLResponse(self._page, headers={"cache-control": "no-cache"})
            error = refuse("there is no query: send one by POST, or as ?query=", BAD_REQUEST)
            return _respond(Answer(orjson.dumps({"errors": error.errors}), 400), http)
        try:
            request = _read_params(
                query, http.query_params.get("operationName"), http.query_params.get("variables")
            )
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), http)
        return _respond(await self._executor.execute(request), http)

    async def _body(self, http: HttpRequest) -> bytes:
        most = self._settings.max_body_bytes
        parts: list[bytes] = []
        size = 0
        try:
            async for part in http.stream():
                size += len(part)
                if size > most:
                    raise refuse(f"the body is larger than {most} bytes", TOO_LARGE, 413)
                parts.append(part)
        except ClientDisconnect:
            raise refuse("the body ended early", BAD_REQUEST) from None
        return b"".join(parts)


def _read(body: bytes) -> Request:
    try:
        read = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text = str(error)[:200]
        raise refuse(
            f"the body is no GraphQL request ({text}): send one JSON object with query", BAD_REQUEST
        ) from None
    return Request(read.query, read.operationName, read.variables or {})


def _read_params(query: str, name: str | None, variables: str | None) -> Request:
    try:
        given = msgspec.json.decode(variables, type=dict[str, Any]) if variables else {}
    except (msgspec.MsgspecError, RecursionError):
        raise refuse("variables is no JSON object", BAD_REQUEST) from None
    return Request(query, name or None, given)


def _respond(answer: Answer, http: HttpRequest) -> Response:
    media = _RESPONSE if _RESPONSE in http.headers.get("accept", "") else "application/json"
    return Response(answer.body, answer.status, media_type=media)
