"""Confirmed blocks that are dropped before they are final: tables and subscribers end with what the chain ended with."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.endtoend.chaos import (
    FINALIZED_LAG,
    Chaos,
    accounts_equal,
    confirmed_slot,
    final_through,
    require_equal,
)
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.nodes import LIVE, ROOTS, rows_of, selection
from tests.endtoend.serving import serving
from tests.endtoend.subscriber import Subscriber, subscriber

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.settings import ApiSettings
from heliograph_indexer.finalizer import Finalizer
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings, RpcSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.faults import Occasion, Reaction
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, get_stream, read_coverage

GODARK = PROTOCOLS["godark"]
SEEDS = (11, 20_261_121, 3)
_TIMEOUT_S = 60


def _settings(localnet: Localnet, **changes: Any) -> IndexerSettings:
    chosen: dict[str, Any] = {
        "rpc_url": localnet.rpc_url,
        "ws_url": localnet.ws_url,
        "rpc": RpcSettings(attempts=2, backoff_s=0.005, backoff_max_s=0.02),
        "poll_interval_s": 0.05,
        "retry_s": 0.01,
        "retry_max_s": 0.05,
        "finalize_interval_s": 0.05,
        "lease_ttl_s": 0.3,
        # Only corrections read accounts anew within the test.
        "reconcile_interval_s": 3600.0,
    }
    return IndexerSettings(**{**chosen, **changes})


def _localnet(seed: int) -> Localnet:
    print(f"seed {seed}")
    return Localnet(
        LocalnetSettings(
            seed=seed,
            rate=80,
            traders=40,
            funding_interval_seconds=10,
            jump_probability=0.1,
            finalized_lag=FINALIZED_LAG,
            skip_probability=0.1,
        )
    )


async def _stream(database: Database, localnet: Localnet) -> StreamRow:
    return await add_stream(
        database,
        localnet.settings.stream,
        protocol=GODARK.name,
        programs=localnet.programs,
        first_slot=localnet.settings.first_slot,
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_tables_equal_the_truth_after_many_forks(database: Database, seed: int) -> None:
    async with _localnet(seed) as localnet, AsyncExitStack() as running:
        stream = await _stream(database, localnet)
        indexer = await running.enter_async_context(indexing(database, stream, GODARK, _settings(localnet)))
        chaos = Chaos(localnet, database, stream, seed)
        await chaos.begin()
        for _ in range(15):
            await chaos.round(wait=chaos.dice.random() < 0.7)
        last = await chaos.quiet()
        final = localnet.chain.slot_at(Commitment.FINALIZED)
        await caught_up(database, stream, last)
        await final_through(database, stream, final)
        await require_equal(database, localnet, last)
        await accounts_equal(database, localnet)
        assert chaos.gone > 0
        assert indexer.status.final_slot == final
    assert (await _corrections(database)) > 0


async def test_without_audits_forks_are_found_in_the_tables(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison is worth something: it sees what the finalizer would have mended."""

    async def nothing(self: Finalizer) -> None:
        return None

    monkeypatch.setattr(Finalizer, "_pass", nothing)
    seed = SEEDS[0]
    async with _localnet(seed) as localnet, AsyncExitStack() as running:
        stream = await _stream(database, localnet)
        await running.enter_async_context(indexing(database, stream, GODARK, _settings(localnet)))
        chaos = Chaos(localnet, database, stream, seed)
        await chaos.begin()
        for _ in range(5):
            await chaos.round()
        last = await chaos.quiet()
        await caught_up(database, stream, last)
        with pytest.raises(AssertionError, match=r"perps\.position_changes"):
            await require_equal(database, localnet, last)
        row = await get_stream(database, stream.name)
    assert row is not None and row.final_slot is None


async def _corrections(database: Database) -> int:
    async with database.acquire() as connection:
        found = await connection.fetchval("SELECT count(*) FROM heliograph.commits WHERE kind = 'correct'")
    assert isinstance(found, int)
    return found


