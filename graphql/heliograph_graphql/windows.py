"""How far back a page of newest rows looks first, where tables are cut by time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from heliograph_graphql.parameters import CursorParam
from heliograph_graphql.sql import Statement
from heliograph_sql.queries import load

# Where the first is too short the second follows, and then no window at all.
SPANS = (timedelta(days=1), timedelta(days=30))
_YEAR_2 = datetime(2, 1, 1, tzinfo=UTC)
KNOWN_S = 10.0
"""Seconds for which the newest block time is remembered; an old one only makes windows longer."""


class Windows:
    """Starts of windows, counted back from the page's cursor or from the newest block.

    A window never changes an answer: one that holds too few rows is given up for the next. A server without
    TimescaleDB has none, because there one index holds all times.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._newest: datetime | None = None
        self._read_at = float("-inf")

    async def starts(
        self, connection: Any, statement: Statement, variables: Mapping[str, object]
    ) -> Sequence[datetime]:
        """Where to begin, nearest first."""
        newest = await self._newest_time(connection)
        if newest is None:
            return ()
        for param in statement.params:
            if isinstance(param, CursorParam) and param.index == 0:
                behind = param.bind(variables)
                newest = behind if isinstance(behind, datetime) else newest
        # A forged cursor may name the year 1.
        return [newest - span for span in SPANS if newest - _YEAR_2 > span]

    async def _newest_time(self, connection: Any) -> datetime | None:
        if self._clock() - self._read_at > KNOWN_S:
            self._newest = await connection.fetchval(load("graphql.sql")["newest_time_if_cut"])
            self._read_at = self._clock()
        return self._newest
