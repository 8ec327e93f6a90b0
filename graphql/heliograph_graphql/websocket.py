"""graphql-transport-ws: subscriptions and queries over a WebSocket at /graphql.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md says which message may come when and which code closes.
Messages of subscriptions are finished text: nothing is executed or encoded a second time here.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import orjson
from graphql import GraphQLError, OperationType
from starlette.websockets import WebSocket

from heliograph_core.errors import CursorError, HeliographError
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.failures import TOO_MANY, RequestError, coded, show
from heliograph_graphql.gateway.concurrency import RequestsAtOnce
from heliograph_graphql.gateway.keys import Admission, sent_key
from heliograph_graphql.gateway.persisted import PersistedOperations
from heliograph_graphql.hub import EndingFeed, Feed, Hub, slow
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.socket_client import Closed, SocketClient

PROTOCOL = "graphql-transport-ws"
_LONGEST_ID = 256
_PENALTY_S = 0.5


class _Payload(msgspec.Struct):
    query: str | None = None
    documentId: str | None = None
    operationName: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


class _Message(msgspec.Struct):
    type: str
    id: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")


class _Subscription:
    """One operation of a connection; a Receiver of the hub."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name
        self._head = f'{{"id":{orjson.dumps(name).decode()},"type":"next","payload":'
        self.cursor: str | None = None
        """Where to resume: behind the last message, before the first one where the subscription began."""
        self.feed: Feed | EndingFeed | None = None
        self.task: asyncio.Task[None] | None = None

    def began(self, cursor: str) -> None:
        self.cursor = cursor

    def offer(self, payload: str, cursor: str) -> None:
        if self._connection.outbox.offer(self._head + payload + "}"):
            self._connection.messages += 1
            self.cursor = cursor
        else:
            self._connection.give_up()

    async def put(self, payload: str, cursor: str | None) -> None:
        await self._connection.outbox.put(self._head + payload + "}")
        self._connection.messages += 1
        self.cursor = cursor

    def complete(self) -> None:
        self._connection.complete(self)

    def fail(self, error: dict[str, Any]) -> None:
        self._connection.end(self, [error])


