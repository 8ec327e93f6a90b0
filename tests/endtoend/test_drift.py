"""Drift on localnet, made from its real IDLs: fills, funding, settlements, liquidations and deposits end in the expected rows."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.endtoend.comparison import as_stored, differences, read_tables, wrong_positions
from tests.endtoend.indexing import caught_up, indexing

from heliograph_core.errors import DatabaseUnavailable
from heliograph_indexer.filling import Filler
from heliograph_indexer.new_idl import add_new_idl
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.pieces import pieces
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings
from heliograph_localnet.act import Wait
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.scenarios.drift import PROGRAM, DriftScenario
from heliograph_localnet.stage import Stage
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.streams import StreamRow, read_coverage
from heliograph_sql.writer import Writer

IDLS = Path(__file__).resolve().parents[3] / "shared" / "idl"
OLD, NEW = IDLS / "drift_v2_hist_2.116.0.json", IDLS / "drift_v2.json"
pytestmark = pytest.mark.skipif(not NEW.exists(), reason="the real IDLs of ../shared are absent")
DRIFT = PROTOCOLS["drift"]
FIRST_SLOT = 400_000_000
SEED = 20_261_129
SAID = (
    "perps.trades",
    "perps.funding_rates",
    "perps.funding_payments",
    "perps.liquidations",
    "perps.transfers",
)


@pytest.fixture
async def stage() -> AsyncIterator[Stage[DriftScenario]]:
    async with Stage(DriftScenario(OLD.read_bytes(), newer=NEW.read_bytes()), stream="drift") as stage:
        yield stage


async def test_an_upgrade_that_nobody_told_of_costs_rows_and_no_number_until_its_idl_is_given(
    database: Database, stage: Stage[DriftScenario]
) -> None:
    stream = await add_stream(database)
    async with indexing(database, stream, DRIFT, settings(stage)):
        for step in stage.scenario.script(stage.now):
            stage.play([step])
            if isinstance(step, Wait) and confirmed(stage) >= FIRST_SLOT:
                await caught_up(database, stream, confirmed(stage))
        through = confirmed(stage)
        await caught_up(database, stream, through, accounts=True)
        known = stage.books.rows(known=lambda stated: stated.layout == 0 or stated.event in SAME)
        stored = await tables(database)
        assert differences({name: known[name] for name in SAID}, {name: stored[name] for name in SAID}) == ""
        assert wrong_positions(as_stored(stage.books.rows()), stored) == ""
        assert {row["complete"] for row in stored["perps.positions"]} == {True, False}
        assert len(known["perps.trades"]) < len(stage.books.rows()["perps.trades"])
        [(unread,)] = await rows(database, "SELECT count(*) FROM heliograph.undecoded")
        assert unread > 0
        told = await rows(database, "SELECT DISTINCT kind FROM heliograph.incidents")
        assert ("undecoded",) in told
        added = await add_newer(database, stage)
        assert (added.decoded, added.left) == (unread, 0)
        await caught_up(database, stream, through, accounts=True)
    assert await rows(database, "SELECT * FROM heliograph.undecoded") == []
    assert differences(as_stored(stage.books.rows()), await tables(database)) == ""
    require_eventful(stage)


async def test_history_in_random_order_ends_in_the_same_rows(
    database: Database, stage: Stage[DriftScenario]
) -> None:
    print("seed", SEED)
    dice = random.Random(SEED)
    stage.play(stage.scenario.script(stage.now))
    last = confirmed(stage)
    stream = await add_stream(database)
    await add_newer(database, stage)
    lease = Lease(database, stream.name, "leader", ttl_s=600)
    epoch = await lease.acquire()
    assert epoch is not None
    leader = Writer(database, stream.name, "leader")
    async with RpcClient(stage.rpc_url) as client:
        fillers = [
            Filler(
                database, stream, DRIFT, settings(stage), Cluster(client), holder=holder, origin="backfill"
            )
            for holder in ("one", "two")
        ]
        coverage = await read_coverage(database, stream.name)
        todo = list(pieces(coverage.gaps(stream.first_slot, last), 3, "oldest"))
        dice.shuffle(todo)
        for at, piece in enumerate(todo):
            await fillers[at % 2].advance(*piece)
            if dice.random() < 0.3:
                await leader.refold(epoch=epoch)
        while await leader.refold(epoch=epoch) is not None:
            pass
    await lease.release()
    # What no event tells is looked up in the accounts: markets, and the size where fills alone do not tell it.
    async with indexing(database, stream, DRIFT, settings(stage)):
        await caught_up(database, stream, last, accounts=True)
    assert differences(as_stored(stage.books.rows()), await tables(database)) == ""


SAME = ("FundingRateRecord", "FundingPaymentRecord", "SettlePnlRecord", "NewUserRecord")
"""Events whose layout the newer IDL left alone: the older one reads them."""


def require_eventful(stage: Stage[DriftScenario]) -> None:
    """A story in which nothing difficult happens proves nothing."""
    books = stage.books.rows()
    kinds = {row["kind"] for row in books["perps.position_changes"]}
    assert kinds == {"open", "increase", "decrease", "close", "funding", "settlement", "liquidation"}
    assert {row["status"] for row in books["perps.positions"]} == {"open", "closed", "liquidated"}
    assert max(row["lifecycle"] for row in books["perps.positions"]) == 3
    assert {row["taker"] is None for row in books["perps.trades"]} == {True, False}
    assert any(row["maker_fee"] < 0 for row in books["perps.trades"])


async def add_stream(database: Database) -> StreamRow:
    stream, _ = await add_new_stream(
        database,
        "drift",
        protocol="drift",
        programs=[PROGRAM],
        documents={PROGRAM: OLD.read_bytes()},
        first_slot=FIRST_SLOT,
    )
    return stream


async def add_newer(database: Database, stage: Stage[DriftScenario]) -> Any:
    """Again, as the error says, where a busy machine kept the database waiting in a transaction for too long."""
    assert stage.scenario.upgraded_at is not None
    for tries_left in (2, 1, 0):
        try:
            return await add_new_idl(
                database,
                "drift",
                DRIFT,
                program=PROGRAM,
                first_slot=stage.scenario.upgraded_at,
                document=NEW.read_bytes(),
                holder="idl",
            )
        except DatabaseUnavailable:
            if not tries_left:
                raise
    raise AssertionError("unreachable")


async def tables(database: Database) -> dict[str, list[dict[str, Any]]]:
    async with database.acquire() as connection:
        return await read_tables(connection, "drift")


def confirmed(stage: Stage[DriftScenario]) -> int:
    return stage.chain.slot_at(Commitment.CONFIRMED)


def settings(stage: Stage[DriftScenario]) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=stage.rpc_url,
        ws_url=stage.ws_url,
        wake_on_slot=True,
        poll_interval_s=0.05,
        reconcile_interval_s=0.1,
        heal=HealSettings(poll_s=0.1, piece_slots=3),
    )


async def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    async with database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(statement)]
