"""A node over WebSocket, with solana-py's client and by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.websocket_api import SolanaWsClient
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.rpc.responses import (
    AccountNotification,
    LogsNotification,
    ProgramNotification,
    RootNotification,
    SignatureNotification,
    SlotNotification,
)
from solders.signature import Signature
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import AccountData, Draft
from heliograph_localnet.faults import Reaction
from heliograph_localnet.node import Node
from heliograph_localnet.subscriptions import Outbox

MakeDraft = Callable[..., Draft]
Address = Callable[[str], str]


async def request(socket: ClientConnection, method: str, *params: object, name: object = 1) -> Any:
    body = {"jsonrpc": "2.0", "id": name, "method": method, "params": list(params)}
    await socket.send(json.dumps(body))
    return await receive(socket)


async def receive(socket: ClientConnection) -> Any:
    async with asyncio.timeout(5):
        text = await socket.recv()
    assert isinstance(text, str)
    return json.loads(text)


async def slots(socket: ClientConnection, count: int) -> list[int]:
    return [(await receive(socket))["params"]["result"]["slot"] for _ in range(count)]


async def test_solana_py_follows_every_kind_of_subscription(
    chain: Chain, node: Node, make_draft: MakeDraft, address: Address, held: Callable[..., AccountData]
) -> None:
    chain.finalized_lag = 1
    program, market = Pubkey.from_string(address("program")), Pubkey.from_string(address("market"))
    signature = chain.submit(make_draft(writes={"market": held()}))
    async with asyncio.timeout(10), SolanaWsClient(node.ws_url) as client:
        mentions = RpcTransactionLogsFilterMentions(program)
        logs = await client.logs_subscribe(filter_=mentions, commitment=Confirmed)
        accounts = await client.program_subscribe(program_id=program, commitment=Confirmed, encoding="base64")
        account = await client.account_subscribe(pubkey=market, commitment=Processed, encoding="base64")
        await client.signature_subscribe(signature=Signature.from_string(signature), commitment=Confirmed)
        slot = await client.slot_subscribe()
        root = await client.root_subscribe()
        again = chain.submit(make_draft(writes={"market": held(b"again")}))
        chain.produce()
        chain.produce()
        told = [await client.recv() for _ in range(7)]
        kinds = [type(each) for each in told]
        assert kinds.count(SlotNotification) == 2
        for kind in (LogsNotification, ProgramNotification, AccountNotification, SignatureNotification):
            assert kinds.count(kind) == 1
        assert kinds.count(RootNotification) == 1
        line = next(each for each in told if isinstance(each, LogsNotification))
        assert str(line.result.value.signature) == again
        assert line.subscription == logs.subscription_id
        for subscription in (logs, accounts, account, slot, root):
            await client.unsubscribe(subscription)
        assert len(node.subscriptions) == 0


async def test_calls_are_answered_as_a_node_does(node: Node) -> None:
    async with connect(node.ws_url) as socket:
        assert await request(socket, "slotSubscribe", name="x") == {"jsonrpc": "2.0", "result": 0, "id": "x"}
        assert (await request(socket, "slotUnsubscribe", 0))["result"] is True
        assert (await request(socket, "slotUnsubscribe", 0))["error"] == {
            "code": -32602,
            "message": "Invalid subscription id.",
        }
        assert (await request(socket, "slotUnsubscribe"))["error"]["code"] == -32602
        assert (await request(socket, "getSlot"))["error"]["code"] == -32601
        assert (await request(socket, "blockSubscribe", "all"))["error"]["code"] == -32601
        assert (await request(socket, "logsSubscribe", {"mentions": []}))["error"]["code"] == -32602
        await socket.send("{nope")
        assert (await receive(socket))["error"]["code"] == -32700


async def test_blocks_can_be_subscribed_where_the_node_allows(chain: Chain) -> None:
    node = Node(chain, block_subscriptions=True)
    await node.start()
    async with connect(node.ws_url) as socket:
        assert (await request(socket, "blockSubscribe", "all", {"commitment": "confirmed"}))["result"] == 0
        chain.produce()
        chain.produce()
        assert (await receive(socket))["method"] == "blockNotification"
    await node.stop()


async def test_subscriptions_end_with_their_connection(
    chain: Chain, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, leave = asyncio.Event(), node.subscriptions.leave

    def noted(outbox: Outbox) -> None:
        leave(outbox)
        left.set()

    monkeypatch.setattr(node.subscriptions, "leave", noted)
    async with connect(node.ws_url) as socket:
        await request(socket, "slotSubscribe")
        assert len(node.subscriptions) == 1
    async with asyncio.timeout(5):
        await left.wait()
    assert len(node.subscriptions) == 0


async def test_a_client_that_reads_too_slowly_is_disconnected_and_others_are_not(
    chain: Chain, make_draft: MakeDraft
) -> None:
    node = Node(chain, queue_limit=50)
    await node.start()
    async with connect(node.ws_url) as quick, connect(node.ws_url, max_queue=1) as slow:
        await request(quick, "slotSubscribe")
        await request(slow, "logsSubscribe", "all", {"commitment": "processed"})
        for _ in range(60):
            chain.submit(make_draft(logs=("x" * 9_000,)))
        chain.produce()
        assert await slots(quick, 1) == [1_000]
        with pytest.raises(ConnectionClosed):
            while True:
                await receive(slow)
        chain.produce()
        assert await slots(quick, 1) == [1_001]
    await node.stop()


async def test_disconnecting_breaks_every_connection(chain: Chain, node: Node) -> None:
    async with connect(node.ws_url) as socket:
        await request(socket, "slotSubscribe")
        node.disconnect()
        with pytest.raises(ConnectionClosed):
            await receive(socket)
    assert len(node.subscriptions) == 0


async def test_faults_lose_double_reorder_delay_and_garble(chain: Chain, node: Node) -> None:
    plan = {
        0: Reaction(copies=0),
        1: Reaction(copies=2),
        2: Reaction(hold=2),
        5: Reaction(rewrite=lambda result: result | {"slot": -1}),
        6: Reaction(delay_s=0.05),
    }
    node.faults.add(lambda occasion: plan.get(occasion.count) if occasion.moment == "notification" else None)
    async with connect(node.ws_url) as socket:
        await request(socket, "slotSubscribe")
        for _ in range(8):
            chain.produce()
        assert await slots(socket, 8) == [1_001, 1_001, 1_003, 1_004, 1_002, -1, 1_007, 1_006]
        node.faults.clear()
        node.faults.on("notification", Reaction(garbage=b"\x00 nonsense"), times=1)
        chain.produce()
        assert await socket.recv() == "\x00 nonsense"
        node.faults.on("notification", Reaction(abort=True), times=1)
        chain.produce()
        with pytest.raises(ConnectionClosed):
            await receive(socket)


async def test_faults_reach_calls_and_handshakes(chain: Chain, node: Node) -> None:
    node.faults.on("connect", Reaction(status=429), times=1)
    with pytest.raises(InvalidStatus) as caught:
        await connect(node.ws_url)
    assert caught.value.response.status_code == 429
    node.faults.on("request", Reaction(error=(-32603, "Internal error", None)), times=1)
    node.faults.on("request", Reaction(delay_s=0.02), times=1)
    async with connect(node.ws_url) as socket:
        assert (await request(socket, "slotSubscribe"))["error"]["code"] == -32603
        assert (await request(socket, "slotSubscribe"))["result"] == 0
        node.faults.on("request", Reaction(hang=True), methods={"rootSubscribe"})
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 9, "method": "rootSubscribe"}))
        chain.produce()
        assert await slots(socket, 1) == [1_000]
        node.faults.on("request", Reaction(abort=True), methods={"slotUnsubscribe"})
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 9, "method": "slotUnsubscribe", "params": [0]}))
        with pytest.raises(ConnectionClosed):
            await receive(socket)
