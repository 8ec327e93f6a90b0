"""The application: routes, the tail of the commit log and the hub, put together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import resources

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from heliograph_core.errors import DatabaseError
from heliograph_core.figure import FigureSource
from heliograph_graphql import unrouted
from heliograph_graphql.api_figures import ApiFigures, LiveClient
from heliograph_graphql.event_stream import EventStreams
from heliograph_graphql.executor import Executor
from heliograph_graphql.failures import INTERNAL, STOPPING, show
from heliograph_graphql.gateway.concurrency import RequestsAtOnce
from heliograph_graphql.gateway.exact_path import ExactPath
from heliograph_graphql.gateway.keys import Admission, KeyRing
from heliograph_graphql.gateway.persisted import PersistedOperations, read_allowed
from heliograph_graphql.gateway.rate_limits import RateLimits
from heliograph_graphql.gateway.refusal import Refusal
from heliograph_graphql.gateway.sign_in import SignIn
from heliograph_graphql.gateway.stack import middlewares
from heliograph_graphql.health import Check, Readiness, check_live, check_ready
from heliograph_graphql.http import GraphQLEndpoint
from heliograph_graphql.hub import Hub
from heliograph_graphql.metrics import Metrics
from heliograph_graphql.plain_socket import PlainClient
from heliograph_graphql.rest.routes import rest_routes
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.websocket import Connection
from heliograph_sql.database import Database
from heliograph_sql.tail import Tail

_ASKING = ("GET", "POST")
_log = structlog.get_logger(__name__)


def create_app(
    database: Database, settings: ApiSettings | None = None, figures: Sequence[FigureSource] = ()
) -> Starlette:
    """The API on `database`, which stays the caller's to close. The lifespan runs the tail and the hub.

    figures: of what else runs in this process, for /metrics.

    Routes: /graphql (GET, POST, Server-Sent Events, graphql-transport-ws), /ws, /api/* (REST), /schema.graphql, /health, /ready, /metrics.
    """
    settings = settings or ApiSettings()
    tail = Tail(database, poll_interval_s=settings.poll_interval_s, window=settings.tail_window)
    executor = Executor(database, settings, tail=tail)
    hub = Hub(database, tail, renders_at_once=settings.renders_at_once)
    clients: set[LiveClient] = set()
    live: list[asyncio.Task[None]] = []
    stopping = threading.Event()
    own = ApiFigures(clients, settings.queue_messages)
    page = (resources.files("heliograph_graphql") / "explorer" / "index.html").read_text("utf-8")
    gateway = settings.gateway
    listed = read_allowed(gateway.allowed_operations) if gateway.allowed_operations is not None else None
    operations = PersistedOperations(listed, gateway.persisted_operations)
    limits = RateLimits(gateway)
    metrics = Metrics(database, [own, limits.store, *figures])
    admission = Admission(KeyRing(database, gateway.key_cache_s), limits, required=gateway.require_key)
    at_once = RequestsAtOnce(gateway.requests_at_once)

    @contextmanager
    def connected(client: LiveClient) -> Iterator[None]:
        clients.add(client)
        try:
            yield
        finally:
            clients.discard(client)
            own.left(client)

    events = EventStreams(executor, hub, settings, connected)
    endpoint = GraphQLEndpoint(executor, settings, operations, events, at_once, page)

    async def websocket(socket: WebSocket) -> None:
        connection = Connection(socket, executor, hub, settings, admission, at_once, operations)
        with connected(connection):
            await connection.run()

    async def plain(socket: WebSocket) -> None:
        client = PlainClient(socket, executor, hub, settings, admission)
        with connected(client):
            await client.run()

    async def health(_: HttpRequest) -> Response:
        return Response(b'{"alive":true}', media_type="application/json")

    async def ready(_: HttpRequest) -> Response:
        if stopping.is_set():
            return Readiness([Check("live", False, "the server is stopping", STOPPING)]).response()
        running = not any(task.done() for task in live)
        return Readiness([check_live(running), *await check_ready(database, settings)]).response()

    async def schema(_: HttpRequest) -> Response:
        edition = executor.editions.current
        return PlainTextResponse(await asyncio.to_thread(lambda: edition.sdl))

    async def home(_: HttpRequest) -> Response:
        return RedirectResponse("/graphql")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with suppress(DatabaseError):
            # Whoever asks first finds the types that there are; where that fails, it is said and tried again below.
            await executor.editions.refresh()
        for part in (tail.run(), hub.run(), executor.editions.run()):
            task = asyncio.create_task(part)
            task.add_done_callback(_say_why_it_ended)
            live.append(task)
        try:
            yield
        finally:
            for connection in list(clients):
                connection.go_away()
            for task in live:
                task.cancel()
            await asyncio.gather(*live, return_exceptions=True)

    routes: list[BaseRoute] = [
        Route("/", home),
        Route("/graphql", endpoint, methods=_ASKING),
        WebSocketRoute("/graphql", websocket),
        WebSocketRoute("/ws", plain),
        Route("/ws", unrouted.upgrade),
        Route("/schema.graphql", schema),
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", metrics.respond),
    ]
    routes.extend(rest_routes(executor, settings))
    routes.extend(SignIn(database, gateway).routes())
    if settings.explorer:
        routes.append(Mount("/explorer", StaticFiles(packages=[("heliograph_graphql", "explorer")])))
    told_apart = {route.path for route in routes if isinstance(route, Route)}
    app = Starlette(
        routes=routes,
        middleware=[
            *middlewares(settings, admission, limits, at_once, own, told_apart),
            Middleware(ExactPath, path="/graphql", methods=_ASKING, target=endpoint),
        ],
        exception_handlers={Exception: _say_nothing, HTTPException: unrouted.tell},
        lifespan=lifespan,
    )

    def drain() -> None:
        stopping.set()
        for connection in list(clients):
            connection.go_away()

    app.state.drain = drain
    return app


async def _say_nothing(http: HttpRequest, error: Exception) -> Response:
    """A defect: what it was is logged, and nobody else's business."""
    shown = show(error, INTERNAL)
    return Refusal(shown["message"], INTERNAL, 500).response(http.url.path)


def _say_why_it_ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("live delivery stopped", exc_info=task.exception())
