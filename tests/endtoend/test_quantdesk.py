"""QuantDesk on localnet, made from its real IDLs: what only accounts and instructions tell ends in the expected rows."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.endtoend.indexing import caught_up, indexing

from heliograph_indexer.filling import Filler
from heliograph_indexer.new_idl import add_new_idl
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.pieces import pieces
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings
from heliograph_localnet.act import Act, Wait
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.scenarios.quantdesk import ONE, Life, QuantDeskScenario
from heliograph_localnet.stage import Stage
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.streams import StreamRow, read_coverage
from heliograph_sql.writer import Writer

IDLS = Path(__file__).resolve().parents[3] / "shared" / "idl"
DEPLOYED, ARCHIVE = IDLS / "quantdesk_deployed.json", IDLS / "quantdesk_perp_dex_archive.json"
pytestmark = pytest.mark.skipif(not DEPLOYED.exists(), reason="the real IDLs of ../shared are absent")
QUANTDESK = PROTOCOLS["quantdesk"]
FIRST_SLOT = 400_000_000
SEED = 20_261_129


@pytest.fixture
async def stage() -> AsyncIterator[Stage[QuantDeskScenario]]:
    scenario = QuantDeskScenario(DEPLOYED.read_bytes(), ARCHIVE.read_bytes())
    async with Stage(scenario, stream="quantdesk") as stage:
        yield stage


async def test_a_market_that_emits_nothing_ends_in_the_positions_that_its_books_say(
    database: Database, stage: Stage[QuantDeskScenario]
) -> None:
    """Live, through an upgrade in the middle whose IDL nobody gives at first."""
    scenario = stage.scenario
    stream = await add_stream(database)
    upgraded_at = 0
    async with indexing(database, stream, QUANTDESK, settings(stage)):
        for step in scenario.script(stage.now):
            stage.play([step])
            if isinstance(step, Wait):
                await caught_up(database, stream, confirmed(stage), accounts=True)
            elif isinstance(step, Act) and scenario.program.layout and not upgraded_at:
                upgraded_at = stage.chain.open_slot
        through = confirmed(stage)
        await caught_up(database, stream, through, accounts=True)
        # Before anybody gives the IDL: no number is wrong, and what cannot be read is told of.
        before = await read_positions(database)
        assert [row[:5] for row in before] == [row[:5] for row in expected(scenario.lives, live=True)]
        assert await rows(database, "SELECT count(*) FROM perps.trades") == [(0,)]
        unread = await rows(
            database, "SELECT channel, count(*) FROM heliograph.undecoded GROUP BY 1 ORDER BY 1"
        )
        told = await rows(database, "SELECT DISTINCT kind FROM heliograph.incidents")
        assert [channel for channel, _ in unread] == ["data", "instruction"] and ("undecoded",) in told
        added = await add_archive(database, upgraded_at)
        assert (added.decoded, added.left) == (sum(count for _, count in unread), 0)
        await caught_up(database, stream, through, accounts=True)
    assert await rows(database, "SELECT * FROM heliograph.undecoded") == []
    await compare(database, scenario, live=True)


async def test_history_in_random_order_gives_what_is_known_of_it(
    database: Database, stage: Stage[QuantDeskScenario]
) -> None:
    """Nobody looked while it happened: what accounts say now, and what instructions and events told."""
    print("seed", SEED)
    dice = random.Random(SEED)
    upgraded_at = 0
    for step in stage.scenario.script(stage.now):
        stage.play([step])
        if stage.scenario.program.layout and not upgraded_at:
            upgraded_at = stage.chain.open_slot
    last = confirmed(stage)
    stream = await add_stream(database)
    await add_archive(database, upgraded_at)
    lease = Lease(database, stream.name, "leader", ttl_s=600)
    epoch = await lease.acquire()
    assert epoch is not None
    leader = Writer(database, stream.name, "leader")
    async with RpcClient(stage.rpc_url) as client:
        fillers = [
            Filler(
                database,
                stream,
                QUANTDESK,
                settings(stage),
                Cluster(client),
                holder=holder,
                origin="backfill",
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
    # Without a look at accounts the openings are known, and the closes that something told of.
    opened = [row[:5] for row in await read_positions(database)]
    assert opened == [row[:5] for row in expected(stage.scenario.lives, live=False)]
    closed = await rows(
        database, "SELECT position_key FROM perps.positions WHERE status <> 'open' ORDER BY 1"
    )
    assert closed == sorted((life.key,) for life in stage.scenario.lives if life.told is not None)
    await lease.release()
    async with indexing(database, stream, QUANTDESK, settings(stage)):
        await caught_up(database, stream, last, accounts=True)
    await compare(database, stage.scenario, live=False)


async def compare(database: Database, scenario: QuantDeskScenario, *, live: bool) -> None:
    stored = await read_positions(database)
    # What only the account tells closed before the first look at it: soon, if somebody was looking.
    unseen = {life.key: life.closed for life in scenario.lives if life.told is None and life.closed}
    late = [row[17] - unseen[row[0]] for row in stored if row[0] in unseen]
    assert late and all(0 <= slots <= 4 if live else 0 <= slots for slots in late)
    stored = [(*row[:17], unseen.get(row[0], row[17]), *row[18:]) for row in stored]
    assert stored == expected(scenario.lives, live=live)
    found = await rows(
        database,
        "SELECT taker, taker_side, size, price, quote, taker_fee, taker_order_id FROM perps.trades ORDER BY slot",
    )
    assert found == [
        (
            fill["user"],
            fill["side"].lower(),
            units(fill["size"]),
            units(fill["price"]),
            units(fill["size"]) * units(fill["price"]),
            units(fill["fee"]),
            fill["order"],
        )
        for fill in scenario.fills
    ]
    liquidated = [life for life in scenario.lives if life.told == "liquidation"]
    assert await rows(
        database, "SELECT wallet, position_key, side, size, price, fee FROM perps.liquidations"
    ) == [
        (life.wallet, life.key, None, units(life.largest), units(life.exit or 0), units(life.penalty))
        for life in liquidated
    ]
    assert await rows(database, "SELECT rate, interval_rate, interval_seconds FROM perps.funding_rates") == [
        (Decimal("-0.0013"), Decimal("-0.0013"), 3600)
    ]
    assert await rows(database, "SELECT wallet, asset, free, locked FROM perps.balances ORDER BY wallet") == [
        (wallet, "SOL", Decimal(lamports).scaleb(-9), 0)
        for wallet, lamports in sorted(scenario.deposits.items())
    ]
    assert await rows(database, "SELECT wallet, kind, free_delta FROM perps.transfers ORDER BY wallet") == [
        (wallet, "deposit", Decimal(lamports).scaleb(-9))
        for wallet, lamports in sorted(scenario.deposits.items())
    ]
    markets = "SELECT symbol, index_price, funding_rate, initial_margin_ratio, created_slot FROM perps.markets ORDER BY 1"
    assert await rows(database, markets) == [
        (f"{asset}-PERP", units(price), Decimal("0.0025"), Decimal("0.1"), None)
        for asset, price in sorted(scenario.prices.items())
    ]
    failed = "SELECT count(*) FROM heliograph.transactions WHERE err_name = 'InsufficientCollateral'"
    assert await rows(database, failed) == [(scenario.failed,)]


POSITIONS = """
SELECT position_key, wallet, market, opened_slot, side, status, size, max_size, realized_pnl, entry_price, exit_price,
    collateral, liquidation_price, fees, funding, complete, settled, closed_slot, changes,
    extract(epoch FROM opened_at)::bigint