class Replica:
    """What a client holds of one subscription that does as it is told: discard, then take the rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        """rows: any of that table, for their columns."""
        self._like = rows
        self._held: dict[tuple[int, ...], dict[str, Any]] = {}
        self.discards = 0
        self.doubled = 0

    def take(self, message: Mapping[str, Any]) -> None:
        if (discard := message["discard"]) is not None:
            first, last = int(discard["fromSlot"]), int(discard["throughSlot"])
            self._held = {at: row for at, row in self._held.items() if not first <= at[0] <= last}
            self.discards += 1
        for row in rows_of(message["nodes"], self._like):
            at = (row["slot"], row["tx_index"], row["ordinal"], row["part"])
            self.doubled += at in self._held
            self._held[at] = row

    def rows(self) -> list[dict[str, Any]]:
        return [self._held[at] for at in sorted(self._held)]


async def _replicas(
    listener: Subscriber, truth: Mapping[str, list[dict[str, Any]]], seq: int
) -> dict[str, Replica]:
    """The replicas of all subscriptions, once commit `seq` has come to each, or every row that there is."""
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            replicas = {root: Replica(truth[ROOTS[root]]) for root in LIVE}
            for root, replica in replicas.items():
                for message in listener.messages[root]:
                    replica.take(message)
            commits = listener.messages["commits"]
            if commits and int(commits[-1]["seq"]) >= seq:
                return replicas
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("joined", ["before", "after"])
async def test_a_subscriber_that_applies_discards_ends_with_the_truth(
    database: Database, joined: str
) -> None:
    seed = SEEDS[0]
    async with _localnet(seed) as localnet, AsyncExitStack() as running:
        stream = await _stream(database, localnet)
        host = await running.enter_async_context(serving(database))
        listener = await running.enter_async_context(subscriber(host))

        async def listen() -> None:
            beginning = encode_stream({stream.name: StreamPosition.after(0)})
            for root in LIVE:
                members = f"discard {{ fromSlot throughSlot }} {selection(root)}"
                await listener.subscribe(root, members, after=beginning)
            await listener.subscribe("commits", "kind seq firstSlot lastSlot", after=beginning)

        if joined == "before":
            await listen()
        await running.enter_async_context(indexing(database, stream, GODARK, _settings(localnet)))
        chaos = Chaos(localnet, database, stream, seed)
        await chaos.begin()
        for _ in range(10):
            await chaos.round()
        last = await chaos.quiet()
        await caught_up(database, stream, last)
        await final_through(database, stream, localnet.chain.slot_at(Commitment.FINALIZED))
        await require_equal(database, localnet, last)
        if joined == "after":
            await listen()
        row = await get_stream(database, stream.name)
        assert row is not None
        truth = localnet.truth(last)
        replicas = await _replicas(listener, truth, row.seq)
        for root, replica in replicas.items():
            # The last messages of a subscription may come behind the last commit of another one.
            async with asyncio.timeout(_TIMEOUT_S):
                while replica.rows() != truth[ROOTS[root]]:
                    await asyncio.sleep(0.05)
                    replica = (await _replicas(listener, truth, row.seq))[root]
            assert replica.doubled == 0, root
            assert replica.discards > 0, root


async def test_a_wallet_and_a_chart_that_are_followed_end_with_what_a_query_answers(
    database: Database,
) -> None:
    seed = SEEDS[2]
    candle = "stream bucket open high low close volume points"
    async with _localnet(seed) as localnet, AsyncExitStack() as running:
        stream = await _stream(database, localnet)
        host = await running.enter_async_context(serving(database))
        listener = await running.enter_async_context(subscriber(host))
        await running.enter_async_context(indexing(database, stream, GODARK, _settings(localnet)))
        chaos = Chaos(localnet, database, stream, seed)
        await chaos.begin()
        await chaos.round()
        async with database.acquire() as connection:
            wallet, market = await connection.fetchrow(
                "SELECT mode() WITHIN GROUP (ORDER BY taker), mode() WITHIN GROUP (ORDER BY market) FROM perps.trades"
            )
        members = (
            "snapshot positions { removed nodes { id size } } balances { removed nodes { id free locked } }"
        )
        await listener.subscribe("wallet", members, address=wallet)
        beginning = encode_stream({stream.name: StreamPosition.after(0)})
        await listener.subscribe(
            "candles", f"stream removed nodes {{ {candle} }}", after=beginning, marketAddress=market
        )
        for _ in range(8):
            await chaos.round()
        last = await chaos.quiet()
        await caught_up(database, stream, last)
        await final_through(database, stream, localnet.chain.slot_at(Commitment.FINALIZED))
        executor = Executor(database, ApiSettings())
        answer = await executor.execute(
            Request(
                f"""query ($wallet: String!, $market: String!) {{
                  positions(first: 1000, where: {{wallet: {{eq: $wallet}}, status: {{eq: OPEN}}}}) {{ nodes {{ id size }} }}
                  balances(first: 1000, where: {{wallet: {{eq: $wallet}}}}) {{ nodes {{ id free locked }} }}
                  candles(first: 1000, marketAddress: $market) {{ nodes {{ {candle} }} }} }}""",
                None,
                {"wallet": wallet, "market": market},
            )
        )
        wanted = {root: _by_key(page["nodes"]) for root, page in json.loads(answer.body)["data"].items()}
        assert all(wanted.values())
        await _hold(listener, wanted)
    assert (await _corrections(database)) > 0


def _by_key(nodes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {node["id" if "id" in node else "bucket"]: node for node in nodes}


async def _hold(listener: Subscriber, wanted: Mapping[str, Any]) -> None:
    """Returns once a client that applied all messages holds just that."""
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            if _held(listener) == wanted:
                return
            await asyncio.sleep(0.05)


def _held(listener: Subscriber) -> dict[str, dict[str, dict[str, Any]]]:
    """What a client holds that applied all messages."""
    held: dict[str, dict[str, dict[str, Any]]] = {"positions": {}, "balances": {}, "candles": {}}
    for message in listener.messages["wallet"]:
        for root in ("positions", "balances"):
            _take(held[root], message[root], anew=message["snapshot"])
    for message in listener.messages["candles"]:
        _take(held["candles"], message)
    return held


def _take(held: dict[str, dict[str, Any]], told: Mapping[str, Any], *, anew: bool = False) -> None:
    if anew:
        held.clear()
    held |= _by_key(told["nodes"])
    for gone in told["removed"]:
        held.pop(gone, None)


async def test_trouble_with_the_cluster_delays_finality_and_never_skips_it(database: Database) -> None:
    seed = SEEDS[1]
    dice = random.Random(seed)
    reactions = (
        Reaction(status=429, headers={"retry-after": "0.05"}),
        Reaction(status=503),
        Reaction(error=(-32005, "Node is behind by 42 slots", None)),
        Reaction(error=(-32016, "Minimum context slot has not been reached", None)),
        Reaction(error=(-32011, "Transaction history is not available from this node", None)),
        Reaction(error=(-32007, "Slot was skipped, or missing due to ledger jump", None)),
        Reaction(error=(-32004, "Block not available for slot", None)),
        Reaction(rewrite=lambda result: result[: len(result) // 2] if isinstance(result, list) else None),
        Reaction(rewrite=lambda _: None),
        Reaction(rewrite=lambda result: [] if isinstance(result, list) else result),
        Reaction(truncate=20),
        Reaction(abort=True),
    )

    share = 0.0

    def finalized_is_spoiled(occasion: Occasion) -> Reaction | None:
        wanted = occasion.value[-1] if isinstance(occasion.value, list) and occasion.value else None
        asked = wanted.get("commitment") if isinstance(wanted, dict) else None
        if occasion.moment == "request" and asked == "finalized" and dice.random() < share:
            return dice.choice(reactions)
        return None

    async with _localnet(seed) as localnet, AsyncExitStack() as running:
        stream = await _stream(database, localnet)
        indexer = await running.enter_async_context(indexing(database, stream, GODARK, _settings(localnet)))
        chaos = Chaos(localnet, database, stream, seed)
        await chaos.begin()
        await caught_up(database, stream, confirmed_slot(localnet))
        take_away = localnet.node.faults.add(finalized_is_spoiled)
        for round_ in range(12):
            # In between nothing about finality is answered at all: blocks are indexed all the same.
            share = 1.0 if round_ in (3, 4, 5) else 0.05
            await chaos.round()
            await _never_ahead(database, localnet, stream)
            async with asyncio.timeout(_TIMEOUT_S):
                while True:
                    if share < 1.0 or indexer.status.trouble is not None:
                        break
                    await asyncio.sleep(0.02)
        last = await chaos.quiet()
        final = localnet.chain.slot_at(Commitment.FINALIZED)
        await caught_up(database, stream, last)
        await final_through(database, stream, final)
        take_away()
        await require_equal(database, localnet, last)
        await accounts_equal(database, localnet)
    assert indexer.status.final_slot == final


async def _never_ahead(database: Database, localnet: Localnet, stream: StreamRow) -> None:
    """What is called final is final on the chain, is covered, and equals the truth."""
    async with database.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        final_slot = await connection.fetchval("SELECT final_slot FROM heliograph.streams")
        stored = await read_tables(connection, stream.name)
    if final_slot is None:
        return
    assert final_slot <= localnet.chain.slot_at(Commitment.FINALIZED)
    covered = (await read_coverage(database, stream.name)).through(stream.first_slot)
    assert covered is not None and final_slot <= covered
    events = {table: rows for table, rows in stored.items() if rows and "slot" in rows[0]}
    truth = localnet.truth(final_slot)
    told = differences(
        {table: truth[table] for table in events},
        {table: [row for row in rows if row["slot"] <= final_slot] for table, rows in events.items()},
    )
    assert not told, told


async def test_an_indexer_killed_during_audits_ends_with_the_truth(database: Database) -> None:
    seed = SEEDS[2]
    dice = random.Random(seed)
    kills = 0
    async with _localnet(seed) as localnet:
        stream = await _stream(database, localnet)
        chaos = Chaos(localnet, database, stream, seed)
        await chaos.begin()
        settings = _settings(localnet, lease_ttl_s=0.1)
        for _ in range(25):
            task = asyncio.create_task(Indexer(database, stream, GODARK, settings).run())
            await chaos.round(wait=dice.random() < 0.7)
            await asyncio.sleep(dice.uniform(0, 0.3))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            kills += 1
            await _never_ahead(database, localnet, stream)
        async with indexing(database, stream, GODARK, settings):
            last = await chaos.quiet()
            await caught_up(database, stream, last)
            await final_through(database, stream, localnet.chain.slot_at(Commitment.FINALIZED))
            await accounts_equal(database, localnet)
            await require_equal(database, localnet, last)
    assert kills == 25 and chaos.gone > 0
    assert await _corrections(database) > 0


_CHILD = """
import asyncio, sys
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.settings import DatabaseSettings
from heliograph_sql.streams import get_stream

