"""Accounts on a localnet node: the stored state is the chain's, closings included, whatever was notified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heliograph_core.account import AccountState
from heliograph_core.errors import RpcUnavailable
from heliograph_indexer.accounts import AccountFeed
from heliograph_indexer.decode import Layouts
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.settings import IndexerSettings, RpcSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.faults import Reaction
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.node import Node
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.view import View

LAYOUTS = Layouts.of(PROTOCOLS["godark"])


class Watcher:
    """A feed and what it stored: the latest state of each account, guarded by slot as the database does."""

    def __init__(self, net: Localnet, **changes: Any) -> None:
        chosen: dict[str, Any] = {
            "rpc_url": net.rpc_url,
            "ws_url": net.ws_url,
            "rpc": RpcSettings(attempts=2, backoff_s=0.005, backoff_max_s=0.01),
            "account_batch_s": 0.01,
            "retry_s": 0.005,
            "retry_max_s": 0.05,
            "socket_silence_s": 2.0,
        }
        self.settings = IndexerSettings(**{**chosen, **changes})
        self.client = Pool.open(self.settings.endpoint_urls, self.settings.rpc)
        self.stored: dict[str, AccountState] = {}
        self.commits = 0
        self.scans: list[int] = []
        self.changed = asyncio.Event()
        self.feed = AccountFeed(Cluster(self.client), LAYOUTS, self.settings, self._commit)

    async def _commit(self, states: Sequence[AccountState], through: int | None) -> None:
        self.commits += 1
        for state in states:
            before = self.stored.get(state.address)
            if before is None or state.slot >= before.slot:
                self.stored[state.address] = state
        if through is not None:
            self.scans.append(through)
        self.changed.set()

    @property
    def open(self) -> dict[str, bytes]:
        return {address: state.data for address, state in self.stored.items() if state.lamports}

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not met():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def watching(net: Localnet, **changes: Any) -> AsyncIterator[Watcher]:
    watcher = Watcher(net, **changes)
    task = asyncio.create_task(watcher.feed.run())
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watcher.client.close()


async def chain_accounts(net: Localnet) -> dict[str, bytes]:
    async with RpcClient(net.rpc_url) as client:
        scans = [await Cluster(client).program_accounts(program) for program in net.programs]
    return {account.address: account.data for scan in scans for account in scan.accounts}


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=11, rate=40, traders=30, skip_probability=0.0)) as net:
        await net.step(20)
        yield net


async def test_a_snapshot_stores_what_is_there_and_says_through_which_slot(net: Localnet) -> None:
    async with watching(net) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        assert watcher.open == await chain_accounts(net)
        assert watcher.scans[0] == watcher.feed.through > 0
    names = {state.name for state in watcher.stored.values()}
    assert {"Market", "Position"} <= names


async def test_changes_arrive_without_another_scan(net: Localnet) -> None:
    async with watching(net) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        await net.step(10)
        there = await chain_accounts(net)
        await watcher.until(lambda: {a: d for a, d in watcher.open.items() if a in there} == there)
        assert len(watcher.scans) == 1


async def test_a_closed_account_is_found_by_the_next_scan() -> None:
    async with Localnet(LocalnetSettings(seed=11, rate=0, skip_probability=0.0)) as net:
        net.open("alice", "SOL-PERP", "long", size="1", collateral="500")
        await net.step(3)
        async with watching(net, reconcile_interval_s=0.2) as watcher:
            await watcher.until(lambda: bool(watcher.scans))
            before = set(watcher.open)
            net.close("alice", "SOL-PERP")
            await net.step(3)
            there = await chain_accounts(net)
            gone = before - set(there)
            await watcher.until(lambda: not set(watcher.open) - set(there))
    closed = [state for state in watcher.stored.values() if not state.lamports]
    assert gone and gone <= {state.address for state in closed}
    assert all(state.name is None and not state.data for state in closed)


async def test_an_account_that_closed_while_nobody_looked_is_found(net: Localnet) -> None:
    ghost = "G1111111111111111111111111111111111111111111"
    watcher_of_ghost = Watcher(net)
    watcher_of_ghost.feed.remember([(ghost, net.programs[0], 5)])
    task = asyncio.create_task(watcher_of_ghost.feed.run())
    await watcher_of_ghost.until(lambda: bool(watcher_of_ghost.scans))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await watcher_of_ghost.client.close()
    assert watcher_of_ghost.stored[ghost].lamports == 0
    assert watcher_of_ghost.stored[ghost].program == net.programs[0]


async def test_a_scan_older_than_what_is_stored_closes_nothing(net: Localnet) -> None:
    """A node that is behind does not show what was opened since."""
    newer = "G1111111111111111111111111111111111111111111"
    watcher = Watcher(net)
    watcher.feed.remember([(newer, net.programs[0], 10**12)])
    task = asyncio.create_task(watcher.feed.run())
    await watcher.until(lambda: bool(watcher.scans))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await watcher.client.close()
    assert newer not in watcher.stored


async def test_accounts_are_in_through_the_oldest_of_their_programs_scans(net: Localnet) -> None:
    def later(scan: Any) -> Any:
        scan["context"]["slot"] += 50
        return scan

    net.node.faults.on("request", Reaction(rewrite=later), methods={"getProgramAccounts"}, times=1)
    async with watching(net) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        assert watcher.scans[0] < max(state.slot for state in watcher.stored.values())


async def test_a_dropped_socket_is_made_up_for_by_a_snapshot(net: Localnet) -> None:
    async with watching(net) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        net.node.disconnect()
        await net.step(5)
        there = await chain_accounts(net)
        await watcher.until(lambda: len(watcher.scans) >= 2)
        assert {a: d for a, d in watcher.open.items() if a in there} == there


async def test_lost_notifications_are_made_up_for_by_a_scan(net: Localnet) -> None:
    lost = Reaction(copies=0)
    async with watching(net, reconcile_interval_s=0.2) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        net.node.faults.on("notification", lost, methods={"programNotification"})
        await net.step(5)
        there = await chain_accounts(net)
        await watcher.until(lambda: watcher.open == there)


async def test_a_notification_whose_slot_never_moves_is_read_anew(net: Localnet) -> None:
    """One runtime notifies with the slot of the subscription for ever."""

    def stuck(result: Any) -> Any:
        result["context"]["slot"] = 1
        return result

    net.node.faults.on("notification", Reaction(rewrite=stuck), methods={"programNotification"})
    async with watching(net) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        await net.step(5)
        there = await chain_accounts(net)
        await watcher.until(lambda: {a: d for a, d in watcher.open.items() if a in there} == there)
        assert len(watcher.scans) == 1


async def test_more_changes_than_may_wait_lead_to_a_snapshot(net: Localnet) -> None:
    async with watching(net, account_queue=2, account_batch_s=0.2) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        await net.step(10)
        there = await chain_accounts(net)
        await watcher.until(lambda: len(watcher.scans) >= 2)
        assert {a: d for a, d in watcher.open.items() if a in there} == there


async def test_garbage_while_subscribing_costs_a_connection_and_not_the_indexer(net: Localnet) -> None:
    net.node.faults.on("request", Reaction(garbage=b"null["), methods={"programSubscribe"}, times=1)
    net.node.faults.on("request", Reaction(garbage=b"\xff"), methods={"slotSubscribe"}, times=1)
    async with watching(net) as watcher:
        await watcher.until(lambda: bool(watcher.scans))
        assert watcher.open == await chain_accounts(net)


@pytest.mark.parametrize("method", ["getProgramAccounts", "getMultipleAccounts"])
async def test_an_answer_that_is_no_account_is_asked_for_again(net: Localnet, method: str) -> None:
    def spoiled(result: Any) -> Any:
        if method == "getMultipleAccounts":
            result["value"] = result["value"][1:]
        else:
            result["value"][0]["account"]["data"][0] = "***"
        return result

    net.node.faults.on("request", Reaction(rewrite=spoiled), methods={method}, times=1)
    async with RpcClient(net.rpc_url) as client:
        cluster = Cluster(client)
        addresses = list(await _addresses(cluster, net)) if method == "getMultipleAccounts" else []
        with pytest.raises(RpcUnavailable, match=r"accounts were asked for|no base64"):
            await (cluster.accounts(addresses) if addresses else cluster.program_accounts(net.programs[0]))


async def _addresses(cluster: Cluster, net: Localnet) -> list[str]:
    scan = await cluster.program_accounts(net.programs[0])
    return [update.address for update in scan.accounts[:3]]


async def test_a_slot_that_is_announced_again_is_told_as_a_fork_once_all_before_it_is_stored(
    net: Localnet,
) -> None:
    forks: list[int] = []
    async with watching(net, account_batch_s=0.2) as watcher:
        watcher.feed._on_fork = forks.append
        await watcher.until(lambda: bool(watcher.scans))
        await net.step(4)
        first = net.chain.open_slot - 3
        net.fork(
            3, drop=[each.signature for b in net.chain.blocks(first, first + 2) for each in b.transactions]
        )
        await net.step(4)
        async with asyncio.timeout(10):
            while True:
                if forks:
                    break
                await asyncio.sleep(0.01)
        assert len(watcher.scans) == 1
    assert min(forks) == first


async def test_a_snapshot_is_never_older_than_what_the_stream_has_shown(net: Localnet) -> None:
    """The stream comes from one node, the snapshot from another that lags: what lies between would be in neither."""
    await net.step(40)
    lagging = Node(net.chain, view=View(net.chain, lag_slots=30))
    await lagging.start()
    try:
        # The socket of the node that is up to date; the node that lags is asked first.
        async with watching(
            net, rpc_url=lagging.rpc_url, rpc_urls=(net.rpc_url,), reconcile_interval_s=600.0
        ) as watcher:
            newest = net.chain.slot_at(Commitment.CONFIRMED)
            async with asyncio.timeout(10):
                while not watcher.scans:
                    await net.step()
                    await asyncio.sleep(0.02)
            assert watcher.scans[0] > newest
            await net.step(20)
            expected = await chain_accounts(net)
            # What closed meanwhile is found by the next scan only.
            await watcher.until(lambda: expected.items() <= watcher.open.items())
    finally:
        await lagging.stop()
