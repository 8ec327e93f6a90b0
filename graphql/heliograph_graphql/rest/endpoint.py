"""GET /api/*: a stored operation in, its rows out as JSON or CSV; who would write is told that the chain is the writer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import orjson
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from heliograph_graphql.entity import Catalog, Entity
from heliograph_graphql.executor import Answer, Executor, Request
from heliograph_graphql.failures import BAD_INPUT
from heliograph_graphql.node_id import NodeIdError, decode_id
from heliograph_graphql.rest.arguments import BadArgument, read_format, read_page, read_row
from heliograph_graphql.rest.csv_page import write_csv
from heliograph_graphql.rest.negotiation import CSV, JSON, entity_tag, held_versions, wanted_format
from heliograph_graphql.rest.resource import KEY, Resource, leaves
from heliograph_graphql.settings import ApiSettings

NOT_FOUND = "NOT_FOUND"
NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
ALLOWED = "GET, HEAD, OPTIONS"
READ_ONLY = "the chain is the only writer here: send a transaction to the program, and its rows appear"
_NOTHING = f'{{"data":{{"{KEY}":null}}}}'.encode()
_ONE = f'{{"data":{{"{KEY}":', "}}"


class _Through(msgspec.Struct):
    slot: str
    time: str | None


class _Coverage(msgspec.Struct):
    settled: bool


class _PageInfo(msgspec.Struct):
    hasNext: bool
    next: str | None


class _Page(msgspec.Struct):
    data: msgspec.Raw
    page: _PageInfo
    completeThrough: _Through | None
    coverage: _Coverage


class RestEndpoint:
    """One resource: its pages, or with `single` one row of it by the path's `id`."""

    def __init__(
        self, resource: Resource, executor: Executor, settings: ApiSettings, *, single: bool = False
    ) -> None:
        self._resource = resource
        self._executor = executor
        self._settings = settings
        self._single = single
        self._entity = entity_of(resource, executor.catalog)
        self._head, self._tail = (part.encode() for part in (_ONE if single else resource.wrapping))
        self._operation = (
            resource.row_operation(self._entity) if single else resource.page_operation(self._entity)
        )

    async def respond(self, http: HttpRequest) -> Response:
        given = http.query_params.multi_items()
        try:
            form = read_format(given) or wanted_format(http.headers.get("accept"))
            if form is None:
                return fail(f"the answer is {JSON} or {CSV}: accept one of them", NOT_ACCEPTABLE, 406)
            if self._single:
                variables = self._identified(http.path_params["id"]) | read_row(given, http.url.path)
            else:
                variables = read_page(given, self._resource, self._entity, self._settings.max_first)
        except BadArgument as error:
            return fail(str(error), BAD_INPUT, 400)
        held = held_versions(http.headers.get("if-none-match"), form)
        answer = await self._executor.execute(Request(self._operation, None, variables, held))
        if answer.status == 304 and answer.version is not None:
            return Response(
                status_code=304, headers=self._headers(answer.version, held[answer.version], form)
            )
        if answer.body == _NOTHING:
            return self._missing(http)
        if not answer.body.startswith(self._head):
            return _failed(answer)
        body = answer.body[len(self._head) : -len(self._tail)]
        if self._single:
            return self._row(body, answer, form)
        return self._page(body, answer, form, http)

    def _identified(self, text: str) -> dict[str, Any]:
        try:
            decode_id(text, self._entity.name, len(self._entity.identity))
        except NodeIdError:
            if not text.isprintable() or len(text) > 200:
                raise BadArgument(f"{text[:60]!r} is neither an address nor an id") from None
            return {"address": text}
        return {"id": text}

    def _missing(self, http: HttpRequest) -> Response:
        if self._single:
            named, wanted = self._entity.name.lower(), http.path_params["id"]
            text = f"there is no {named} {wanted[:100]!r}: pass the address or the id of one"
        else:
            wanted = ", ".join(
                http.query_params[name] for name in self._resource.found_by if name in http.query_params
            )
            text = f"there is no {self._resource.within} {wanted[:100]!r}: /api/{self._resource.within}s lists those there are"
        return fail(text, NOT_FOUND, 404)

    def _row(self, body: bytes, answer: Answer, form: str) -> Response:
        headers = self._headers(answer.version, False, form)
        if form == "csv":
            return self._csv([orjson.loads(body)], headers)
        return Response(b'{"data":' + body + b"}", media_type=JSON, headers=headers)

    def _page(self, body: bytes, answer: Answer, form: str, http: HttpRequest) -> Response:
        read = msgspec.json.decode(body, type=_Page)
        headers = self._headers(answer.version, read.coverage.settled, form)
        if read.page.hasNext and read.page.next is not None:
            pairs = [pair for pair in http.query_params.multi_items() if pair[0] != "after"]
            headers["link"] = (
                f'<{self._resource.path}?{urlencode([*pairs, ("after", read.page.next)])}>; rel="next"'
            )
        if form == "json":
            return Response(body, media_type=JSON, headers=headers)
        if read.page.next is not None:
            headers["heliograph-next"] = read.page.next
        if read.completeThrough is not None:
            headers["heliograph-complete-through"] = read.completeThrough.slot
        return self._csv(orjson.loads(bytes(read.data)), headers)

    def _csv(self, rows: list[Mapping[str, object]], headers: dict[str, str]) -> Response:
        names = [field.key for field in leaves(self._entity)]
        return Response(write_csv(names, rows), media_type=CSV, headers=headers)

    def _headers(self, version: str | None, settled: bool, form: str) -> dict[str, str]:
        headers = {"cache-control": "no-cache", "vary": "Accept, Accept-Encoding"}
        if settled:
            headers["cache-control"] = f"max-age={round(self._settings.rest_max_age_s)}"
        if version is not None:
            headers["etag"] = entity_tag(version, settled=settled, form=form)
        return headers


class ReadOnly:
    """An ASGI application that answers reading by `respond`, and everything else by saying who writes."""

    def __init__(self, respond: Callable[[HttpRequest], Awaitable[Response]]) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        response = _refuse_method(http.method) or await self._respond(http)
        await response(scope, receive, send)


def entity_of(resource: Resource, catalog: Catalog) -> Entity:
    return catalog.by_root[resource.root]


def _refuse_method(method: str) -> Response | None:
    """The answer to anything but reading, None for reading."""
    if method in ("GET", "HEAD"):
        return None
    if method == "OPTIONS":
        return Response(status_code=204, headers={"allow": ALLOWED})
    return fail(f"{method[:20]} is not possible: {READ_ONLY}", METHOD_NOT_ALLOWED, 405, {"allow": ALLOWED})


def fail(message: str, code: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An error as REST says it."""
    body = orjson.dumps({"error": message, "code": code})
    return Response(body, status, media_type=JSON, headers={"cache-control": "no-store", **(headers or {})})


def _failed(answer: Answer) -> Response:
    first = orjson.loads(answer.body)["errors"][0]
    return fail(first["message"], first["extensions"]["code"], answer.status)
