"""Folds anew, beside live indexing, the positions that writers of late history touched. The head's leader alone may."""

from __future__ import annotations

import asyncio

import structlog

from heliograph_core.errors import DatabaseUnavailable
from heliograph_sql.writer import Writer

REFOLD_EVERY_S = 1.0
"""How often the leader looks for positions that wait to be folded anew."""
REFOLD_KEYS = 10
"""Positions that are folded anew in one commit."""
REFOLD_QUIET_S = 0.5
"""Seconds without a further mark after which a position is folded anew: a gap that is healed marks the same ones often."""
REFOLD_ANYWAY_S = 10.0
"""Seconds after which it is folded anew all the same."""
REFOLD_PAUSE = 4.0
"""Pause after such a commit, in multiples of the time it took."""

_log = structlog.get_logger(__name__)


class Refolder:
    """Few positions at once, and with pauses in proportion.

    Live commits wait while it folds, and while a gap is healed the same positions come again and again, each time with a
    longer history.
    """

    def __init__(self, writer: Writer, epoch: int) -> None:
        """epoch: of the lease."""
        self._writer = writer
        self._epoch = epoch
        self._now = asyncio.Event()

    def wake(self) -> None:
        """Some position waits: it is looked for at once."""
        self._now.set()

    async def run(self) -> None:
        """Until cancelled. Raises LeaseLost, and DatabaseError for what no waiting mends."""
        loop = asyncio.get_running_loop()
        while True:
            began, folded = loop.time(), None
            try:
                folded = await self._writer.refold(
                    REFOLD_KEYS, epoch=self._epoch, quiet_s=REFOLD_QUIET_S, anyway_s=REFOLD_ANYWAY_S
                )
            except DatabaseUnavailable as error:
                _log.warning("database_away", stream=self._writer.stream, why=str(error))
            if folded is not None:
                await asyncio.sleep(REFOLD_PAUSE * (loop.time() - began))
                continue
            try:
                async with asyncio.timeout(REFOLD_EVERY_S):
                    await self._now.wait()
            except TimeoutError:
                continue
            finally:
                self._now.clear()
