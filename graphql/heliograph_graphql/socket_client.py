"""What every WebSocket client has, whatever it speaks: a bounded outbox, one task that sends, a close that says why."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from heliograph_graphql.outbox import Outbox
from heliograph_graphql.settings import ApiSettings

TRY_AGAIN_LATER = 1013
GOING_AWAY = 1001
INTERNAL_ERROR = 1011

_log = structlog.get_logger(__name__)


class Closed(Exception):
    """The client broke the protocol: close with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class SocketClient(ABC):
    """One client. `run()` until it leaves."""

    def __init__(self, websocket: WebSocket, settings: ApiSettings) -> None:
        self.websocket = websocket
        self.settings = settings
        self.outbox = Outbox(most_messages=settings.queue_messages, most_bytes=settings.queue_bytes)
        self.messages = 0
        """Messages of subscriptions that were queued for the client."""
        self.was_slow = False
        """Whether it was closed because it took too little."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._close: tuple[int, str] | None = None

    @property
    @abstractmethod
    def subscriptions(self) -> int:
        """Operations under way."""

    @abstractmethod
    def end_all_as_slow(self) -> None:
        """Ends every subscription with the cursor to resume from."""

    @abstractmethod
    def forget_all(self) -> None:
        """The client is gone: nothing is followed any more."""

    @abstractmethod
    async def receive(self) -> None:
        """Reads what the client says until it leaves. Raises Closed, WebSocketDisconnect."""

    async def talk(self, subprotocol: str | None) -> None:
        """Accepts the client and serves it until it leaves."""
        await self.websocket.accept(subprotocol)
        receiving = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._send())
        try:
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._finish(receiving, sending)

    async def refuse(self, code: int, reason: str) -> None:
        """Closes before anything was said."""
        await self.websocket.accept()
        await self.websocket.close(code, reason)

    def is_allowed_origin(self) -> bool:
        # Browsers always say their origin; nobody else does.
        origin = self.websocket.headers.get("origin")
        return origin is None or bool({"*", origin} & set(self.settings.allowed_origins))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that ends with the client."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def text(self) -> str:
        """The next message. Raises Closed for one that is no text or too large, WebSocketDisconnect."""
        event = await self.websocket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1000))
        text = event.get("text")
        if not isinstance(text, str) or len(text) > self.settings.max_body_bytes:
            raise Closed(4400, "Only text messages of limited size are read")
        return text

    def give_up(self) -> None:
        """The client is too slow: every subscription ends with the cursor to resume from."""
        if self.outbox.closed:
            return
        self.was_slow = True
        _log.warning(
            "slow_client", subscriptions=self.subscriptions, most_messages=self.settings.queue_messages
        )
        self.end_all_as_slow()
        self.stop(TRY_AGAIN_LATER, "too slow: resume from the cursor")

    def go_away(self) -> None:
        """The server stops: clients connect again and resume."""
        self.stop(GOING_AWAY, "server is stopping: connect again and resume")

    def stop(self, code: int, reason: str) -> None:
        """Sends what waits, then closes."""
        if self._close is None:
            self._close = (code, reason)
        self.outbox.close()

    async def _receive(self) -> None:
        try:
            await self.receive()
        except Closed as closed:
            self.stop(closed.code, closed.reason)
        except WebSocketDisconnect:
            return
        except Exception:  # noqa: BLE001  a slip of ours ends this client, told and logged
            _log.exception("websocket_failed")
            self.stop(INTERNAL_ERROR, "internal error: connect again and resume from the cursor")

    async def _finish(self, receiving: asyncio.Task[None], sending: asyncio.Task[None]) -> None:
        self.forget_all()
        self.outbox.close()
        receiving.cancel()
        if self._close is None:
            # The client is gone already.
            sending.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(receiving, sending, *self._tasks, return_exceptions=True)
        if self._close is not None and self.websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(self.settings.send_timeout_s):
                    await self.websocket.close(*self._close)

    async def _send(self) -> None:
        while (frame := await self.outbox.take()) is not None:
            try:
                await self._send_from(frame)
            except TimeoutError:
                self.was_slow = True
                _log.warning("slow_client", send_timeout_s=self.settings.send_timeout_s)
                self.stop(TRY_AGAIN_LATER, "too slow: resume from the cursor")
                return
            except (WebSocketDisconnect, RuntimeError, OSError):
                self.outbox.close()
                return

    async def _send_from(self, frame: str | None) -> None:
        """Sends the frame and all that wait behind it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(self.settings.send_timeout_s) as timeout:
            while frame is not None:
                await self.websocket.send_text(frame)
                # A timer for each frame would cost as much as the frame; a second more of patience costs nothing.
                if (now := loop.time()) - began > 1.0:
                    began = now
                    timeout.reschedule(now + self.settings.send_timeout_s)
                frame = self.outbox.poll()
