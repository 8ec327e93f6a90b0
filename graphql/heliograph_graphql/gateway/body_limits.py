"""Limits on request bodies: how large, and how long they may take to come."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliograph_graphql.failures import TIMEOUT, TOO_LARGE
from heliograph_graphql.gateway.connections import WHOLE
from heliograph_graphql.gateway.refusal import Refusal


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.message)


class BodyLimits:
    """ASGI middleware. most: bytes; timeout_s: from the first look at the body to its last byte."""

    def __init__(self, app: ASGIApp, most: int, timeout_s: float) -> None:
        self._app = app
        self._most = most
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0
        until: float | None = None
        whole = False

        async def limited() -> Message:
            nonlocal size, until, whole
            if whole:
                # What comes behind the body is the client's leaving, which may take any time.
                return await receive()
            if WHOLE in scope:
                message = await receive()
            else:
                until = until or asyncio.get_running_loop().time() + self._timeout_s
                message = await self._receive_by(until, receive)
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > self._most:
                text = f"the body is larger than {self._most} bytes"
                raise _Refused(Refusal(text, TOO_LARGE, 413, {"connection": "close"}))
            return message

        try:
            await self._app(scope, limited, send)
        except _Refused as refused:
            await refused.refusal.send(scope, receive, send)

    async def _receive_by(self, until: float, receive: Receive) -> Message:
        try:
            async with asyncio.timeout_at(until):
                return await receive()
        except TimeoutError:
            text = f"the body did not come within {self._timeout_s:g} s: send it faster, or less"
            raise _Refused(Refusal(text, TIMEOUT, 408, {"connection": "close"})) from None
