"""Waiting until a slot is in: a client that wrote to the chain reads what it wrote.

While somebody waits, one task for all of them looks how far the streams are complete, again after each commit that the tail
reads. Nothing is remembered once nobody waits: a stream may be removed and made anew meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heliograph_core.errors import DatabaseError
from heliograph_graphql.failures import SLOT_NOT_REACHED, RequestError, coded
from heliograph_sql.queries import load
from heliograph_sql.tail import Tail

Through = Mapping[str, int | None]
"""Stream to the slot up to which it is complete; None where its first slot is not covered."""


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False)
class _Waiter:
    slot: int
    streams: frozenset[str] | None
    looked: asyncio.Future[None] = field(default_factory=_future)
    """Done once it is known how far the streams are."""
    done: asyncio.Future[None] = field(default_factory=_future)


class Arrivals:
    """What is in, for those of one process that wait for it."""

    def __init__(
        self, readers: Any, tail: Tail | None, *, most_wait_s: float, poll_interval_s: float
    ) -> None:
        """readers: whose `acquire` gives a connection. tail: wakes; without one it is looked every poll_interval_s alone."""
        self._readers = readers
        self._tail = tail
        self._most_wait_s = most_wait_s
        self._poll_interval_s = poll_interval_s
        self._waiters: set[_Waiter] = set()
        self._watch: asyncio.Task[None] | None = None
        self._through: Through = {}
        self.looks = 0
        """How often the database was asked."""

    async def wait(self, slot: int, streams: frozenset[str] | None) -> None:
        """Returns once all these streams (None: all there are) are complete through `slot`.

        Raises RequestError with the code SLOT_NOT_REACHED where that takes longer than most_wait_s, and DatabaseError.
        """
        if streams == frozenset() or _is_in(slot, streams, self._through):
            return
        waiter = _Waiter(slot, streams)
        if self._through:
            waiter.looked.set_result(None)
        self._waiters.add(waiter)
        if self._watch is None:
            self._watch = asyncio.create_task(self._look_on())
        try:
            # However short the wait may be, what is said of the streams was read.
            await waiter.looked
            async with asyncio.timeout(self._most_wait_s):
                await waiter.done
        except TimeoutError:
            raise RequestError([self._late(waiter)], 409) from None
        finally:
            self._waiters.discard(waiter)
            if not self._waiters and self._watch is not None:
                self._watch.cancel()
                self._end()

    async def _look_on(self) -> None:
        try:
            while True:
                known = self._tail.heads if self._tail is not None else {}
                async with self._readers.acquire() as connection:
                    rows = await connection.fetch(load("progress.sql")["read_complete_through"])
                self.looks += 1
                self._through = {row["name"]: row["through"] for row in rows}
                for waiter in self._waiters:
                    if not waiter.looked.done():
                        waiter.looked.set_result(None)
                    if not waiter.done.done() and _is_in(waiter.slot, waiter.streams, self._through):
                        waiter.done.set_result(None)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_interval_s):
                        await self._grown(known)
        except DatabaseError as error:
            if self._watch is not asyncio.current_task():
                # It was called off, and others may be waited for anew.
                return
            self._end()
            for waiter in self._waiters:
                awaited = waiter.done if waiter.looked.done() else waiter.looked
                if not awaited.done():
                    awaited.set_exception(error)

    async def _grown(self, known: dict[str, int]) -> None:
        if self._tail is None:
            await asyncio.Event().wait()
        else:
            await self._tail.grown(known)

    def _end(self) -> None:
        self._watch, self._through = None, {}

    def _late(self, waiter: _Waiter) -> dict[str, Any]:
        names = sorted(self._through if waiter.streams is None else waiter.streams)
        if not names:
            stream, through, stands = None, None, "no stream is indexed"
        else:
            through, stream = min(
                ((self._through.get(name), name) for name in names),
                key=lambda found: -1 if found[0] is None else found[0],
            )
            stands = (
                f"{stream[:60]} is not complete from its first slot, or not there"
                if through is None
                else f"{stream[:60]} is complete through {through}"
            )
        return coded(
            f"slot {waiter.slot} is not in after {self._most_wait_s:g} s: {stands}; ask again, or without minSlot for what there is",
            SLOT_NOT_REACHED,
            minSlot=str(waiter.slot),
            stream=stream,
            completeThrough=None if through is None else str(through),
        )


def _is_in(slot: int, streams: frozenset[str] | None, through: Through) -> bool:
    """Whether all are complete through the slot; nothing is in where there is no stream."""
    reached = [through.get(name) for name in (through if streams is None else streams)]
    return bool(reached) and all(each is not None and each >= slot for each in reached)
