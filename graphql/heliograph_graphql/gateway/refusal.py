"""What a middleware refuses, said in the words of what was asked: GraphQL errors, REST errors, or a closed WebSocket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from heliograph_graphql.failures import coded

UNAUTHENTICATED = "UNAUTHENTICATED"
RATE_LIMITED = "RATE_LIMITED"
_CLOSE = {401: 4401, 429: 4429}
_TRY_AGAIN_LATER = 1013


@dataclass(frozen=True)
class Refusal:
    """A request that ends here. code is stable; message says what to do."""

    message: str
    code: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, path: str) -> bytes:
        if path.startswith("/graphql"):
            return orjson.dumps({"errors": [coded(self.message, self.code)]})
        return orjson.dumps({"error": self.message, "code": self.code})

    @property
    def close_code(self) -> int:
        """Of a WebSocket that is closed for it."""
        return _CLOSE.get(self.status, _TRY_AGAIN_LATER)

    def response(self, path: str) -> Response:
        headers = {"cache-control": "no-store", **self.headers}
        return Response(self.body(path), self.status, media_type="application/json", headers=headers)

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            # A handshake that is refused tells a browser nothing; a close code does.
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": self.close_code, "reason": self.message[:120]})
            return
        await self.response(scope["path"])(scope, receive, send)
