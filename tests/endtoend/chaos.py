"""A localnet that forks at seeded moments, and what a test waits for and compares when it is over."""

from __future__ import annotations

import asyncio
import random

from tests.endtoend.comparison import as_stored, differences, read_tables
from tests.endtoend.indexing import PATIENCE_S, caught_up

from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, get_stream

DEEPEST = 12
"""Slots of the deepest fork."""
FINALIZED_LAG = 20
"""Slots until a block is final, for a chain that is to become final while a test runs."""


def confirmed_slot(localnet: Localnet) -> int:
    """Highest confirmed slot."""
    return localnet.chain.slot_at(Commitment.CONFIRMED)


class Chaos:
    """Steps a localnet and forks it, at seeded moments, behind slots that the indexer has stored."""

    def __init__(self, localnet: Localnet, database: Database, stream: StreamRow, seed: int) -> None:
        self._localnet = localnet
        self._database = database
        self._stream = stream
        self.dice = random.Random(seed)
        self.forks = self.gone = 0

    async def begin(self) -> None:
        """Until the markets are final: nobody could trade on a chain that lost them."""
        await self._localnet.step(FINALIZED_LAG + 10)

    async def round(self, *, wait: bool = True) -> None:
        net, dice = self._localnet, self.dice
        await net.step(dice.randint(3, 10))
        if wait:
            await caught_up(self._database, self._stream, confirmed_slot(net))
        tip = net.chain.open_slot - 1
        room = tip - net.chain.slot_at(Commitment.FINALIZED)
        depth = min(dice.randint(2, DEEPEST), room)
        signatures = [
            each.signature for block in net.chain.blocks(tip - depth + 1, tip) for each in block.transactions
        ]
        drop = {signature for signature in signatures if dice.random() < 0.2}
        if dice.random() < 0.3:
            drop = set(signatures)
        skip = {slot for slot in range(tip - depth + 1, tip) if dice.random() < 0.15}
        self.gone += len(net.fork(depth, drop=drop, skip=skip, shuffle=dice.random() < 0.7))
        self.forks += 1
        await asyncio.sleep(dice.choice((0, 0, 0.02)))

    async def quiet(self) -> int:
        """Lets everything that happened become final; the last slot in which something could."""
        last = self._localnet.chain.open_slot - 1
        while self._localnet.chain.slot_at(Commitment.FINALIZED) <= last:
            self._localnet.ledger.close()
        return confirmed_slot(self._localnet)


async def final_through(database: Database, stream: StreamRow, slot: int) -> None:
    """Returns once everything through `slot` is final, and no position waits to be folded."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            row = await get_stream(database, stream.name)
            async with database.acquire() as connection:
                dirty = await connection.fetchval("SELECT count(*) FROM heliograph.dirty")
            if row is not None and (row.final_slot or -1) >= slot and not dirty:
                return
            await asyncio.sleep(0.02)


async def require_equal(database: Database, localnet: Localnet, last: int) -> None:
    """Every canonical table equals the truth through `last`."""
    truth = as_stored(localnet.truth(last))
    async with database.acquire() as connection:
        stored = await read_tables(connection, localnet.settings.stream)
    told = differences(truth, stored)
    assert not told, told


async def accounts_equal(database: Database, localnet: Localnet, *, scanned: bool = False) -> None:
    """Returns once each open account is stored as it is, and none that only a dropped block had is stored as open.

    scanned: nor one that closed in a block that stands, which only a scan finds.
    """
    slot, accounts = confirmed_slot(localnet), localnet.chain.accounts
    expected = {
        address: account.data
        for program in localnet.programs
        for address, account in accounts.owned_by(program, slot)
    }
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with database.acquire() as connection:
                rows = await connection.fetch(
                    "SELECT address, data FROM heliograph.accounts WHERE lamports > 0"
                )
            stored = {row["address"]: row["data"] for row in rows}
            gone = () if scanned else stored.keys() - expected.keys()
            closed = {address for address in gone if accounts.read(address, slot)}
            if {address: data for address, data in stored.items() if address not in closed} == expected:
                return
            await asyncio.sleep(0.05)
