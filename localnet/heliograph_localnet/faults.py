"""Faults on demand: consulted before each answer and each notification, any of which a test can spoil."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal

import msgspec

Moment = Literal["connect", "exchange", "request", "notification"]


class Occasion(msgspec.Struct, frozen=True):
    """moment: `connect` a WebSocket handshake, `exchange` an HTTP request whole, `request` a call in one or over the
    WebSocket, `notification` one.

    method: of the call, or of the notification (`logsNotification`); of an exchange `http getSlot` for one call, `http batch`
    for several, so that a rule for a method is asked for each of its calls once; empty on connect. value: the call's params, the notification's result, the exchange's body. count: how many occasions of this moment and method came before.
    """

    moment: Moment
    method: str
    value: Any
    count: int


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What happens instead; several may be combined.

    status, headers: HTTP answer without a JSON-RPC body (in a batch: for the whole batch); refuses a
    handshake. error: (code, message, data) in place of the result. rewrite: from the JSON value of the
    result, or of the notification's result, makes the one that is sent. delay_s: seconds. copies: 0 loses the
    notification, 2 doubles it. hold: how many later notifications of the connection overtake it. garbage:
    sent in place of the body or frame. truncate: bytes of the answer's body before the connection breaks.
    abort: break the connection at once, unanswered. hang: never answer.
    """

    status: int | None = None
    headers: dict[str, str] = {}
    error: tuple[int, str, object] | None = None
    rewrite: Callable[[Any], Any] | None = None
    delay_s: float = 0.0
    copies: int = 1
    hold: int = 0
    garbage: bytes | None = None
    truncate: int | None = None
    abort: bool = False
    hang: bool = False

    @property
    def whole(self) -> bool:
        """Whether it concerns the HTTP answer and not one call in it."""
        wide = self.status is not None or self.garbage is not None or self.truncate is not None
        return wide or self.abort or self.hang


Rule = Callable[[Occasion], Reaction | None]


class Faults:
    """Rules are asked in the order they were added; the first that reacts decides."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._counts: dict[tuple[Moment, str], int] = {}

    def add(self, rule: Rule) -> Callable[[], None]:
        """Returns what takes the rule away again."""
        self._rules.append(rule)
        return lambda: self._rules.remove(rule)

    def on(
        self,
        moment: Moment,
        reaction: Reaction,
        *,
        methods: Collection[str] | None = None,
        times: int | None = None,
    ) -> Callable[[], None]:
        """React to every occasion of these methods (None: all), or to the next `times` of them."""
        left = times

        def rule(occasion: Occasion) -> Reaction | None:
            nonlocal left
            if occasion.moment != moment or (methods is not None and occasion.method not in methods):
                return None
            if left is not None:
                if left == 0:
                    return None
                left -= 1
            return reaction

        return self.add(rule)

    def clear(self) -> None:
        self._rules.clear()

    def consult(self, moment: Moment, method: str, value: object) -> Reaction | None:
        count = self._counts.get((moment, method), 0)
        self._counts[moment, method] = count + 1
        if not self._rules:
            return None
        occasion = Occasion(moment, method, value, count)
        for rule in self._rules:
            reaction = rule(occasion)
            if reaction is not None:
                return reaction
        return None
