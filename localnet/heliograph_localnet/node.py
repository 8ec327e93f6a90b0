"""A node: serves one view of the chain over HTTP and WebSocket, on one port, in the caller's event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from heliograph_core.errors import SettingsError
from heliograph_localnet import rpc
from heliograph_localnet.chain import Chain
from heliograph_localnet.faults import Faults, Reaction
from heliograph_localnet.rpc_error import RpcFault, invalid_request
from heliograph_localnet.subscriptions import Subscriptions
from heliograph_localnet.view import View
from heliograph_localnet.ws import Connection

MAX_BODY = 50 * 1024
"""Bytes of a request body, as on a stock node."""


class Node:
    """view: what the node shows (default: all of the chain, at once). faults: what goes wrong.

    port 0 takes any free one. ws_port: a second port to listen on, as a stock node has its WebSocket one
    above; None for one port. Either port serves both protocols. max_body: bytes of a request; a longer one is
    answered 413. queue_limit: messages waiting for one WebSocket client before it is disconnected. shuffle:
    notify a block's transactions in an order of their own, as a node does. block_subscriptions: offer
    blockSubscribe, which a stock node does not.
    """

    def __init__(
        self,
        chain: Chain,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ws_port: int | None = None,
        view: View | None = None,
        faults: Faults | None = None,
        max_body: int = MAX_BODY,
        queue_limit: int = 100_000,
        shuffle: bool = True,
        block_subscriptions: bool = False,
    ) -> None:
        self.chain = chain
        self.view = view or View(chain)
        self.faults = faults or Faults()
        self.subscriptions = Subscriptions(self.view, shuffle=shuffle)
        self._host = host
        self._port = port
        self._ws_port = ws_port
        self._max_body = max_body
        self._queue_limit = queue_limit
        self._block_subscriptions = block_subscriptions
        self._connections: dict[Connection, None] = {}
        self._server: uvicorn.Server | None = None
        self._unlisten: Callable[[], None] | None = None
        routes = [
            Route("/", self._rpc, methods=["POST"]),
            Route("/health", self._health),
            WebSocketRoute("/", self._websocket),
        ]
        self._app = Starlette(routes=routes)

    @property
    def rpc_url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self._host}:{self._port if self._ws_port is None else self._ws_port}"

    @property
    def port(self) -> int:
        """The port in use, once started."""
        return self._port

    async def start(self) -> None:
        """Raises SettingsError where the address cannot be bound."""
        if self._server is not None:
            raise RuntimeError(f"the node at {self.rpc_url} runs already")
        listeners = [self._bind(self._port)]
        self._port = listeners[0].getsockname()[1]
        if self._ws_port is not None:
            try:
                listeners.append(self._bind(self._ws_port))
            except SettingsError:
                listeners[0].close()
                raise
            self._ws_port = listeners[1].getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http="h11",
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            ws_max_size=self._max_body,
            timeout_keep_alive=75,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # startup and shutdown without serve(): no signal handlers, and the loop stays the caller's.
        await server.startup(sockets=listeners)
        self._server = server
        self._unlisten = self.chain.listen(self.subscriptions.on_event)

    async def stop(self) -> None:
        """Close the listener and every connection; does nothing where it does not run."""
        server, self._server = self._server, None
        if server is None:
            return
        if self._unlisten is not None:
            self._unlisten()
        stopping = asyncio.create_task(server.shutdown())
        # One turn for the closing frames, then nobody is waited for: a client may read no more.
        done, _ = await asyncio.wait([stopping], timeout=0.2)
        if not done:
            for connection in tuple(server.server_state.connections):
                connection.transport.abort()
            for task in tuple(server.server_state.tasks):
                task.cancel()
        await stopping

    def disconnect(self) -> None:
        """Break every WebSocket connection, without a closing handshake."""
        for connection in tuple(self._connections):
            connection.drop()

    def _bind(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio turns Nagle's delay off only where a socket says it is TCP; else each answer waits 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, port))
        except OSError as problem:
            listener.close()
            reason = problem.strerror or str(problem)
            raise SettingsError(
                f"localnet cannot listen on {self._host}:{port}: {reason.lower()}; choose another port"
            ) from None
        return listener

    def _abort(self, scope: Scope) -> None:
        # uvicorn gives an application no way to break a connection, which faults and lagging clients need.
        for connection in tuple(self._server.server_state.connections) if self._server else ():
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.abort()

    async def _health(self, request: Request) -> Response:
        return PlainTextResponse("ok" if self.view.healthy else "unknown")

    async def _rpc(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            message = "Supplied content type is not allowed. Content-Type: application/json is required\n"
            return PlainTextResponse(message, 415)
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._max_body:
                    return PlainTextResponse("Request body too large\n", 413, {"connection": "close"})
        except ClientDisconnect:
            # Nobody is there to be answered.
            return Response()
        answer, reaction = self._answer(bytes(body))
        if reaction is None:
            return Response(answer, media_type="application/json")
        if reaction.delay_s:
            await asyncio.sleep(reaction.delay_s)
        return await self._react(request, reaction, answer)

    async def _react(self, request: Request, reaction: Reaction, answer: bytes) -> Response:
        if reaction.hang:
            while (await request.receive())["type"] != "http.disconnect":
                continue
            return Response()
        if reaction.abort:
            return _Broken(lambda: self._abort(request.scope), None)
        if reaction.status is not None:
            return PlainTextResponse(reaction.garbage or b"", reaction.status, reaction.headers)
        body = answer if reaction.garbage is None else reaction.garbage
        if reaction.truncate is not None:
            return _Broken(lambda: self._abort(request.scope), body, reaction.truncate)
        return Response(body, headers=reaction.headers, media_type="application/json")

    def _answer(self, body: bytes) -> tuple[bytes, Reaction | None]:
        """The body of the answer, and the reaction that concerns all of it."""
        try:
            value = rpc.parse(body)
            if value == []:
                raise invalid_request()
        except RpcFault as fault:
            return rpc.error_json(fault, None), None
        reaction = self.faults.consult("exchange", _subject(value), value)
        if reaction is not None and reaction.whole and reaction.truncate is None:
            return b"", reaction
        answer, of_calls = self._answer_all(value)
        return answer, reaction or of_calls

    def _answer_all(self, value: object) -> tuple[bytes, Reaction | None]:
        if not isinstance(value, list):
            return self._call(value)
        parts: list[bytes] = []
        whole: Reaction | None = None
        for each in value:
            part, reaction = self._call(each)
            whole = whole or reaction
            if part:
                parts.append(part)
        return b"[" + b",".join(parts) + b"]", whole

    def _call(self, value: object) -> tuple[bytes, Reaction | None]:
        name = value.get("id") if isinstance(value, dict) else None
        reaction: Reaction | None = None
        try:
            request = rpc.read_request(value)
            reaction = self.faults.consult("request", request.method, request.params)
            if reaction is not None and reaction.error is not None:
                raise RpcFault(*reaction.error)
            if reaction is not None and reaction.whole and reaction.truncate is None:
                # A node that answers nothing may have executed the call or not: here it has not.
                return b"", reaction
            result = rpc.call(self.view, request)
            if reaction is not None and reaction.rewrite is not None:
                result = reaction.rewrite(orjson.loads(orjson.dumps(result)))
            answer = rpc.result_json(result, request.id) if request.reply else b""
        except RpcFault as fault:
            answer = rpc.error_json(fault, name)
        slow = reaction is not None and (reaction.whole or reaction.delay_s)
        return answer, reaction if slow else None

    async def _websocket(self, websocket: WebSocket) -> None:
        reaction = self.faults.consult("connect", "", None)
        if reaction is not None:
            if reaction.delay_s:
                await asyncio.sleep(reaction.delay_s)
            if reaction.abort or reaction.status is not None:
                await self._refuse(websocket, reaction)
                return
        await websocket.accept()
        connection = Connection(
            websocket,
            self.subscriptions,
            self.faults,
            queue_limit=self._queue_limit,
            block_subscriptions=self._block_subscriptions,
            abort=lambda: self._abort(websocket.scope),
        )
        self._connections[connection] = None
        try:
            await connection.run()
        finally:
            del self._connections[connection]

    async def _refuse(self, websocket: WebSocket, reaction: Reaction) -> None:
        if reaction.abort:
            self._abort(websocket.scope)
            # As of an answer that is broken off.
            await asyncio.sleep(0)
        await websocket.send_denial_response(Response(status_code=reaction.status or 503))


def _subject(value: object) -> str:
    if isinstance(value, list):
        return "http batch"
    method = value.get("method") if isinstance(value, dict) else None
    return f"http {method}" if isinstance(method, str) else "http"


class _Broken(Response):
    """Sends the beginning of an answer, or nothing, then breaks the connection."""

    def __init__(self, abort: Callable[[], None], body: bytes | None, sent: int = 0) -> None:
        super().__init__(body)
        self._abort = abort
        self._whole = body
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._whole is not None:
            start: dict[str, Any] = {
                "type": "http.response.start",
                "status": 200,
                "headers": self.raw_headers,
            }
            await send(start)
            await send({"type": "http.response.body", "body": self._whole[: self._sent], "more_body": True})
            # The transport's buffer is written when the loop turns; what is aborted earlier never leaves.
            await asyncio.sleep(0)
        self._abort()
        # uvicorn learns of it when the loop turns; what returns earlier it takes for a defect, and says so.
        await asyncio.sleep(0)