class Connection(SocketClient):
    """One client. `run()` until it leaves."""

    def __init__(
        self,
        websocket: WebSocket,
        executor: Executor,
        hub: Hub,
        settings: ApiSettings,
        admission: Admission,
        at_once: RequestsAtOnce,
        operations: PersistedOperations,
    ) -> None:
        super().__init__(websocket, settings)
        self._admission = admission
        self._at_once = at_once
        self._operations = operations
        self._executor = executor
        self._hub = hub
        self._subscriptions: dict[str, _Subscription] = {}
        self._acknowledged = False

    @property
    def subscriptions(self) -> int:
        """Operations under way."""
        return len(self._subscriptions)

    async def run(self) -> None:
        if not self.is_allowed_origin():
            await self.refuse(4403, "Forbidden: pages of this origin may not connect")
        elif PROTOCOL not in self.websocket.scope.get("subprotocols", ()):
            await self.refuse(4406, "Subprotocol not acceptable: use graphql-transport-ws")
        else:
            await self.talk(PROTOCOL)

    def end_all_as_slow(self) -> None:
        for subscription in list(self._subscriptions.values()):
            self.end(subscription, [slow(subscription.cursor)])

    def forget_all(self) -> None:
        for subscription in list(self._subscriptions.values()):
            self._forget(subscription)

    def end(self, subscription: _Subscription, errors: list[dict[str, Any]]) -> None:
        """Ends one subscription with errors; each says where to resume, once it is known where it stands."""
        self._forget(subscription)
        if subscription.cursor is not None:
            for error in errors:
                error["extensions"].setdefault("cursor", subscription.cursor)
        self.outbox.force(_frame(subscription.name, "error", errors))

    def complete(self, subscription: _Subscription) -> None:
        """Ends one operation: all was told."""
        self._forget(subscription)
        self.outbox.force(f'{{"id":{orjson.dumps(subscription.name).decode()},"type":"complete"}}')

    async def receive(self) -> None:
        try:
            async with asyncio.timeout(self.settings.init_timeout_s):
                await self._initialise()
        except TimeoutError:
            raise Closed(4408, "Connection initialisation timeout") from None
        while True:
            await self._handle(await self._next())

    async def _initialise(self) -> None:
        while True:
            message = await self._next()
            if message.type == "connection_init":
                refusal = await self._admission.admit_socket(self.websocket.scope, _key_of(message.payload))
                if refusal is not None:
                    raise Closed(refusal.close_code, refusal.message)
                self._acknowledged = True
                await self.outbox.put('{"type":"connection_ack"}')
                return
            if message.type == "subscribe":
                raise Closed(4401, "Unauthorized")
            await self._handle(message)

    async def _next(self) -> _Message:
        text = await self.text()
        try:
            return msgspec.json.decode(text, type=_Message)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise Closed(4400, "Invalid message received") from None

    async def _handle(self, message: _Message) -> None:
        match message.type:
            case "ping":
                await self.outbox.put('{"type":"pong"}')
            case "pong":
                pass
            case "connection_init":
                raise Closed(4429, "Too many initialisation requests")
            case "subscribe":
                if await self._is_admitted(message):
                    self._subscribe(message)
            case "complete":
                found = self._subscriptions.get(message.id or "")
                if found is not None:
                    self._forget(found)
            case _:
                raise Closed(4400, "Invalid message received")

    async def _is_admitted(self, message: _Message) -> bool:
        refusal = await self._admission.spend(self.websocket.scope)
        if refusal is None:
            return True
        self.outbox.force(_frame(message.id or "", "error", [coded(refusal.message, refusal.code)]))
        # Nothing is read meanwhile: whoever floods is held up by their own socket.
        await asyncio.sleep(_PENALTY_S)
        return False

    def _subscribe(self, message: _Message) -> None:
        if not message.id or len(message.id) > _LONGEST_ID:
            raise Closed(4400, "Invalid message received: subscribe needs an id")
        if message.id in self._subscriptions:
            raise Closed(4409, f"Subscriber for {message.id[:60]} already exists")
        try:
            payload = msgspec.json.decode(message.payload, type=_Payload)
        except (msgspec.MsgspecError, UnicodeError):
            raise Closed(4400, "Invalid message received: the payload is no GraphQL request") from None
        subscription = _Subscription(self, message.id)
        most = self.settings.subscriptions_per_connection
        if len(self._subscriptions) >= most:
            text = f"this connection has {most} subscriptions, the most allowed: open another"
            self.outbox.force(_frame(message.id, "error", [coded(text, TOO_MANY)]))
            return
        self._subscriptions[message.id] = subscription
        subscription.task = self.spawn(self._start(subscription, payload))

    async def _start(self, subscription: _Subscription, payload: _Payload) -> None:
        try:
            text = self._operations.text(payload.query, payload.documentId, payload.extensions)
            request = Request(text, payload.operationName, payload.variables or {}, held=None)
            operation = self._executor.documents.operation(request.query, request.operation_name)
            if operation.kind is not OperationType.SUBSCRIPTION:
                await self._query(subscription, request)
                return
            feed, after = self._executor.feed(request)
            subscription.feed = feed
            subscription.cursor = after
            await self._hub.subscribe(feed, after, subscription)
        except RequestError as error:
            self.end(subscription, error.errors)
        except CursorError as error:
            subscription.cursor = None
            self.end(subscription, [show(error)])
        except (GraphQLError, HeliographError) as error:
            self.end(subscription, [show(error)])

    async def _query(self, subscription: _Subscription, request: Request) -> None:
        with self._at_once.under_way(self.websocket.scope) as refusal:
            if refusal is not None:
                self.end(subscription, [coded(refusal.message, refusal.code)])
                return
            answer = await self._executor.execute(request)
        await self._once(subscription, answer.body.decode())

    async def _once(self, subscription: _Subscription, body: str) -> None:
        """A query over the socket: its result, then complete."""
        if body.startswith('{"errors"'):
            self.end(subscription, orjson.loads(body)["errors"])
            return
        await subscription.put(body, None)
        subscription.complete()

    def _forget(self, subscription: _Subscription) -> None:
        self._subscriptions.pop(subscription.name, None)
        if subscription.feed is not None:
            self._hub.leave(subscription.feed, subscription)
        task = subscription.task
        if task is not None and not task.done() and task is not asyncio.current_task():
            task.cancel()


def _key_of(payload: msgspec.Raw) -> str | None:
    """The key in the payload of connection_init, as clients' `connectionParams` have it."""
    try:
        given = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Closed(4400, "Invalid message received") from None
    texts = {
        name.lower(): value
        for name, value in (given.items() if isinstance(given, dict) else ())
        if isinstance(value, str)
    }
    return sent_key(texts.get("authorization"), texts.get("x-api-key"))


def _frame(name: str, kind: str, payload: Any) -> str:
    return orjson.dumps({"id": name, "type": kind, "payload": payload}).decode()
