"""The main job on a TimescaleDB that was an embedded database with rows in it: tables equal the books, messages arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.cli.process import run
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.nodes import LIVE, ROOTS, rows_of, selection
from tests.endtoend.serving import serving
from tests.endtoend.subscriber import subscriber
from tests.peers.server import Server

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_indexer.protocols.godark import GoDark
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.plan import RECORD_PLANS
from heliograph_sql.rows import TRANSACTIONS, UNDECODED
from heliograph_sql.streams import StreamRow, add_stream, get_stream

SEED = 20_261_122
TRANSACTIONS_EACH = 500
SLOTS_AT_ONCE = 20


@pytest.fixture
def target_url(timescale_server: Server) -> Iterator[str]:
    """URL of an empty database on a TimescaleDB."""
    with timescale_server.database("template0") as name:
        yield timescale_server.database_url(name)


@pytest.fixture
async def localnet() -> AsyncIterator[Localnet]:
    settings = LocalnetSettings(seed=SEED, funding_interval_seconds=10, traders=60, jump_probability=0.1)
    async with Localnet(settings) as localnet:
        yield localnet


async def test_an_embedded_database_becomes_a_timescale_one_and_goes_on(
    database_url: str, target_url: str, localnet: Localnet, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    settings = localnet.settings
    async with await Database.open(database_url) as database:
        stream = await add_stream(
            database,
            settings.stream,
            protocol="godark",
            programs=localnet.programs,
            first_slot=settings.first_slot,
        )
        async with indexing(database, stream, GoDark(), _settings(localnet)):
            await _trade(localnet, TRANSACTIONS_EACH, database, stream)
    # While the rows are moved the exchange goes on.
    await localnet.step(SLOTS_AT_ONCE)
    done = run(tmp_path, "move", "--database", database_url, "--to", target_url)
    assert (done.returncode, done.stderr) == (0, "")

    async with await Database.open(target_url) as database, AsyncExitStack() as running:
        moved = await get_stream(database, settings.stream)
        assert moved is not None and moved.seq > 0
        host = await running.enter_async_context(serving(database))
        listener = await running.enter_async_context(subscriber(host))
        for root in LIVE:
            beginning = encode_stream({stream.name: StreamPosition.after(0)})
            await listener.subscribe(root, selection(root), after=beginning)
        await running.enter_async_context(indexing(database, moved, GoDark(), _settings(localnet)))
        await _trade(localnet, 2 * TRANSACTIONS_EACH, database, moved)
        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        await caught_up(database, moved, last, accounts=True)
        truth = localnet.truth(last)
        await listener.receive({root: len(truth[ROOTS[root]]) for root in LIVE})
        async with database.acquire() as connection:
            stored = await read_tables(connection, moved.name)
            cut = {
                row["name"]: row["num_chunks"]
                for row in await connection.fetch(
                    "SELECT hypertable_schema || '.' || hypertable_name AS name, num_chunks "
                    "FROM timescaledb_information.hypertables"
                )
            }
            event_tables = [
                f"{moved.name}.{row['table_name']}"
                for row in await connection.fetch(
                    "SELECT DISTINCT table_name::text FROM information_schema.columns "
                    "WHERE table_schema = $1 AND column_name = 'block_time'",
                    moved.name,
                )
            ]
    for row in truth["perps.markets"]:
        del row["account_slot"]
    told = differences(truth, stored)
    assert not told, told
    for root in LIVE:
        rows = truth[ROOTS[root]]
        assert rows_of(listener.nodes(root), rows) == rows, f"{root} in order"
    assert len(event_tables) > 5
    event_like = [plan.full_name for plan in (*RECORD_PLANS.values(), TRANSACTIONS, UNDECODED)]
    assert set(cut) >= {*event_tables, *event_like}
    assert all(cut[name] > 0 for name, rows in stored.items() if name in cut and rows)


async def _trade(localnet: Localnet, transactions: int, database: Database, stream: StreamRow) -> None:
    """Lets at least so many transactions happen, in front of the indexer."""
    while len(localnet.truth()["heliograph.transactions"]) < transactions:
        await localnet.step(SLOTS_AT_ONCE)
        await caught_up(database, stream, localnet.chain.slot_at(Commitment.CONFIRMED))


def _settings(localnet: Localnet) -> IndexerSettings:
    return IndexerSettings(
        rpc_url=localnet.rpc_url, ws_url=localnet.ws_url, wake_on_slot=True, reconcile_interval_s=1.0
    )
