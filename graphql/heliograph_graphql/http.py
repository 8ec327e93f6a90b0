"""GraphQL over HTTP: POST, GET for queries, both as Server-Sent Events too, and the query page for browsers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from heliograph_core.errors import HeliographError
from heliograph_graphql.event_stream import MEDIA_TYPE, EventStreams, accepts_events, prefers_events
from heliograph_graphql.executor import Answer, Executor, Request
from heliograph_graphql.failures import BAD_REQUEST, RequestError, http_status, refuse, show
from heliograph_graphql.gateway.concurrency import RequestsAtOnce
from heliograph_graphql.gateway.keys import OPERATION_PARAMETERS
from heliograph_graphql.gateway.persisted import PersistedOperations
from heliograph_graphql.gateway.request_head import header
from heliograph_graphql.rest.negotiation import entity_tag, held_versions
from heliograph_graphql.settings import ApiSettings

_FORM = "graphql"
_RESPONSE = "application/graphql-response+json"
_AS_RESPONSE = (b"content-type", _RESPONSE.encode())
_AS_JSON = (b"content-type", b"application/json")
_NOT_KEPT = (b"cache-control", b"no-store")
_ASKED_AGAIN = ((b"cache-control", b"no-cache"), (b"vary", b"Accept, Accept-Encoding"))


class _Body(msgspec.Struct):
    query: str | None = None
    documentId: str | None = None
    operationName: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(_Body)


class GraphQLEndpoint:
    """POST /graphql and GET /graphql: an ASGI application, because Starlette's wrapping of a function costs what a small answer does."""

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            response = await self._post(scope, receive)
        else:
            response = await self._get(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive) -> Response:
        try:
            _check_type(header(scope, "content-type"))
            read = _read(await _body(receive))
            text = self._operations.text(read.query, read.documentId, read.extensions)
            request = Request(text, read.operationName, read.variables or {}, held=None)
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), scope)
        return await self._answer(scope, receive, request)

    async def _get(self, http: HttpRequest) -> Response:
        given = http.query_params
        if not OPERATION_PARAMETERS & set(given):
            if self._settings.explorer and "text/html" in http.headers.get("accept", ""):
                return HTMLResponse(self._page, headers={"cache-control": "no-cache"})
            error = refuse("there is no query: send one by POST, or as ?query=", BAD_REQUEST)
            return _respond(Answer(orjson.dumps({"errors": error.errors}), 400), http.scope)
        try:
            extensions = _json_object("extensions", given.get("extensions"))
            text = self._operations.text(given.get("query"), given.get("documentId"), extensions)
            variables = _json_object("variables", given.get("variables"))
            held = held_versions(http.headers.get("if-none-match"), _FORM)
            request = Request(text, given.get("operationName") or None, variables, held)
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), http.scope)
        return await self._answer(http.scope, http.receive, request)

    async def _answer(self, scope: Scope, receive: Receive, request: Request) -> Response:
        try:
            accept = header(scope, "accept")
            if not accepts_events(accept):
                return _respond(await self._executor.execute(request), scope)
            if self._is_subscription(request):
                if scope["method"] == "HEAD":
                    # What has no end would never be answered.
                    return Response(media_type=MEDIA_TYPE)
                return self._events.follow(HttpRequest(scope, receive), request)
            return await self._answer_once(scope, request, alone=prefers_events(accept))
        except RequestError as error:
            return _respond(Answer(orjson.dumps({"errors": error.errors}), error.status), scope)
        except (GraphQLError, HeliographError) as error:
            shown = [show(error)]
            return _respond(Answer(orjson.dumps({"errors": shown}), http_status(shown)), scope)

    async def _answer_once(self, scope: Scope, request: Request, *, alone: bool) -> Response:
        """A query of a client that takes events: only here is it known that it is one that counts among requests.

        alone: whether the client takes nothing else.
        """
        with self._at_once.under_way(scope) as refusal:
            if refusal is not None:
                return refusal.response(scope["path"])
            answer = await self._executor.execute(request)
        return self._events.tell(answer) if alone else _respond(answer, scope)

    def _is_subscription(self, request: Request) -> bool:
        operation = self._executor.documents.operation(request.query, request.operation_name)
        return operation.kind is OperationType.SUBSCRIPTION


def _check_type(sent: str | None) -> None:
    if sent == "application/json":
        return
    kind = (sent or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refuse(f"content-type {kind[:60]!r} is not read: send application/json", BAD_REQUEST, 415)


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        pieces = [body]
        while message.get("more_body", False):
            message = await receive()
            pieces.append(message.get("body", b""))
        body = b"".join(pieces)
    if message["type"] == "http.disconnect":
        raise refuse("the body ended early", BAD_REQUEST)
    return body


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


class _Answered(Response):
    """A response whose head is bytes already."""

    def __init__(self, answer: Answer, head: Sequence[tuple[bytes, bytes]]) -> None:
        self.status_code = answer.status
        self.body = answer.body
        self.background = None
        self.raw_headers = list(head)
        if answer.status != 304:
            self.raw_headers.append((b"content-length", str(len(answer.body)).encode()))


def _respond(answer: Answer, scope: Scope) -> Response:
    head = [_NOT_KEPT]
    if answer.version is not None and scope["method"] in ("GET", "HEAD"):
        tag = entity_tag(answer.version, settled=False, form=_FORM)
        head = [*_ASKED_AGAIN, (b"etag", tag.encode())]
    if answer.status != 304:
        head.append(_AS_RESPONSE if _RESPONSE in (header(scope, "accept") or "") else _AS_JSON)
    return _Answered(answer, head)
