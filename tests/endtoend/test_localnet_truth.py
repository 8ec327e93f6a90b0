"""After a seeded run of localnet, every table equals the books of its exchange; a wrong projection is found out."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, get_args

import msgspec
import pytest
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.nodes import LIVE, ROOTS, rows_of, selection
from tests.endtoend.serving import serving
from tests.endtoend.subscriber import subscriber
from tests.peers.server import ON_BOTH

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_core.event import Event
from heliograph_core.records import (
    ChangeKind,
    FundingPayment,
    PositionChange,
    PositionStatus,
    Record,
    State,
    Transfer,
    TransferKind,
)
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.protocols.godark import GoDark
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream

SEED = 20_261_121
TRANSACTIONS = 2_000
FEW_TRANSACTIONS = 400
SLOTS_AT_ONCE = 20


class FlippedSign(GoDark):
    """GoDark with one column of one kind of record of the wrong sign."""

    def __init__(self, kind: type[Record], column: str) -> None:
        self._kind = kind
        self._column = column

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        for record in super().project(stream, event):
            if isinstance(record, self._kind):
                yield msgspec.structs.replace(record, **{self._column: -getattr(record, self._column)})
            else:
                yield record


class Run(NamedTuple):
    """What one run ought to have left and what it left; nodes: what subscribers were sent, by root field."""

    truth: dict[str, list[dict[str, Any]]]
    stored: dict[str, list[dict[str, Any]]]
    nodes: dict[str, list[dict[str, Any]]]


@ON_BOTH
@pytest.mark.parametrize("live", [True, False], ids=["live", "afterwards"])
async def test_tables_and_messages_equal_the_truth_row_by_row(database: Database, live: bool) -> None:
    run = await _run(database, GoDark(), TRANSACTIONS, live=live)
    told = differences(run.truth, run.stored)
    assert not told, told
    for root in LIVE:
        rows = run.truth[ROOTS[root]]
        assert rows_of(run.nodes[root], rows) == rows, f"{root} in order"
    _require_eventful(run.truth)


@pytest.mark.parametrize(
    ("kind", "column", "table"),
    [
        (FundingPayment, "amount", "perps.funding_payments"),
        (PositionChange, "realized_pnl", "perps.positions"),
        (Transfer, "free_delta", "perps.transfers"),
    ],
)
async def test_a_projection_with_a_flipped_sign_is_found_out(
    database: Database, kind: type[Record], column: str, table: str
) -> None:
    run = await _run(database, FlippedSign(kind, column), FEW_TRANSACTIONS, live=True)
    told = differences(run.truth, run.stored)
    assert f"{table}: " in told
    assert f"{column}: expected " in told


async def _run(database: Database, protocol: Protocol, transactions: int, *, live: bool) -> Run:
    """Indexes a localnet run of at least so many transactions; live: while it runs, else when it is over."""
    print(f"seed {SEED}")
    settings = LocalnetSettings(seed=SEED, funding_interval_seconds=10, traders=60, jump_probability=0.1)
    async with Localnet(settings) as localnet, AsyncExitStack() as running:
        stream = await add_stream(
            database,
            settings.stream,
            protocol=protocol.name,
            programs=localnet.programs,
            first_slot=settings.first_slot,
        )
        host = await running.enter_async_context(serving(database))
        listener = await running.enter_async_context(subscriber(host))
        beginning = encode_stream({stream.name: StreamPosition.after(0)})
        for root in LIVE:
            await listener.subscribe(root, selection(root), after=beginning)
        if not live:
            await _trade(localnet, transactions)
        indexer = indexing(database, stream, protocol, _settings(localnet))
        await running.enter_async_context(indexer)
        if live:
            await _trade(localnet, transactions, database, stream)
        # Nothing of the stream happens any more, so that accounts can be compared.
        last = _confirmed(localnet)
        await caught_up(database, stream, last, accounts=True)
        truth = localnet.truth(last)
        await listener.receive({root: len(truth[ROOTS[root]]) for root in LIVE})
        async with database.acquire() as connection:
            stored = await read_tables(connection, stream.name)
    for row in truth["perps.markets"]:
        del row["account_slot"]
    return Run(truth, stored, {root: listener.nodes(root) for root in LIVE})


async def _trade(
    localnet: Localnet,
    transactions: int,
    database: Database | None = None,
    stream: StreamRow | None = None,
) -> None:
    """Lets at least so many transactions happen, in front of the indexer where there is one."""
    while len(localnet.truth()["heliograph.transactions"]) < transactions:
        await localnet.step(SLOTS_AT_ONCE)
        if database is not None and stream is not None:
            await caught_up(database, stream, _confirmed(localnet))


def _settings(localnet: Localnet) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=localnet.rpc_url, ws_url=localnet.ws_url, wake_on_slot=True, reconcile_interval_s=1.0
    )


def _confirmed(localnet: Localnet) -> int:
    return localnet.chain.slot_at(Commitment.CONFIRMED)


def _require_eventful(truth: dict[str, list[dict[str, Any]]]) -> None:
    """A run in which nothing difficult happens proves nothing."""
    counts = {table: len(rows) for table, rows in truth.items()}
    assert counts["heliograph.transactions"] >= TRANSACTIONS
    assert min(counts.values()) > 0, counts
    assert {row["kind"] for row in truth["perps.position_changes"]} == {*get_args(ChangeKind)} - {
        "settlement"
    }, "GoDark pays profit out at the close"
    assert {row["kind"] for row in truth["perps.transfers"]} == set(get_args(TransferKind))
    assert {row["status"] for row in truth["perps.positions"]} == set(get_args(PositionStatus))
    assert max(row["lifecycle"] for row in truth["perps.positions"]) > 1
    assert any(row["err"] is not None for row in truth["heliograph.transactions"])
