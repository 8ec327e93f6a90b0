"""The routes of REST, made from the table of resources."""

from __future__ import annotations

from importlib import resources
from importlib.metadata import version

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from heliograph_graphql.executor import Executor
from heliograph_graphql.rest.endpoint import NOT_FOUND, ReadOnly, RestEndpoint, fail
from heliograph_graphql.rest.negotiation import JSON
from heliograph_graphql.rest.openapi import describe
from heliograph_graphql.rest.resources import RESOURCES
from heliograph_graphql.settings import ApiSettings


def rest_routes(executor: Executor, settings: ApiSettings) -> list[BaseRoute]:
    """/api/*, /api/openapi.json, and /api as a page for browsers where the explorer is on."""
    document = orjson.dumps(
        describe(RESOURCES, executor.catalog, most=settings.max_first, version=version("heliograph"))
    )
    page = (resources.files("heliograph_graphql") / "explorer" / "rest.html").read_text("utf-8")

    async def openapi(_: Request) -> Response:
        return Response(document, media_type=JSON, headers={"cache-control": "no-cache"})

    async def home(_: Request) -> Response:
        if settings.explorer:
            return HTMLResponse(page, headers={"cache-control": "no-cache"})
        return Response(document, media_type=JSON, headers={"cache-control": "no-cache"})

    async def unknown(http: Request) -> Response:
        there = ", ".join(resource.path for resource in RESOURCES)
        return fail(f"there is no {http.url.path[:100]}: there are {there}", NOT_FOUND, 404)

    routes: list[BaseRoute] = [
        Route("/api", ReadOnly(home)),
        Route("/api/openapi.json", ReadOnly(openapi)),
    ]
    for resource in RESOURCES:
        routes.append(Route(resource.path, ReadOnly(RestEndpoint(resource, executor, settings).respond)))
        if resource.one:
            one = RestEndpoint(resource, executor, settings, single=True)
            routes.append(Route(f"{resource.path}/{{id}}", ReadOnly(one.respond)))
    return [*routes, Route("/api/{path:path}", ReadOnly(unknown))]