FROM perps.positions
ORDER BY position_key, opened_slot
"""


async def read_positions(database: Database) -> list[tuple[Any, ...]]:
    return await rows(database, POSITIONS)


def expected(lives: Sequence[Life], *, live: bool) -> list[tuple[Any, ...]]:
    """live: each state of an account was seen; else only what is there at the end."""
    found = []
    for life in lives:
        seen = live or life.kept
        is_open = life.closed is None
        pnl: Decimal | None = units(life.realized + life.unrealized)
        if not seen:
            pnl = None if life.told_pnl is None else units(life.told_pnl)
        status = "open" if is_open else "liquidated" if life.told == "liquidation" else "closed"
        found.append(
            (
                life.key,
                life.wallet,
                life.market,
                life.opened,
                life.side.lower(),
                status,
                units(life.size),
                units(life.largest if live else life.first),
                pnl,
                units(life.entry if seen else life.first_entry),
                None if life.exit is None else units(life.exit),
                (units(life.margin) if is_open else Decimal(0)) if seen else None,
                units(life.liquidation) if is_open and life.liquidation else None,
                units(life.penalty),
                Decimal(0),
                True,
                True,
                life.closed,
                1 + (life.told is not None),
                life.opened_at,
            )
        )
    return sorted(found, key=lambda row: (row[0], row[3]))


def units(integer: int) -> Decimal:
    return Decimal(integer) / ONE


async def add_stream(database: Database) -> StreamRow:
    stream, _ = await add_new_stream(
        database,
        "quantdesk",
        protocol="quantdesk",
        programs=list(QUANTDESK.programs.values()),
        documents={address: DEPLOYED.read_bytes() for address in QUANTDESK.programs.values()},
        first_slot=FIRST_SLOT,
        instructions=True,
    )
    return stream


async def add_archive(database: Database, first_slot: int) -> Any:
    (program,) = QUANTDESK.programs.values()
    return await add_new_idl(
        database,
        "quantdesk",
        QUANTDESK,
        program=program,
        first_slot=first_slot,
        document=ARCHIVE.read_bytes(),
        holder="idl",
    )


def confirmed(stage: Stage[QuantDeskScenario]) -> int:
    return stage.chain.slot_at(Commitment.CONFIRMED)


def settings(stage: Stage[QuantDeskScenario]) -> IndexerSettings:
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
