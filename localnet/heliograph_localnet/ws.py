"""One WebSocket connection: calls in, answers and notifications out, through one bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from heliograph_localnet import rpc
from heliograph_localnet.faults import Faults, Reaction
from heliograph_localnet.rpc_error import RpcFault, invalid_params, method_not_found
from heliograph_localnet.rpc_subscribe import SUBSCRIBE, UNSUBSCRIBE
from heliograph_localnet.subscriptions import Subscriptions


class Connection:
    """queue_limit: messages that may wait for a client that reads too slowly; one more disconnects it.

    abort: breaks the connection without a closing handshake.
    """

    def __init__(
        self,
        websocket: WebSocket,
        subscriptions: Subscriptions,
        faults: Faults,
        *,
        queue_limit: int,
        block_subscriptions: bool,
        abort: Callable[[], None],
    ) -> None:
        self._websocket = websocket
        self._subscriptions = subscriptions
        self._faults = faults
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(queue_limit)
        self._block_subscriptions = block_subscriptions
        self._abort = abort
        self._broken = False
        self._held: list[tuple[int, bytes]] = []
        self._timers: set[asyncio.TimerHandle] = set()

    async def run(self) -> None:
        """Until the client leaves or is thrown out."""
        writer = asyncio.create_task(self._write())
        try:
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                text = message.get("text")
                self._receive(message["bytes"] if text is None else text.encode())
        finally:
            self._subscriptions.leave(self)
            for timer in self._timers:
                timer.cancel()
            writer.cancel()
            await asyncio.wait([writer])

    def drop(self) -> None:
        """Break the connection: nothing more is delivered."""
        if not self._broken:
            self._broken = True
            self._subscriptions.leave(self)
            self._abort()

    def forget(self, subscription: int) -> None:
        """Nothing to do: the connection keeps no list of its own."""

    def deliver(self, method: str, result: object, text: bytes) -> None:
        reaction = self._faults.consult("notification", method, result)
        if reaction is None:
            self._overtake(text)
        elif reaction.abort:
            self.drop()
        else:
            self._deliver_with(reaction, text)

    def _deliver_with(self, reaction: Reaction, text: bytes) -> None:
        if reaction.garbage is not None:
            text = reaction.garbage
        elif reaction.rewrite is not None:
            message = orjson.loads(text)
            message["params"]["result"] = reaction.rewrite(message["params"]["result"])
            text = orjson.dumps(message)
        for _ in range(0 if reaction.hang else reaction.copies):
            if reaction.hold:
                self._held.append((reaction.hold, text))
            elif reaction.delay_s:
                self._later(reaction.delay_s, text)
            else:
                self._overtake(text)

    def _overtake(self, text: bytes) -> None:
        self._put(text)
        waiting, self._held = self._held, []
        for count, held in waiting:
            if count == 1:
                self._put(held)
            else:
                self._held.append((count - 1, held))

    def _later(self, delay_s: float, text: bytes) -> None:
        def send() -> None:
            self._timers.discard(timer)
            self._put(text)

        timer = asyncio.get_running_loop().call_later(delay_s, send)
        self._timers.add(timer)

    def _put(self, text: bytes) -> None:
        if self._broken:
            return
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.drop()

    async def _write(self) -> None:
        try:
            while True:
                text = await self._queue.get()
                await self._websocket.send(
                    {"type": "websocket.send", "text": text.decode("utf-8", "replace")}
                )
        except (WebSocketDisconnect, RuntimeError):
            # The peer is gone or closing; the reader learns of it too and ends the connection.
            self._broken = True

    def _receive(self, body: bytes) -> None:
        try:
            value = rpc.parse(body)
        except RpcFault as fault:
            self._put(rpc.error_json(fault, None))
            return
        for each in value if isinstance(value, list) else [value]:
            self._answer(each)

    def _answer(self, value: object) -> None:
        name = value.get("id") if isinstance(value, dict) else None
        try:
            request = rpc.read_request(value)
            reaction = self._faults.consult("request", request.method, request.params)
            if reaction is not None:
                if reaction.abort:
                    self.drop()
                if reaction.abort or reaction.hang:
                    return
                if reaction.error is not None:
                    raise RpcFault(*reaction.error)
            text = rpc.result_json(self._call(request), request.id)
            if reaction is not None and reaction.garbage is not None:
                text = reaction.garbage
            if reaction is not None and reaction.delay_s:
                self._later(reaction.delay_s, text)
            elif request.reply:
                self._put(text)
        except RpcFault as fault:
            self._put(rpc.error_json(fault, name))

    def _call(self, request: rpc.Request) -> object:
        method = request.method
        if "block" in method and not self._block_subscriptions:
            raise method_not_found()
        subscribe = SUBSCRIBE.get(method)
        if subscribe is not None:
            return self._subscriptions.subscribe(subscribe(request.params), self)
        if method not in UNSUBSCRIBE:
            raise method_not_found()
        try:
            number = msgspec.convert(request.params[0] if request.params else None, int)
        except msgspec.ValidationError:
            raise invalid_params("Invalid params: expected a subscription id.") from None
        return self._subscriptions.unsubscribe(number, self)
