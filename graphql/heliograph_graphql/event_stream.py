"""Subscriptions as Server-Sent Events, for those who want no WebSocket: one operation a request.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, "distinct connections mode": events `next` with a result each,
then `complete`. Each event's id is the cursor behind it, so that a browser's EventSource, which sends the last id when it
connects again by itself, resumes without a hole. A server that stops ends the response without `complete`, for the same reason.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import structlog
from graphql import GraphQLError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from heliograph_core.errors import CursorError, HeliographError
from heliograph_graphql.executor import Answer, Executor, Request
from heliograph_graphql.failures import RequestError, show
from heliograph_graphql.hub import EndingFeed, Feed, Hub, slow
from heliograph_graphql.outbox import Outbox
from heliograph_graphql.settings import ApiSettings

MEDIA_TYPE = "text/event-stream"
_COMPLETE = "event: complete\ndata:\n\n"
_MOST_JOINED = 64
"""Events that are sent as one piece where so many wait."""

_log = structlog.get_logger(__name__)


class EventStream:
    """One client; a Receiver of the hub."""

    def __init__(self, settings: ApiSettings) -> None:
        self.outbox = Outbox(most_messages=settings.queue_messages, most_bytes=settings.queue_bytes)
        self.subscriptions = 1
        self.messages = 0
        """Messages that were queued for the client."""
        self.was_slow = False
        """Whether it was ended because it took too little."""
        self._cursor: str | None = None

    def began(self, cursor: str) -> None:
        self._cursor = cursor
        # Without data it is no event, and yet the id from which a client resumes that is cut off before the first one.
        self.outbox.force(f"id: {cursor}\n\n")

    def offer(self, payload: str, cursor: str) -> None:
        if self.outbox.offer(_event(payload, cursor)):
            self.messages += 1
            self._cursor = cursor
        elif not self.outbox.closed:
            self.was_slow = True
            _log.warning("slow_client", kind=MEDIA_TYPE)
            self.fail(slow(self._cursor))

    async def put(self, payload: str, cursor: str | None) -> None:
        await self.outbox.put(_event(payload, cursor))
        self.messages += 1
        self._cursor = cursor

    def complete(self) -> None:
        self.outbox.force(_COMPLETE)
        self.outbox.close()

    def fail(self, error: dict[str, Any]) -> None:
        if self._cursor is not None:
            error["extensions"].setdefault("cursor", self._cursor)
        self.end(orjson.dumps({"errors": [error]}).decode())

    def end(self, payload: str) -> None:
        """The last result, then `complete`."""
        self.outbox.force(_event(payload, None))
        self.complete()

    def go_away(self) -> None:
        """The server stops: what waits is sent, then the client connects again and resumes."""
        self.outbox.close()


def _streamed(events: AsyncIterator[str]) -> Response:
    return StreamingResponse(
        events, media_type=MEDIA_TYPE, headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )


def _event(payload: str, cursor: str | None) -> str:
    # The payloads are JSON as PostgreSQL and orjson write it: no line ends outside of strings, none unescaped inside.
    return f"{'' if cursor is None else f'id: {cursor}{chr(10)}'}event: next\ndata: {payload}\n\n"


Arrived = Callable[[EventStream], contextlib.AbstractContextManager[None]]


class EventStreams:
    """Answers requests that accept text/event-stream."""

    def __init__(self, executor: Executor, hub: Hub, settings: ApiSettings, arrived: Arrived) -> None:
        """arrived: counts a client among those connected inside its block."""
        self._executor = executor
        self._hub = hub
        self._settings = settings
        self._arrived = arrived

    def follow(self, http: HttpRequest, request: Request) -> Response:
        """A subscription as it goes on. Raises RequestError, GraphQLError for one that cannot run."""
        feed, after = self._executor.feed(request)
        after = http.headers.get("last-event-id") or after
        return _streamed(self._follow(EventStream(self._settings), feed, after))

    def tell(self, answer: Answer) -> Response:
        """The answer to a query as the one event that there is."""
        stream = EventStream(self._settings)
        stream.end(answer.body.decode())
        return _streamed(self._sent(stream))

    async def _follow(
        self, stream: EventStream, feed: Feed | EndingFeed, after: str | None
    ) -> AsyncIterator[str]:
        with self._arrived(stream):
            joining = asyncio.create_task(self._join(stream, feed, after))
            try:
                async for text in self._sent(stream):
                    yield text
            finally:
                # Closed first: who joins now is told of it and leaves again.
                stream.outbox.close()
                joining.cancel()
                await asyncio.gather(joining, return_exceptions=True)
                self._hub.leave(feed, stream)

    async def _join(self, stream: EventStream, feed: Feed | EndingFeed, after: str | None) -> None:
        try:
            await self._hub.subscribe(feed, after, stream)
        except RequestError as error:
            stream.end(orjson.dumps({"errors": error.errors}).decode())
        except (CursorError, GraphQLError, HeliographError) as error:
            stream.end(orjson.dumps({"errors": [show(error)]}).decode())

    async def _sent(self, stream: EventStream) -> AsyncIterator[str]:
        """What waits, as it comes; a comment where nothing comes, so that nobody in between takes it for dead."""
        # A first byte at once: the client sees that it is connected.
        yield ":\n\n"
        while True:
            try:
                async with asyncio.timeout(self._settings.keep_alive_s):
                    event = await stream.outbox.take()
            except TimeoutError:
                yield ":\n\n"
                continue
            if event is None:
                return
            joined = [event]
            while len(joined) < _MOST_JOINED and (event := stream.outbox.poll()) is not None:
                joined.append(event)
            yield "".join(joined)


def accepts_events(accept: str | None) -> bool:
    """Whether a client with this header takes Server-Sent Events."""
    return accept is not None and MEDIA_TYPE in _accepted(accept)


def prefers_events(accept: str | None) -> bool:
    """Whether it takes nothing else: most GraphQL clients name events beside JSON, and want JSON where one answer is all."""
    return accept is not None and _accepted(accept) == {MEDIA_TYPE}


def _accepted(accept: str) -> set[str]:
    return {each.partition(";")[0].strip() for each in accept.lower().split(",")}
