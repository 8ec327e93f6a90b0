"""The application: routes, the tail of the commit log and the hub, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from heliograph_core.figure import FigureSource
from heliograph_graphql.api_figures import ApiFigures, Measured
from heliograph_graphql.executor import Executor
from heliograph_graphql.health import Readiness, check_live, check_ready
from heliograph_graphql.http import GraphQLEndpoint
from heliograph_graphql.hub import Hub
from heliograph_graphql.metrics import Metrics
from heliograph_graphql.rest.routes import rest_routes
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.websocket import Connection
from heliograph_sql.database import Database
from heliograph_sql.tail import Tail

_log = structlog.get_logger(__name__)


def create_app(
    database: Database, settings: ApiSettings | None = None, figures: Sequence[FigureSource] = ()
) -> Starlette:
    """The API on `database`, which stays the caller's to close. The lifespan runs the tail and the hub.

    figures: of what else runs in this process, for /metrics.

    Routes: /graphql (GET, POST, graphql-transport-ws), /api/* (REST), /schema.graphql, /health, /ready, /metrics.
    """
    settings = settings or ApiSettings()
    executor = Executor(database, settings)
    tail = Tail(database, poll_interval_s=settings.poll_interval_s, window=settings.tail_window)
    hub = Hub(database, tail, renders_at_once=settings.renders_at_once)
    clients: set[Connection] = set()
    live: list[asyncio.Task[None]] = []
    own = ApiFigures(clients, settings.queue_messages)
    metrics = Metrics(database, [own, *figures])
    page = (resources.files("heliograph_graphql") / "explorer" / "index.html").read_text("utf-8")
    endpoint = GraphQLEndpoint(executor, settings, page)
    sdl = executor.schema.as_str()

    async def websocket(socket: WebSocket) -> None:
        connection = Connection(socket, executor, hub, settings)
        clients.add(connection)
        try:
            await connection.run()
        finally:
            clients.discard(connection)
            own.left(connection)

    async def health(_: HttpRequest) -> Response:
        return Response(b'{"alive":true}', media_type="application/json")

    async def ready(_: HttpRequest) -> Response:
        running = not any(task.done() for task in live)
        return Readiness([check_live(running), *await check_ready(database, settings)]).response()

    async def schema(_: HttpRequest) -> Response:
        return PlainTextResponse(sdl)

    async def home(_: HttpRequest) -> Response:
        return RedirectResponse("/graphql")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        for part in (tail.run(), hub.run()):
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
        Route("/graphql", endpoint.get, methods=["GET"]),
        Route("/graphql", endpoint.post, methods=["POST"]),
        WebSocketRoute("/graphql", websocket),
        Route("/schema.graphql", schema),
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", metrics.respond),
    ]
    routes.extend(rest_routes(executor, settings))
    if settings.explorer:
        routes.append(Mount("/explorer", StaticFiles(packages=[("heliograph_graphql", "explorer")])))
    told_apart = {route.path for route in routes if isinstance(route, Route)}
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(Measured, figures=own, routes=told_apart),
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.allowed_origins),
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
            ),
        ],
        lifespan=lifespan,
    )


def _say_why_it_ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("live delivery stopped", exc_info=task.exception())
