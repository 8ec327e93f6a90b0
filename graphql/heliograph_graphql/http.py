"""GraphQL over HTTP: POST, GET for queries, both as Server-Sent Events too, and the query page for browsers."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, Response

from heliograph_core.errors import HeliographError
from heliograph_graphql.event_stream import EventStreams, accepts_events, prefers_events
from heliograph_graphql.executor import Answer, Executor, Request
from heliograph_graphql.failures import BAD_REQUEST, RequestError, http_status, refuse, show
from heliograph_graphql.gateway.concurrency import RequestsAtOnce
from heliograph_graphql.gateway.keys import OPERATION_PARAMETERS
from heliograph_graphql.gateway.persisted import PersistedOperations
from heliograph_graphql.rest.negotiation import entity_tag, held_versions
from heliograph_graphql.settings import ApiSettings

_FORM = "graphql"
_RESPONSE = "application/graphql-response+json"


class _Body(msgspec.Struct):
    query: str | None = None
    documentId: str | None = None
    operationName: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(_Body)


class GraphQLEndpoint:
    """POST /graphql and GET /graphql."""

    def __init__(
        self,
        executor: Executor,
        settings: ApiSettings,
        operations: PersistedOperations,
        events: EventStreams,
        at_once: RequestsAtOnce,
        page: str,
    ) -> None:
        """page: the HTML that a browser gets."""
        self._executor = executor
        self._events = events
        self._at_once = at_once
        self._settings = settings
        self._operations = operations
        self._page = page

    async def post(self, http: HttpRequest) -> Response:
        try:
            kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise refuse(
                    f"content-type {kind[:60]!r} is not read: send application/json", BAD_REQUEST, 415
                )
            read = _read(await _body(http))
            text = self._operations.text(read.query, read.documentId, read.extensions)
            request = Request(text, read.operationName, read.variables or {}, held=None)
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), http)
        return await self._answer(http, request)

    async def get(self, http: HttpRequest) -> Response:
        given = http.query_params
        if not OPERATION_PARAMETERS & set(given):
            if self._settings.explorer and "text/html" in http.headers.get("accept", ""):
                return HTMLResponse(self._page, headers={"cache-control": "no-cache"})
            error = refuse("there is no query: send one by POST, or as ?query=", BAD_REQUEST)
            return _respond(Answer(orjson.dumps({"errors": error.errors}), 400), http)
        try:
            extensions = _json_object("extensions", given.get("extensions"))
            text = self._operations.text(given.get("query"), given.get("documentId"), extensions)
            variables = _json_object("variables", given.get("variables"))
            held = held_versions(http.headers.get("if-none-match"), _FORM)
            request = Request(text, given.get("operationName") or None, variables, held)
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), http)
        return await self._answer(http, request)

    async def _answer(self, http: HttpRequest, request: Request) -> Response:
        try:
            if not accepts_events(http):
                return _respond(await self._executor.execute(request), http)
            if self._is_subscription(request):
                return self._events.follow(http, request)
            return await self._answer_once(http, request)
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), http)
        except (GraphQLError, HeliographError) as error:
            shown = [show(error)]
            return _respond(Answer(orjson.dumps({"errors": shown}), http_status(shown)), http)

    async def _answer_once(self, http: HttpRequest, request: Request) -> Response:
        """A query of a client that takes events: only here is it known that it is one that counts among requests."""
        with self._at_once.under_way(http.scope) as refusal:
            if refusal is not None:
                return refusal.response(http.url.path)
            answer = await self._executor.execute(request)
        return self._events.tell(answer) if prefers_events(http) else _respond(answer, http)

    def _is_subscription(self, request: Request) -> bool:
        operation = self._executor.documents.operation(request.query, request.operation_name)
        return operation.kind is OperationType.SUBSCRIPTION


async def _body(http: HttpRequest) -> bytes:
    try:
        return await http.body()
    except ClientDisconnect:
        raise refuse("the body ended early", BAD_REQUEST) from None


def _read(body: bytes) -> _Body:
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text = str(error)[:200]
        raise refuse(
            f"the body is no GraphQL request ({text}): send one JSON object with query", BAD_REQUEST
        ) from None


def _json_object(name: str, text: str | None) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise refuse(f"{name} is no JSON object", BAD_REQUEST) from None


def _respond(answer: Answer, http: HttpRequest) -> Response:
    headers = {"cache-control": "no-store"}
    if http.method in ("GET", "HEAD") and answer.version is not None:
        headers = {
            "cache-control": "no-cache",
            "etag": entity_tag(answer.version, settled=False, form=_FORM),
            "vary": "Accept, Accept-Encoding",
        }
    if answer.status == 304:
        return Response(status_code=304, headers=headers)
    media = _RESPONSE if _RESPONSE in http.headers.get("accept", "") else "application/json"
    return Response(answer.body, answer.status, media_type=media, headers=headers)
