"""The shortest way for what is asked most."""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send


class ExactPath:
    """ASGI middleware, the innermost: requests for `path` itself go to `target`, past the router, which tries one route behind the

    other and wraps what it finds. All else, as other methods and a path under another root, is the router's.
    """

    def __init__(self, app: ASGIApp, path: str, methods: Collection[str], target: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._methods = frozenset(methods)
        self._target = target

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] in self._methods:
            await self._target(scope, receive, send)
        else:
            await self._app(scope, receive, send)
