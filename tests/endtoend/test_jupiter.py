"""Jupiter Perps on localnet, from its real IDLs: positions, trades and PnL as the pool's own books have them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from tests.endtoend.comparison import as_stored, differences, read_tables, wrong_positions
from tests.endtoend.indexing import caught_up, indexing
from tests.peers.shared_idls import shared_idl

from heliograph_core.amounts import EXACT, quotient, scaled
from heliograph_core.event import Event
from heliograph_core.records import PositionChange, Record, State
from heliograph_indexer.filling import Filler
from heliograph_indexer.new_idl import add_new_idl
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.pieces import pieces
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.protocols.jupiter import PROGRAM, Jupiter
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings
from heliograph_localnet.act import Stated
from heliograph_localnet.chain import Chain
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.scenarios.jupiter import JupiterScenario
from heliograph_localnet.stage import Stage
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.streams import StreamRow, read_coverage
from heliograph_sql.writer import Writer

OLD = shared_idl("jupiter_perpetuals.legacy") or b""
NEW = shared_idl("jupiter_perpetuals.codama_2026") or b""
pytestmark = pytest.mark.skipif(not OLD or not NEW, reason="the real IDLs of ../shared are absent")
JUPITER = PROTOCOLS["jupiter"]
FIRST = 1_000
SEED = 20_261_129


def stage() -> Stage[JupiterScenario]:
    """The whole script has happened; the program was upgraded in the middle of it."""
    chain = Chain(seed=SEED, genesis_time=1_790_000_000, slot_ms=250, first_slot=FIRST, finalized_lag=4)
    on = Stage(JupiterScenario(OLD, SEED, newer=NEW), stream="jupiter", chain=chain)
    on.play(on.scenario.script(on.now))
    return on


async def stream_of(database: Database, first_slot: int = FIRST) -> StreamRow:
    stream, _ = await add_new_stream(
        database,
        "jupiter",
        protocol="jupiter",
        programs=[PROGRAM],
        documents={PROGRAM: OLD},
        first_slot=first_slot,
    )
    return stream


async def add_newer(database: Database, on: Stage[JupiterScenario]) -> int:
    """How many undecoded events it reads."""
    since = on.scenario.upgraded_at
    assert since is not None
    arrived = await add_new_idl(
        database,
        "jupiter",
        JUPITER,
        program=PROGRAM,
        first_slot=since,
        document=NEW,
        holder="idl",
    )
    assert arrived.left == 0
    return arrived.decoded


def settings(on: Stage[JupiterScenario]) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=on.rpc_url,
        ws_url=on.ws_url,
        reconcile_interval_s=0.5,
        poll_interval_s=0.1,
        heal=HealSettings(poll_s=0.1),
    )


async def told(database: Database, expected: dict[str, list[dict[str, Any]]], *without: str) -> str:
    """How the tables differ from what is expected; empty where they do not."""
    async with database.acquire() as connection:
        stored = await read_tables(connection, "jupiter")
    wanted = as_stored(expected)
    for table in without:
        del wanted[table], stored[table]
    return differences(wanted, stored)


async def test_positions_trades_and_pnl_are_those_of_the_pools_books(database: Database) -> None:
    on = stage()
    stream = await stream_of(database)
    await add_newer(database, on)
    async with on, indexing(database, stream, JUPITER, settings(on)):
        await caught_up(database, stream, on.chain.slot_at(Commitment.CONFIRMED), accounts=True)
        found = await told(database, on.books.rows())
    assert not found, found
    statuses = [row["status"] for row in on.books.rows()["perps.positions"]]
    assert sorted(statuses) == ["closed", "closed", "liquidated", "liquidated", "open", "open", "open"]


async def test_history_in_random_order_gives_the_same(database: Database) -> None:
    print("seed", SEED)
    dice = Random(SEED)
    on = stage()
    stream = await stream_of(database)
    await add_newer(database, on)
    last = on.chain.slot_at(Commitment.CONFIRMED)
    leader = Writer(database, "jupiter", "leader")
    epoch = await Lease(database, "jupiter", "leader", ttl_s=600).acquire()
    assert epoch is not None
    async with on, RpcClient(on.rpc_url) as client:
        fillers = [
            Filler(database, stream, JUPITER, settings(on), Cluster(client), holder=name, origin="backfill")
            for name in ("one", "two")
        ]
        todo = list(pieces((await read_coverage(database, "jupiter")).gaps(FIRST, last), 1, "oldest"))
        dice.shuffle(todo)
        for at, piece in enumerate(todo):
            assert (await fillers[at % 2].advance(*piece)).piece == piece
            if at % 4 == 0:
                await refolded(leader, epoch)
        await refolded(leader, epoch)
    # Nobody has read an account.
    found = await told(database, on.books.rows(), "perps.markets")
    assert not found, found


async def test_a_stream_that_starts_in_the_middle_knows_what_is_open_from_accounts_until_history_comes(
    database: Database,
) -> None:
    on = stage()
    middle = on.scenario.upgraded_at
    assert middle is not None
    stream = await stream_of(database, middle)
    await add_newer(database, on)
    last = on.chain.slot_at(Commitment.CONFIRMED)
    short = on.scenario.position(on.scenario.wallet("alice"), on.scenario.sol, "short")
    async with (
        on,
        RpcClient(on.rpc_url) as client,
        indexing(database, stream, JUPITER, settings(on)),
    ):
        await caught_up(database, stream, last, accounts=True)
        async with database.acquire() as connection:
            found = await connection.fetchrow(OF_KEY, short.key)
            known = await connection.fetch(
                "SELECT position_key, lifecycle, status, complete FROM perps.positions"
            )
        # 4321.000001 dollars at 158.500001, opened before the middle and untouched since.
        assert (short.size, short.price) == (4_321_000_001, 158_500_001)
        size = quotient(Decimal("4321.000001"), Decimal("158.500001"))
        assert tuple(found)[:5] == ("open", size, Decimal("158.500001"), scaled(short.collateral, 6), False)
        assert found["opened"] == short.opened
        assert {(row["status"], row["complete"]) for row in known} >= {("open", False), ("open", True)}
        filler = Filler(
            database, stream, JUPITER, settings(on), Cluster(client), holder="one", origin="backfill"
        )
        while (await filler.advance(FIRST, middle - 1)).left:
            pass
        await caught_up(database, stream, last, accounts=True)
        told_late = await told(database, on.books.rows())
    assert not told_late, told_late


OF_KEY = (
    "SELECT status, size, entry_price, collateral, complete, extract(epoch FROM opened_at)::bigint AS opened "
    "FROM perps.positions WHERE position_key = $1"
)


async def test_what_an_older_idl_cannot_read_is_told_and_no_number_is_wrong_until_the_right_one_is_added(
    database: Database,
) -> None:
    on = stage()
    stream = await stream_of(database)

    def read_by_older(stated: Stated) -> bool:
        return stated.layout == 0 or stated.event != "instantDecreasePositionEvent"

    async with on, indexing(database, stream, JUPITER, settings(on)):
        await caught_up(database, stream, on.chain.slot_at(Commitment.CONFIRMED), accounts=True)
        found = await told(database, on.books.rows(known=read_by_older), "perps.positions", "perps.markets")
        assert not found, found
        async with database.acquire() as connection:
            assert not (
                found := wrong_positions(on.books.rows(), await read_tables(connection, "jupiter"))
            ), found
            lost = await connection.fetch("SELECT reason FROM heliograph.undecoded")
            kinds = await connection.fetch("SELECT kind FROM heliograph.incidents")
            # Custodies are read as they are now, in the newer layout.
            assert await connection.fetch("SELECT FROM perps.markets") == []
            bob = await connection.fetchrow(
                "SELECT status, size, complete, realized_pnl FROM perps.positions"
                " WHERE wallet = $1 AND lifecycle = 1",
                on.scenario.wallet("bob"),
            )
        assert len(lost) == 1 and "InstantDecreasePositionEvent" in lost[0]["reason"]
        assert {"undecoded", "account_undecoded"} <= {row["kind"] for row in kinds}
        # His close was not read: that there is another position now proves it, and nothing is made up.
        assert tuple(bob) == ("closed", None, False, 0)

        assert await add_newer(database, on) == 1
        on.chain.produce()
        on.chain.produce()
        await caught_up(database, stream, on.chain.slot_at(Commitment.CONFIRMED), accounts=True)
        found = await told(database, on.books.rows())
    assert not found, found
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM heliograph.undecoded") == 0


class FeesLeftInCollateral(Jupiter):
    """The slip that is easily made: an increase adds all that was put in."""

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        for record in super().project(stream, event):
            if isinstance(record, PositionChange) and record.kind in ("open", "increase"):
                given = EXACT.add(record.collateral_delta or 0, record.fee)
                record = msgspec.structs.replace(record, collateral_delta=given)
            yield record


async def test_a_projection_that_is_wrong_is_seen(database: Database) -> None:
    on = stage()
    stream = await stream_of(database)
    await add_newer(database, on)
    last = on.chain.slot_at(Commitment.CONFIRMED)
    leader = Writer(database, "jupiter", "leader")
    epoch = await Lease(database, "jupiter", "leader", ttl_s=600).acquire()
    assert epoch is not None
    async with on, RpcClient(on.rpc_url) as client:
        wrong = FeesLeftInCollateral()
        filler = Filler(
            database, stream, wrong, settings(on), Cluster(client), holder="one", origin="backfill"
        )
        while (await filler.advance(FIRST, last)).left:
            pass
        await refolded(leader, epoch)
    found = await told(database, on.books.rows(), "perps.markets")
    assert "perps.position_changes" in found and "collateral_delta" in found
    assert "perps.positions" in found and "perps.trades" not in found


async def refolded(leader: Writer, epoch: int) -> None:
    while await leader.refold(epoch=epoch) is not None:
        pass
