"""Stores decoded accounts and what they mean. Positions wait for the events of their slot, which say how they came to be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from heliograph_core.account import AccountState
from heliograph_core.records import Holding
from heliograph_indexer.projection import project_accounts
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.sources.listing import OnIncident
from heliograph_sql.writer import Writer

EVENTS_WAIT_S = 2.0
"""Longest wait for the events of the slot at which a position was seen in an account. Without them it is stored all the
same, and its lifecycle is folded anew once they are there."""

Waited = Callable[[Callable[[], Awaitable[int]]], Awaitable[int]]
"""Runs a database call again until the database is there."""


class Reached:
    """How far the events of one stream are committed, for those who wait for a slot."""

    def __init__(self) -> None:
        self._slot = -1
        self._more = asyncio.Event()

    def reach(self, slot: int) -> None:
        """Everything through `slot` is committed."""
        self._slot = max(self._slot, slot)
        self._more.set()
        self._more = asyncio.Event()

    async def wait(self, slot: int, seconds: float) -> None:
        """Returns once `slot` is reached, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self._slot < slot:
                    await self._more.wait()
        except TimeoutError:
            return


class AccountStore:
    """Writes the accounts of one stream, for its leader."""

    def __init__(
        self,
        stream: str,
        protocol: Protocol,
        writer: Writer,
        *,
        epoch: int,
        events: Reached,
        waited: Waited,
        on_incident: OnIncident,
        on_stored: Callable[[int, int | None], None],
    ) -> None:
        """events: of the live slots. on_incident: told of what cannot be read or projected, once a kind of account.

        on_stored: told how many states were stored, and the slot of the snapshot that they complete, if they do.
        """
        self._stream = stream
        self._protocol = protocol
        self._writer = writer
        self._epoch = epoch
        self._events = events
        self._waited = waited
        self._on_incident = on_incident
        self._on_stored = on_stored
        self._told: set[tuple[str, object]] = set()
        self._holding: set[str | None] = set()
        """Kinds of accounts that were seen to hold positions."""

    async def commit(self, states: Sequence[AccountState], through: int | None = None) -> None:
        """Stores states; through: the slot of a reconciled snapshot. Waits out the database. Raises LeaseLost."""
        await self._commit(states, through, None)

    async def amend(self, states: Sequence[AccountState], since: int) -> None:
        """Stores states that were read anew: what was seen of these accounts at `since` or later is of blocks that are gone."""
        await self._commit(states, None, since)

    async def _commit(self, states: Sequence[AccountState], through: int | None, since: int | None) -> None:
        projected = project_accounts(self._stream, states, self._protocol)
        for incident in projected.incidents:
            # Every scan meets the same accounts again.
            about = incident.kind, incident.detail["subject"]
            if about not in self._told:
                self._told.add(about)
                self._on_incident(incident.kind, incident.slot, dict(incident.detail))
        holders = {state.account for state in projected.states if isinstance(state, Holding)}
        self._holding.update(state.name for state in states if state.address in holders)
        # Also those that hold none any more: what ended it is told by an event.
        slots = [
            state.slot
            for state in states
            if state.name in self._holding or (self._holding and not state.lamports)
        ]
        if slots:
            await self._events.wait(max(slots), EVENTS_WAIT_S)
        await self._waited(
            lambda: self._writer.commit_accounts(
                states,
                projected.states,
                through=through,
                epoch=self._epoch,
                understood=projected.understood,
                since=since,
            )
        )
        self._on_stored(len(states), through)