async def main(database_url, rpc_url, ws_url):
    database = await Database.open(database_url, DatabaseSettings())
    stream = await get_stream(database, "godark")
    settings = IndexerSettings(
        rpc_url=rpc_url, ws_url=ws_url, finalize_interval_s=0.01, lease_ttl_s=0.1, retry_s=0.01
    )
    await Indexer(database, stream, PROTOCOLS["godark"], settings).run()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_kill_9_during_audits_leaves_nothing_half_corrected(
    database: Database, database_url: str
) -> None:
    seed = SEEDS[1]
    dice = random.Random(seed)
    async with _localnet(seed) as localnet:
        stream = await _stream(database, localnet)
        chaos = Chaos(localnet, database, stream, seed)
        await chaos.begin()
        addresses = (database_url, localnet.rpc_url, localnet.ws_url)
        for _ in range(6):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _CHILD, *addresses, stdout=asyncio.subprocess.DEVNULL
            )
            try:
                await chaos.round()
                await chaos.round(wait=False)
                await asyncio.sleep(dice.uniform(0, 0.2))
            finally:
                child.kill()
                await child.wait()
            await _never_ahead(database, localnet, stream)
        async with indexing(database, stream, GODARK, _settings(localnet)):
            last = await chaos.quiet()
            await caught_up(database, stream, last)
            await final_through(database, stream, localnet.chain.slot_at(Commitment.FINALIZED))
            await accounts_equal(database, localnet)
            await require_equal(database, localnet, last)
    assert await _corrections(database) > 0
