"""Subscribes on a cluster's WebSocket and keeps everything that comes, by the subscription it belongs to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.surfpool.questions import Subscription
from websockets.asyncio.client import ClientConnection, connect

_TIMEOUT_S = 20
_UNSUBSCRIBE_ID = "unsubscribe"


@dataclass
class Heard:
    """Whole JSON messages by the name of the subscription: its answer, its notifications, the answer to its end."""

    answers: dict[str, Any] = field(default_factory=dict)
    notifications: dict[str, list[Any]] = field(default_factory=dict)
    endings: dict[str, Any] = field(default_factory=dict)


async def listen(
    ws_url: str, subscriptions: Mapping[str, Subscription], act: Callable[[], Awaitable[None]]
) -> Heard:
    """Subscribes to all, lets `act` happen, waits for what must come of it. Raises TimeoutError if it does not."""
    heard = Heard()
    async with asyncio.timeout(_TIMEOUT_S), connect(ws_url) as socket:
        names: dict[int, str] = {}
        for name, subscription in subscriptions.items():
            answer = await _ask(socket, name, subscription.method, subscription.params, heard, names)
            heard.answers[name] = answer
            if "result" in answer:
                names[answer["result"]] = name
                heard.notifications[name] = []
        await act()
        while not _complete(heard, subscriptions):
            _keep(json.loads(await socket.recv()), heard, names)
        for number, name in names.items():
            method = subscriptions[name].method.replace("Subscribe", "Unsubscribe")
            heard.endings[name] = await _ask(socket, _UNSUBSCRIBE_ID, method, (number,), heard, names)
    return heard


def _complete(heard: Heard, subscriptions: Mapping[str, Subscription]) -> bool:
    wanted = {name: subscriptions[name].notified for name in heard.notifications}
    return all(
        len(heard.notifications[name]) >= (1 if count is None else count) for name, count in wanted.items()
    )


async def _ask(
    socket: ClientConnection,
    name: str,
    method: str,
    params: tuple[Any, ...],
    heard: Heard,
    names: Mapping[int, str],
) -> Any:
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": name, "method": method, "params": params}))
    while True:
        message = json.loads(await socket.recv())
        if message.get("id") == name:
            return message
        _keep(message, heard, names)


def _keep(message: dict[str, Any], heard: Heard, names: Mapping[int, str]) -> None:
    number = message["params"]["subscription"]
    # One may come between a subscription's end and its answer.
    if number in names:
        heard.notifications[names[number]].append(message)
