"""The typed methods against a localnet node, and the answers of odd nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from heliograph_core.errors import RpcError, RpcRefused, RpcUnavailable
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import RpcSettings
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import AccountData, Draft, DraftInstruction
from heliograph_localnet.faults import Reaction
from heliograph_localnet.node import Node

PROGRAM = "A1phaProgram1111111111111111111111111111111"
PAYER = "Payer11111111111111111111111111111111111111"
HELD = "HeLd111111111111111111111111111111111111111"
FIRST = 1000


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    chain = Chain(first_slot=FIRST)
    for version in ("legacy", "0", "1"):
        instruction = DraftInstruction(PROGRAM, (HELD,), b"")
        account = AccountData(PROGRAM, 5, version.encode())
        chain.submit(Draft(PAYER, (instruction,), version=version, writes={HELD: account}))
        chain.produce()
    chain.produce(skip=True)
    chain.produce()
    chain.produce()
    node = Node(chain)
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def cluster(node: Node) -> AsyncIterator[Cluster]:
    settings = RpcSettings(attempts=2, backoff_s=0.001, backoff_max_s=0.002)
    async with RpcClient(node.rpc_url, settings) as client:
        yield Cluster(client)


async def test_transactions_of_every_version_are_asked_for(cluster: Cluster) -> None:
    rows = await cluster.signatures(PROGRAM, limit=10)
    records = await cluster.transactions([row.signature for row in reversed(rows)])
    versions = [record["version"] for record in records if isinstance(record, dict)]
    assert versions == ["legacy", 0, 1]


async def test_a_transaction_that_is_not_there_is_none(cluster: Cluster) -> None:
    assert await cluster.transactions(["1" * 64]) == [None]


async def test_a_block_tells_its_order_time_and_parent(cluster: Cluster, node: Node) -> None:
    head = await cluster.block(FIRST + 1)
    block = node.chain.block(FIRST + 1)
    assert block is not None
    assert head.signatures == tuple(each.signature for each in block.transactions)
    assert (head.parent_slot, head.block_time, head.blockhash) == (FIRST, block.time, block.blockhash)


async def test_a_skipped_slot_is_handed_back_at_once(cluster: Cluster, node: Node) -> None:
    found, missing = await cluster.blocks([FIRST, FIRST + 3])
    assert not isinstance(found, RpcError)
    assert isinstance(missing, RpcError) and missing.code in faults.NOT_YET | faults.MISSING
    assert await cluster.block_slots(FIRST + 2, FIRST + 4) == [FIRST + 2, FIRST + 4]


async def test_a_null_block_is_not_there_yet(cluster: Cluster, node: Node) -> None:
    node.faults.on("request", Reaction(rewrite=lambda _: None), methods={"getBlock"})
    with pytest.raises(RpcUnavailable) as raised:
        await cluster.block(FIRST)
    assert raised.value.code in faults.NOT_YET


async def test_accounts_come_with_the_slot_they_were_seen_at(cluster: Cluster) -> None:
    scan = await cluster.program_accounts(PROGRAM)
    (held,) = scan.accounts
    assert (held.address, held.owner, held.lamports, held.data) == (HELD, PROGRAM, 5, b"1")
    assert scan.slot == held.slot == await cluster.slot()
    again, gone = await cluster.accounts([HELD, PAYER[:-1] + "2"])
    assert again == held and gone.closed and gone.data == b""


async def test_pages_have_their_bounds(cluster: Cluster) -> None:
    newest, middle, oldest = await cluster.signatures(PROGRAM, limit=1000)
    assert await cluster.signatures(PROGRAM, limit=1) == [newest]
    assert await cluster.signatures(PROGRAM, limit=9, before=newest.signature, until=oldest.signature) == [
        middle
    ]
    with pytest.raises(RpcUnavailable):
        await cluster.signatures(PROGRAM, limit=9, min_context_slot=10**9)
    with pytest.raises(RpcRefused) as raised:
        await cluster.signatures(PROGRAM, limit=9, before="1" * 64)
    assert raised.value.code == faults.UNKNOWN_CURSOR


async def test_times_and_the_first_kept_block(cluster: Cluster, node: Node) -> None:
    assert await cluster.block_time(FIRST) == node.chain.time_of(FIRST)
    assert await cluster.first_available_block() == FIRST - 1
    assert await cluster.slot("finalized") < await cluster.slot()


async def test_blockhashes_come_without_the_block(cluster: Cluster) -> None:
    found = await cluster.blockhashes([FIRST, FIRST + 3])
    assert found[0] == (await cluster.block(FIRST)).blockhash
    assert isinstance(found[1], RpcError) and found[1].code in faults.NOT_YET | faults.MISSING


async def test_a_cluster_with_a_genesis_certificate_is_alpenglow(node: Node, cluster: Cluster) -> None:
    assert not await cluster.is_alpenglow()
    take_away = node.faults.on(
        "request", Reaction(error=(403, "forbidden", None)), methods={"getAgGenesisCert"}
    )
    assert not await cluster.is_alpenglow()
    take_away()
    node.faults.on("request", Reaction(error=(-32603, "internal", None)), methods={"getAgGenesisCert"})
    with pytest.raises(RpcUnavailable):
        await cluster.is_alpenglow()


async def test_accounts_are_not_read_of_a_node_that_is_behind(cluster: Cluster) -> None:
    (held,) = await cluster.accounts([HELD], min_context_slot=FIRST)
    assert held.lamports == 5
    with pytest.raises(RpcUnavailable) as caught:
        await cluster.accounts([HELD], min_context_slot=FIRST + 1_000)
    assert caught.value.code == -32016
