"""Whose sub-accounts are: rows name the wallet once it is known, and are mended where it is learned after them.

A protocol that meets a sub-account where a wallet belongs says so by an `Owner` without a wallet; whatever event or account
tells the owner makes one with it. Owners never change: the address of a sub-account follows from its owner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from heliograph_core.records import Flow, Liquidation, Owner, Record, State, Trade, Transfer
from heliograph_sql.batch import Batch
from heliograph_sql.database import Database
from heliograph_sql.folding import mark_dirty
from heliograph_sql.queries import load

MOST_KEPT = 1_000_000
"""Owners kept in memory, about 200 MB; beyond they are read anew."""
_WALLETS: Mapping[type, tuple[str, ...]] = {
    Flow: ("wallet",),
    Liquidation: ("wallet", "liquidator"),
    Trade: ("taker", "maker"),
    Transfer: ("wallet",),
}
_MENDS = ("own_takers", "own_makers", "own_liquidations", "own_liquidators", "own_transfers")


class Owners:
    """What one writer knows of the owners of a stream."""

    def __init__(self, database: Database, stream: str) -> None:
        self._database = database
        self._stream = stream
        self._known: dict[str, str] = {}

    async def name(self, batch: Batch) -> Batch:
        """The batch with wallets for sub-accounts as far as they are known; of the others it keeps that they are not."""
        owners = [state for state in batch.states if isinstance(state, Owner)]
        if not owners:
            return batch
        if len(self._known) > MOST_KEPT:
            self._known.clear()
        told = {owner.account: owner.wallet for owner in owners if owner.wallet is not None}
        known = {owner.account for owner in owners if owner.account in self._known}
        missing = sorted({owner.account for owner in owners} - known - set(told))
        if missing:
            async with self._database.acquire() as connection:
                rows = await connection.fetch(load("owners.sql")["find_owners"], self._stream, missing)
            self._known.update((row["account"], row["wallet"]) for row in rows)
        wallets = {**self._known, **told}
        return msgspec.structs.replace(
            batch,
            records=[_named(record, wallets) for record in batch.records],
            # What is stored already need not be stored again.
            states=[
                state
                for state in batch.states
                if not isinstance(state, Owner) or state.account not in self._known
            ],
        )

    def learn(self, owners: Iterable[State]) -> None:
        """What was committed."""
        for owner in owners:
            if isinstance(owner, Owner) and owner.wallet is not None:
                self._known[owner.account] = owner.wallet


async def write_owners(connection: Any, stream: str, states: Sequence[State], *, folds: bool) -> None:
    """Stores what the states say, and mends the rows that were written before an owner was known. After those of this batch.

    folds: whether the caller folds in this transaction; then the lock of folding is taken here already, since who holds it
    may wait for keys that are marked here.
    """
    given: dict[str, str | None] = {}
    for state in states:
        if isinstance(state, Owner) and given.get(state.account) is None:
            given[state.account] = state.wallet
    if not given:
        return
    queries = load("owners.sql")
    accounts = sorted(given)
    told = [account for account in accounts if given[account] is not None]
    behind = {row["account"] for row in await connection.fetch(queries["lock_unowned"], stream, told)}
    rows = await connection.fetch(
        queries["upsert_owners"], stream, accounts, [given[account] for account in accounts]
    )
    # Rows of this batch name those whose owner somebody else learned since it was prepared.
    mended = sorted(
        (row["account"], row["wallet"])
        for row in rows
        if row["wallet"] is not None and (row["account"] in behind or given[row["account"]] is None)
    )
    if not mended:
        return
    columns = [list(column) for column in zip(*mended, strict=True)]
    keys = await connection.fetch(queries["own_flows"], stream, *columns)
    for name in _MENDS:
        await connection.execute(queries[name], stream, *columns)
    if keys and folds:
        await connection.execute(load("folding.sql")["lock_folding"], stream)
    await mark_dirty(connection, stream, [row["position_key"] for row in keys])


def _named(record: Record, wallets: Mapping[str, str]) -> Record:
    changed = {
        field: wallets[value]
        for field in _WALLETS.get(type(record), ())
        if (value := getattr(record, field)) in wallets
    }
    return msgspec.structs.replace(record, **changed) if changed else record
