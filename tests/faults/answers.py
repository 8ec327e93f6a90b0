"""Asks the API all the while: an answer that calls itself complete through a slot holds every row up to it, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from tests.endtoend.chaos import confirmed_slot
from tests.faults.witness import Witness

from heliograph_graphql.failures import TIMEOUT, UNAVAILABLE
from heliograph_localnet.localnet import Localnet

DEPTH = 40
"""Slots below the confirmed one that are asked for: deeper than any fork."""
PAUSE_S = 0.2
NOT_NOW = {UNAVAILABLE, TIMEOUT}
"""Codes of answers that ask to be asked again."""
_MOST = 1000


class Answers:
    """complete: how many slots were looked at that an answer called complete."""

    def __init__(self, host: str, localnet: Localnet, witness: Witness) -> None:
        self._url = f"http://{host}/graphql"
        self._localnet = localnet
        self._witness = witness
        self.complete = 0

    async def run(self) -> None:
        """Until cancelled. Raises AssertionError for an answer that claims too much."""
        async with httpx2.AsyncClient(trust_env=False, timeout=None) as client:
            while True:
                await self.ask(client)
                await asyncio.sleep(PAUSE_S)

    async def ask(self, client: httpx2.AsyncClient) -> None:
        """Once."""
        first = max(self._localnet.settings.first_slot, confirmed_slot(self._localnet) - DEPTH)
        query = (
            f'{{ positionChanges(first: {_MOST}, where: {{ slot: {{ gte: "{first}" }} }}) '
            "{ nodes { slot txIndex ordinal part } pageInfo { hasNextPage } completeThrough { slot } } }"
        )
        answer = (await client.post(self._url, json={"query": query})).json()
        if "errors" in answer:
            # Says that it cannot tell now, as on a machine that has no time for it, and claims nothing.
            codes = {error.get("extensions", {}).get("code") for error in answer["errors"]}
            assert codes <= NOT_NOW, answer
            return
        told = answer["data"]["positionChanges"]
        assert not told["pageInfo"]["hasNextPage"]
        through = -1 if told["completeThrough"] is None else int(told["completeThrough"]["slot"])
        rows: dict[int, set[tuple[int, int, int]]] = {}
        for node in told["nodes"]:
            rows.setdefault(int(node["slot"]), set()).add((node["txIndex"], node["ordinal"], node["part"]))
        for slot in range(first, through + 1):
            places = frozenset(rows.get(slot, ()))
            assert self._witness.permits(slot, places), (
                f"an answer that is complete through {through} holds {sorted(places)} of slot {slot}, "
                "and no block that was confirmed there said just these"
            )
        self.complete += max(0, through + 1 - first)


@asynccontextmanager
async def answering(host: str, localnet: Localnet, witness: Witness) -> AsyncIterator[Answers]:
    """Asks for the time of the block, which fails with what is seen."""
    answers = Answers(host, localnet, witness)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(answers.run())
            yield answers
            running.cancel()
    except BaseExceptionGroup as group:
        # The first failure is the cause; the others were cancelled for it.
        raise group.exceptions[0] from None
