"""The indexer whole: localnet in, PostgreSQL out, compared with localnet's truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heliograph_core.errors import RpcUnavailable, SettingsError
from heliograph_indexer import indexer as module
from heliograph_indexer.indexer import Indexer, current_slot
from heliograph_indexer.new_idl import add_new_idl
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings, RpcSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, get_stream, read_coverage

GODARK = PROTOCOLS["godark"]
EVENT_TABLES = (
    "position_changes",
    "trades",
    "funding_rates",
    "funding_payments",
    "liquidations",
    "oracle_prices",
    "transfers",
)


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=5, rate=60, traders=40)) as net:
        yield net


@pytest.fixture
async def stream(database: Database, net: Localnet) -> StreamRow:
    return await add_stream(
        database,
        "godark",
        protocol="godark",
        programs=list(net.programs),
        first_slot=net.settings.first_slot,
    )


def settings(net: Localnet, **changes: Any) -> IndexerSettings:
    chosen: dict[str, Any] = {
        "rpc_url": net.rpc_url,
        "ws_url": net.ws_url,
        "rpc": RpcSettings(attempts=3, backoff_s=0.005, backoff_max_s=0.02),
        "poll_interval_s": 0.05,
        "retry_s": 0.01,
        "retry_max_s": 0.05,
    }
    return IndexerSettings(**{**chosen, **changes})


async def until(met: Callable[[], bool], task: asyncio.Task[None]) -> None:
    """Polls: what is waited for happens in the indexer, which tells nobody. 30 s at most."""
    async with asyncio.timeout(30):
        while not met():
            if task.done():
                task.result()
            await asyncio.sleep(0.01)


def confirmed(net: Localnet) -> int:
    return net.chain.slot_at(Commitment.CONFIRMED)


async def caught_up(indexer: Indexer, net: Localnet, task: asyncio.Task[None]) -> None:
    await until(lambda: (indexer.status.committed_slot or 0) >= confirmed(net), task)


@asynccontextmanager
async def indexing(indexer: Indexer) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(indexer.run())
    try:
        yield task
    finally:
        await indexer.stop()
        await task


async def keys(database: Database, table: str) -> set[tuple[int, int, int]]:
    async with database.acquire() as connection:
        rows = await connection.fetch(f"SELECT slot, tx_index, ordinal FROM perps.{table}")
    found = [(row["slot"], row["tx_index"], row["ordinal"]) for row in rows]
    assert len(found) == len(set(found))
    return set(found)


async def assert_equal_to_truth(database: Database, net: Localnet) -> None:
    truth = net.truth(confirmed(net))
    for table in EVENT_TABLES:
        expected = {(row["slot"], row["tx_index"], row["ordinal"]) for row in truth[f"perps.{table}"]}
        assert await keys(database, table) == expected, table
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT signature, slot, tx_index FROM heliograph.transactions")
    stored = sorted((row["slot"], row["tx_index"], row["signature"]) for row in rows)
    listed = truth["heliograph.transactions"]
    assert stored == sorted((row["slot"], row["tx_index"], row["signature"]) for row in listed)


async def test_history_and_live_slots_become_exactly_the_rows_of_the_truth(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    await net.step(60)
    indexer = Indexer(database, stream, GODARK, settings(net))
    async with indexing(indexer) as task:
        await caught_up(indexer, net, task)
        for _ in range(30):
            await net.step()
            await asyncio.sleep(0.01)
        await caught_up(indexer, net, task)
        status = indexer.status
    await assert_equal_to_truth(database, net)
    coverage = await read_coverage(database, "godark")
    assert coverage.ranges == ((net.settings.first_slot, confirmed(net)),)
    assert status.state == "leading" and status.lag_slots == 0
    assert status.rows > 100 and status.transactions > 100 and status.commits > 1
    assert indexer.status.state == "stopped"


async def test_a_restart_resumes_from_coverage(database: Database, net: Localnet, stream: StreamRow) -> None:
    for _ in range(4):
        await net.step(15)
        indexer = Indexer(database, stream, GODARK, settings(net))
        async with indexing(indexer) as task:
            await caught_up(indexer, net, task)
    await assert_equal_to_truth(database, net)


async def test_an_indexer_killed_at_any_moment_loses_and_doubles_nothing(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    for moment in (0.05, 0.1, 0.15, 0.2, 0.3):
        await net.step(15)
        indexer = Indexer(database, stream, GODARK, settings(net, span_transactions=20, lease_ttl_s=0.1))
        task = asyncio.create_task(indexer.run())
        await asyncio.sleep(moment)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    indexer = Indexer(database, stream, GODARK, settings(net))
    async with indexing(indexer) as task:
        await caught_up(indexer, net, task)
    await assert_equal_to_truth(database, net)


async def test_a_second_indexer_waits_and_takes_over(
    database: Database, net: Localnet, stream: StreamRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_EVERY_S", 0.02)
    await net.step(20)
    first = Indexer(database, stream, GODARK, settings(net), holder="first")
    second = Indexer(database, stream, GODARK, settings(net), holder="second")
    leading = asyncio.create_task(first.run())
    await until(lambda: first.status.state == "leading", leading)
    async with indexing(second) as task:
        await until(lambda: second.status.state == "standby", task)
        await until(lambda: (first.status.committed_slot or 0) >= confirmed(net), leading)
        await first.stop()
        await leading
        await until(lambda: second.status.state == "leading", task)
        await net.step(20)
        await until(lambda: (second.status.committed_slot or 0) >= confirmed(net), task)
    await assert_equal_to_truth(database, net)


async def test_a_leader_that_lost_its_lease_stands_by_again(
    database: Database, net: Localnet, stream: StreamRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_EVERY_S", 0.02)
    await net.step(10)
    indexer = Indexer(database, stream, GODARK, settings(net))
    async with indexing(indexer) as task:
        await until(lambda: indexer.status.state == "leading", task)
        async with database.acquire() as connection:
            await connection.execute(
                "UPDATE heliograph.streams SET epoch = epoch + 1, leader = 'x',"
                " leader_expires = clock_timestamp() + interval '1 hour'"
            )
        await until(lambda: indexer.status.state == "standby", task)
        async with database.acquire() as connection:
            await connection.execute("UPDATE heliograph.streams SET leader_expires = clock_timestamp()")
        await until(lambda: indexer.status.state == "leading", task)
        await net.step(10)
        await caught_up(indexer, net, task)
    await assert_equal_to_truth(database, net)


async def test_an_idl_that_is_added_meanwhile_is_used_on_new_slots_without_a_restart(
    database: Database, net: Localnet, stream: StreamRow, grown: Callable[..., bytes]
) -> None:
    program = GODARK.programs["godark_positions"]
    await net.step(20)
    indexer = Indexer(database, stream, GODARK, settings(net))
    async with indexing(indexer) as task:
        await caught_up(indexer, net, task)
        before = confirmed(net)
        await add_new_idl(
            database,
            "godark",
            GODARK,
            program=program,
            first_slot=net.settings.first_slot,
            document=grown(),
            holder="operator",
        )
        await net.step(20)
        await caught_up(indexer, net, task)
    # The localnet was not upgraded, so each price is read by the IDL before, and that is told.
    async with database.acquire() as connection:
        told = await connection.fetch("SELECT slot FROM heliograph.incidents WHERE kind = 'idl_choice'")
    assert told and all(each["slot"] > before for each in told)
    await assert_equal_to_truth(database, net)


async def test_accounts_are_stored_and_dated(database: Database, net: Localnet, stream: StreamRow) -> None:
    await net.step(40)
    indexer = Indexer(database, stream, GODARK, settings(net))
    async with indexing(indexer) as task:
        await until(lambda: indexer.status.accounts_through is not None, task)
        through = indexer.status.accounts_through
    row = await get_stream(database, "godark")
    assert row is not None and row.accounts_through == through
    async with database.acquire() as connection:
        names = await connection.fetch("SELECT DISTINCT name FROM heliograph.accounts WHERE lamports > 0")
    assert {"Market", "Position"} <= {each["name"] for each in names}


async def test_an_endpoint_that_refuses_scans_still_gives_events(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    from heliograph_localnet.faults import Reaction

    refused = Reaction(error=(-32010, "excluded from account secondary indexes", None))
    net.node.faults.on("request", refused, methods={"getProgramAccounts"})
    await net.step(20)
    indexer = Indexer(database, stream, GODARK, settings(net))
    async with indexing(indexer) as task:
        await caught_up(indexer, net, task)
        await net.step(10)
        await caught_up(indexer, net, task)
    await assert_equal_to_truth(database, net)


async def test_an_unreachable_endpoint_is_named_at_once(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    nobody = settings(net, rpc_url="http://127.0.0.1:9")
    with pytest.raises(RpcUnavailable, match=r"http://127\.0\.0\.1:9: .*check that the endpoint runs"):
        await Indexer(database, stream, GODARK, nobody).run()
    with pytest.raises(RpcUnavailable, match=r"http://127\.0\.0\.1:9"):
        await current_slot(nobody)


async def test_indexing_goes_on_at_another_endpoint_and_the_status_names_the_ill_one(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    from heliograph_localnet.faults import Reaction
    from heliograph_localnet.node import Node

    other = Node(net.chain)
    await other.start()
    limits = RpcSettings(attempts=2, backoff_s=0.005, backoff_max_s=0.02, health_interval_s=0.05)
    chosen = settings(
        net,
        rpc=limits,
        rpc_urls=(other.rpc_url,),
        ws_urls=(other.ws_url,),
        socket_failures=2,
        retry_max_s=0.05,
    )
    await net.step(20)
    indexer = Indexer(database, stream, GODARK, chosen)
    try:
        async with indexing(indexer) as task:
            await caught_up(indexer, net, task)
            assert indexer.status.trouble is None
            net.node.faults.on("request", Reaction(status=503))
            net.node.faults.on("connect", Reaction(status=503))
            net.node.disconnect()
            for _ in range(20):
                await net.step()
                await asyncio.sleep(0.01)
            await caught_up(indexer, net, task)
            await until(lambda: net.rpc_url in (indexer.status.trouble or ""), task)
            calls = indexer.rpc_calls
            net.node.faults.clear()
            await until(lambda: indexer.status.trouble is None, task)
        await assert_equal_to_truth(database, net)
    finally:
        await other.stop()
    hosts = {url.removeprefix("http://") for url in (net.rpc_url, other.rpc_url)}
    assert {count.host for count in calls} == hosts
    assert {(count.code, count.calls > 0) for count in calls} >= {("ok", True), ("503", True)}


async def test_a_websocket_that_cannot_be_opened_is_told_and_costs_no_row(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    await net.step(20)
    nobody = settings(net, ws_url="ws://127.0.0.1:9", accounts=False)
    indexer = Indexer(database, stream, GODARK, nobody)
    async with indexing(indexer) as task:
        await caught_up(indexer, net, task)
        await until(lambda: (indexer.status.deaf or "").startswith("WebSocket ws://127.0.0.1:9: "), task)
        await net.step(10)
        await caught_up(indexer, net, task)
    await assert_equal_to_truth(database, net)


async def test_the_current_slot_is_the_clusters(net: Localnet) -> None:
    await net.step(5)
    assert await current_slot(settings(net)) == confirmed(net)


async def test_a_program_that_the_protocol_does_not_know_is_refused(
    database: Database, net: Localnet
) -> None:
    stranger = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    row = await add_stream(database, "odd", protocol="godark", programs=[stranger], first_slot=1)
    with pytest.raises(SettingsError, match=stranger):
        Indexer(database, row, GODARK, settings(net))


async def test_stopping_before_it_runs_ends_it_at_once(
    database: Database, net: Localnet, stream: StreamRow
) -> None:
    indexer = Indexer(database, stream, GODARK, settings(net))
    await indexer.stop()
    async with asyncio.timeout(5):
        await indexer.run()
    assert indexer.status.state == "stopped"
