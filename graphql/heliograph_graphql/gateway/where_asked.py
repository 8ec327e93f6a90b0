"""Middlewares that only those requests need which have a certain header."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from heliograph_graphql.gateway.exchange import exchange_of
from heliograph_graphql.gateway.request_head import header


class WhereAsked:
    """ASGI middleware: another one, around requests that have the header `name`. Answers to the others say that they vary by it."""

    def __init__(self, app: ASGIApp, name: str, middleware: Middleware) -> None:
        self._app = app
        self._name = name
        self._varies = name.title().encode()
        self._around = middleware.cls(app, *middleware.args, **middleware.kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and header(scope, self._name) is None:
            exchange_of(scope).varies.append(self._varies)
            await self._app(scope, receive, send)
        else:
            await self._around(scope, receive, send)
