"""`/ws`: positions, markets, wallets and prices for clients without GraphQL. JSON objects both ways, as text.

In: {"subscribe": TOPIC, "id": …, "after": …?}, {"unsubscribe": TOPIC, "id": …}, {"ping": anything}, {"key": API key}; and
{"SubscribePosition": {"position_id": …}}, {"SubscribeMarket": {"market": …}}, which mean the topics of these names.
Out: {"subscribed" | "unsubscribed": TOPIC, "id"}, {"pong"}, {"error", "code"} with topic and id where it is about one, and
for each message {"type": TOPIC, "id", "cursor", ROOT: {…}}: whole objects (`snapshot`, `nodes`, `removed`) or rows
(`kind`, `discard`, `nodes`). `cursor` is what to pass as `after` to resume behind the message. Nothing that a client says
closes the connection but a message of another kind than text, and key after key that is refused; where keys are required, to
send none does too.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket

from heliograph_core.errors import CursorError, HeliographError
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.failures import BAD_INPUT, TOO_MANY, RequestError, show
from heliograph_graphql.gateway.caller import caller_of
from heliograph_graphql.gateway.keys import Admission
from heliograph_graphql.hub import EndingFeed, Feed, Hub, slow
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.socket_client import Closed, SocketClient
from heliograph_graphql.topics import HEAD, TAIL, TOPICS, Topic, join_cursors, requests

_LONGEST_ID = 256
_PENALTY_S = 0.5
_MOST_KEYS = 3
"""Keys of a connection that may be refused; with one more it is closed."""
_FORMS = {"SubscribePosition": ("position", "position_id"), "SubscribeMarket": ("market", "market")}
_KNOWN = "subscribe, unsubscribe, ping, key, SubscribePosition or SubscribeMarket"


class _Part:
    """One stored operation of a subscription; a Receiver of the hub."""

    def __init__(self, subscription: _Subscription, root: str) -> None:
        self._subscription = subscription
        self._root = root
        self.cursor: str | None = None
        self.feed: Feed | EndingFeed | None = None

    def began(self, cursor: str) -> None:
        self.cursor = cursor

    def offer(self, payload: str, cursor: str) -> None:
        client = self._subscription.client
        if client.outbox.offer(self._frame(payload, cursor)):
            client.messages += 1
            self.cursor = cursor
        else:
            client.give_up()

    async def put(self, payload: str, cursor: str | None) -> None:
        client = self._subscription.client
        await client.outbox.put(self._frame(payload, cursor))
        client.messages += 1
        self.cursor = cursor

    def complete(self) -> None:
        raise NotImplementedError("no topic ends by itself")

    def fail(self, error: dict[str, Any]) -> None:
        self._subscription.client.end(self._subscription, error)

    def _frame(self, payload: str, cursor: str | None) -> str:
        # The other part's frames stand before this one, so its cursor covers them.
        all_ = join_cursors([cursor if part is self else part.cursor for part in self._subscription.parts])
        return f'{self._subscription.head}"cursor":"{all_}","{self._root}":{payload[HEAD:-TAIL]}}}'


class _Subscription:
    """A topic and an id."""

    def __init__(self, client: PlainClient, topic: Topic, id_: str) -> None:
        self.client = client
        self.name = (topic.name, id_)
        self.head = f'{{"type":"{topic.name}","id":{orjson.dumps(id_).decode()},'
        self.parts = [_Part(self, root) for root in topic.parts]
        self.task: asyncio.Task[None] | None = None

    @property
    def cursor(self) -> str | None:
        """Where to resume, None while that is not known."""
        cursors = [part.cursor for part in self.parts]
        return join_cursors(cursors) if any(cursors) else None


class PlainClient(SocketClient):
    """One client of /ws."""

    def __init__(
        self,
        websocket: WebSocket,
        executor: Executor,
        hub: Hub,
        settings: ApiSettings,
        admission: Admission,
    ) -> None:
        super().__init__(websocket, settings)
        self._executor = executor
        self._hub = hub
        self._admission = admission
        self._subscriptions: dict[tuple[str, str], _Subscription] = {}
        self._refused_keys = 0

    @property
    def subscriptions(self) -> int:
        """Subscriptions under way."""
        return len(self._subscriptions)

    async def run(self) -> None:
        if self.is_allowed_origin():
            await self.talk(None)
        else:
            await self.refuse(4403, "Forbidden: pages of this origin may not connect")

    def end_all_as_slow(self) -> None:
        for subscription in list(self._subscriptions.values()):
            self.end(subscription, slow(subscription.cursor))

    def forget_all(self) -> None:
        for subscription in list(self._subscriptions.values()):
            self._forget(subscription)

    def end(self, subscription: _Subscription, error: dict[str, Any]) -> None:
        """Ends a subscription with an error that says where to resume."""
        self._forget(subscription)
        topic, id_ = subscription.name
        about = {"subscribe": topic, "id": id_}
        if subscription.cursor is not None:
            about["cursor"] = subscription.cursor
        self._say(_error(error) | about)

    async def receive(self) -> None:
        patience_s = None if self._is_known() else self.settings.init_timeout_s
        try:
            async with asyncio.timeout(patience_s) as patience:
                while not self._is_known():
                    await self._hear()
        except TimeoutError:
            if not patience.expired():
                raise
            raise Closed(4401, f"no API key within {patience_s:g} s") from None
        while True:
            await self._hear()

    def _is_known(self) -> bool:
        """Whether nobody waits for the client's key."""
        return not self._admission.required or caller_of(self.websocket.scope).key is not None

    async def _hear(self) -> None:
        text = await self.text()
        try:
            message = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            message = None
        if isinstance(message, dict):
            await self._handle(message)
        else:
            self._refuse(f"{text[:60]!r} is no JSON object: send one with {_KNOWN}")

    async def _handle(self, message: dict[str, Any]) -> None:
        kinds = [kind for kind in ("subscribe", "unsubscribe", "ping", "key", *_FORMS) if kind in message]
        if len(kinds) != 1:
            self._refuse(f"a message has one of {_KNOWN}, and this one has {' and '.join(kinds) or 'none'}")
            return
        (kind,) = kinds
        if kind == "ping":
            await self._pong(message["ping"])
        elif kind == "key":
            await self._identify(message["key"])
        else:
            topic, id_ = message.get(kind), message.get("id")
            if kind in _FORMS:
                topic, name = _FORMS[kind]
                inner = message[kind]
                id_ = inner.get(name) if isinstance(inner, dict) else None
            await self._about(kind, topic, id_, message.get("after"))

    async def _pong(self, given: object) -> None:
        try:
            # Not orjson, which knows no integers above 64 bits.
            text = msgspec.json.encode(given).decode()
        except (msgspec.MsgspecError, RecursionError):
            self._refuse("ping holds what cannot be said again: send something simpler")
            return
        await self.outbox.put(f'{{"pong":{text}}}')

    async def _about(self, kind: str, topic: object, id_: object, after: object) -> None:
        if not isinstance(topic, str) or topic not in TOPICS:
            self._refuse(f"there is no topic {str(topic)[:60]!r}: there are {', '.join(TOPICS)}")
        elif not isinstance(id_, str) or not 0 < len(id_) <= _LONGEST_ID:
            self._refuse(f"{kind} needs an id: the address, symbol or id of a {topic}, as text", topic)
        elif after is not None and not isinstance(after, str):
            self._refuse("after is no text: pass a cursor exactly as it was received", topic, id_)
        elif kind == "unsubscribe":
            self._unsubscribe(topic, id_)
        else:
            await self._subscribe(TOPICS[topic], id_, after)

    async def _identify(self, key: object) -> None:
        text = key if isinstance(key, str) else ""
        refusal = await self._admission.admit_socket(self.websocket.scope, text)
        if refusal is None:
            self._say({"accepted": "key"})
            return
        self._say({"error": refusal.message, "code": refusal.code})
        self._refused_keys += 1
        if self._refused_keys > _MOST_KEYS:
            raise Closed(refusal.close_code, refusal.message)
        # Nothing is read meanwhile: whoever guesses is held up by their own socket.
        await asyncio.sleep(_PENALTY_S)

    def _unsubscribe(self, topic: str, id_: str) -> None:
        found = self._subscriptions.get((topic, id_))
        if found is None:
            self._refuse("there is no such subscription here", topic, id_)
            return
        self._forget(found)
        self._say({"unsubscribed": topic, "id": id_, "cursor": found.cursor})

    async def _subscribe(self, topic: Topic, id_: str, after: str | None) -> None:
        scope = self.websocket.scope
        refusal = await self._admission.admit_socket(scope, None) or await self._admission.spend(scope)
        if refusal is not None:
            self._say({"error": refusal.message, "code": refusal.code, "subscribe": topic.name, "id": id_})
            # Nothing is read meanwhile: whoever floods is held up by their own socket.
            await asyncio.sleep(_PENALTY_S)
            return
        if (topic.name, id_) in self._subscriptions:
            self._refuse("it is followed here already: unsubscribe first", topic.name, id_)
            return
        most = self.settings.subscriptions_per_connection
        if len(self._subscriptions) >= most:
            text = f"this connection has {most} subscriptions, the most allowed: open another"
            self._refuse(text, topic.name, id_, TOO_MANY)
            return
        subscription = _Subscription(self, topic, id_)
        self._subscriptions[subscription.name] = subscription
        subscription.task = self.spawn(
            self._follow(subscription, requests(topic, id_, after, self._executor.catalog))
        )

    async def _follow(self, subscription: _Subscription, parts: dict[str, Request]) -> None:
        topic, id_ = subscription.name
        await self.outbox.put(orjson.dumps({"subscribed": topic, "id": id_}).decode())
        try:
            feeds = [self._executor.feed(request) for request in parts.values()]
            for part, (_, after) in zip(subscription.parts, feeds, strict=True):
                part.cursor = after
            for part, (feed, after) in zip(subscription.parts, feeds, strict=True):
                part.feed = feed
                await self._hub.subscribe(feed, after, part)
        except RequestError as error:
            self.end(subscription, error.errors[0])
        except CursorError as error:
            for part in subscription.parts:
                part.cursor = None
            self.end(subscription, show(error))
        except (GraphQLError, HeliographError) as error:
            self.end(subscription, show(error))

    def _forget(self, subscription: _Subscription) -> None:
        self._subscriptions.pop(subscription.name, None)
        for part in subscription.parts:
            if part.feed is not None:
                self._hub.leave(part.feed, part)
        task = subscription.task
        if task is not None and not task.done() and task is not asyncio.current_task():
            task.cancel()

    def _refuse(
        self, text: str, topic: str | None = None, id_: str | None = None, code: str = BAD_INPUT
    ) -> None:
        about = {"subscribe": topic, "id": id_}
        self._say({"error": text, "code": code, **{name: each for name, each in about.items() if each}})

    def _say(self, message: dict[str, Any]) -> None:
        """An answer to what the client said. One that floods and reads nothing is too slow like any other."""
        if not self.outbox.closed and not self.outbox.offer(orjson.dumps(message).decode()):
            self.outbox.force(orjson.dumps(message).decode())
            self.stop(1013, "too slow: resume from the cursor")


def _error(error: dict[str, Any]) -> dict[str, Any]:
    return {"error": error["message"], "code": error["extensions"]["code"]}
