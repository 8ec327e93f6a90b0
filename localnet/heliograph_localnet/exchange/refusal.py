"""Why the exchange would not do something. An operation that is refused has changed nothing."""

from __future__ import annotations

from typing import Literal

from heliograph_localnet.exchange.facts import Fact

Reason = Literal[
    "InsufficientCollateral",
    "MarketPaused",
    "PriceOutOfBounds",
    "PositionHealthy",
    "StaleOracle",
    "InvalidSize",
    "InsufficientFunds",
]


class Refusal(Exception):
    """reason: the program's name of the error. said: facts announced before the refusal, which never came true."""

    def __init__(self, reason: Reason, said: tuple[Fact, ...] = ()) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.said = said
