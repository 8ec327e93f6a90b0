"""A node over HTTP, with solana-py's client and by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.core import RPCException
from solders.pubkey import Pubkey
from solders.signature import Signature
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage

from heliograph_core.errors import SettingsError
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import AccountData, Draft
from heliograph_localnet.faults import Occasion, Reaction
from heliograph_localnet.node import MAX_BODY, Node

MakeDraft = Callable[..., Draft]
Address = Callable[[str], str]


def call(method: str, *params: object, name: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "method": method, "params": list(params)}


async def post(node: Node, body: object, **rest: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=5) as client:
        return await client.post(node.rpc_url, json=body, **rest)


async def test_solana_py_reads_everything_an_indexer_needs(
    chain: Chain, node: Node, make_draft: MakeDraft, address: Address, held: Callable[..., AccountData]
) -> None:
    program = Pubkey.from_string(address("program"))
    signatures = [
        chain.submit(make_draft(version=version, writes={"market": held(bytes(200))}))
        for version in ("legacy", "0", "1")
    ]
    for _ in range(34):
        chain.produce()
    async with AsyncClient(node.rpc_url) as client:
        page = (await client.get_signatures_for_address(program, commitment=Confirmed)).value
        assert [str(entry.signature) for entry in page] == signatures[::-1]
        for text in signatures:
            wanted = Signature.from_string(text)
            found = (
                await client.get_transaction(wanted, encoding="base64", max_supported_transaction_version=1)
            ).value
            assert found is not None and found.slot == 1_000
            assert found.transaction.meta is not None and found.transaction.meta.log_messages is not None
            assert found.transaction.meta.inner_instructions is not None
            found = (await client.get_transaction(wanted, max_supported_transaction_version=1)).value
            assert found is not None and found.block_time == 1_800_000_000
        block = (await client.get_block(1_000, encoding="base64", max_supported_transaction_version=1)).value
        assert block is not None and block.transactions is not None and len(block.transactions) == 3
        assert (await client.get_blocks(1_000, 1_001)).value == [1_000, 1_001]
        assert (await client.get_slot(Processed)).value == 1_033
        accounts = (await client.get_program_accounts(program, encoding="base64")).value
        assert accounts[0].account.data == bytes(200)
        assert (await client.get_account_info(accounts[0].pubkey)).value is not None
        assert (await client.get_multiple_accounts([program])).value == [None]
        assert (await client.get_block_time(1_000)).value == 1_800_000_000
        assert (await client.get_epoch_info()).value.absolute_slot == 1_001
        assert (await client.get_latest_blockhash()).value.last_valid_block_height > 0
        statuses = (await client.get_signature_statuses([Signature.from_string(signatures[0])])).value
        assert statuses[0] is not None and statuses[0].slot == 1_000
        assert await client.is_connected()
        with pytest.raises(RPCException, match="not available"):
            await client.get_block(5_000)


async def test_a_batch_is_answered_in_its_order_and_one_error_spoils_nothing(node: Node) -> None:
    calls = [call("getSlot", name="a"), call("nothing", name=2), {"bad": 1}, call("getHealth", name=None)]
    answers = (await post(node, calls)).json()
    assert [answer["id"] for answer in answers] == ["a", 2, None, None]
    assert answers[0]["result"] == 999
    assert [answers[at]["error"]["code"] for at in (1, 2)] == [-32601, -32600]
    assert answers[3]["result"] == "ok"


async def test_an_empty_batch_and_no_json_are_told(node: Node) -> None:
    assert (await post(node, [])).json()["error"]["code"] == -32600
    async with httpx2.AsyncClient() as client:
        headers = {"content-type": "application/json"}
        answer = await client.post(node.rpc_url, content=b"{nope", headers=headers)
    assert answer.json() == {
        "jsonrpc": "2.0",
        "error": {"code": -32700, "message": "Parse error"},
        "id": None,
    }


async def test_a_call_without_an_id_is_not_answered(node: Node) -> None:
    answer = await post(node, {"jsonrpc": "2.0", "method": "getSlot"})
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_body_over_50_kib_is_too_large(node: Node) -> None:
    fits = call("getSlot") | {"padding": ""}
    room = MAX_BODY - len(httpx2.Request("POST", node.rpc_url, json=fits).content)
    assert (await post(node, fits | {"padding": "x" * room})).status_code == 200
    assert (await post(node, fits | {"padding": "x" * (room + 1)})).status_code == 413


async def test_http_is_as_strict_as_a_node(node: Node) -> None:
    async with httpx2.AsyncClient() as client:
        assert (await client.post(node.rpc_url, content=b"{}")).status_code == 415
        assert (await client.get(node.rpc_url)).status_code == 405
        assert (await client.get(node.rpc_url + "/health")).text == "ok"
        node.view.healthy = False
        assert (await client.get(node.rpc_url + "/health")).text == "unknown"


async def test_a_fault_may_be_a_status_with_headers(node: Node) -> None:
    node.faults.on(
        "request", Reaction(status=429, headers={"retry-after": "7"}), methods={"getSlot"}, times=1
    )
    answer = await post(node, [call("getHealth"), call("getSlot")])
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert (await post(node, call("getSlot"))).status_code == 200


async def test_a_fault_may_be_an_error_in_one_call_of_a_batch(node: Node) -> None:
    data = {"numSlotsBehind": 9}
    node.faults.on("request", Reaction(error=(-32005, "Node is behind", data)), methods={"getSlot"})
    slot, health = (await post(node, [call("getSlot"), call("getHealth")])).json()
    assert slot["error"] == {"code": -32005, "message": "Node is behind", "data": data}
    assert health["result"] == "ok"


async def test_a_fault_may_rewrite_the_result(node: Node) -> None:
    node.faults.on("request", Reaction(rewrite=lambda result: result + 1), methods={"getSlot"})
    assert (await post(node, call("getSlot"))).json()["result"] == 1_000


async def test_a_fault_may_be_garbage_or_half_an_answer(node: Node) -> None:
    node.faults.on("request", Reaction(garbage=b"<html>"), times=1)
    assert (await post(node, call("getSlot"))).content == b"<html>"
    node.faults.on("request", Reaction(truncate=10), times=1)
    with pytest.raises(httpx2.RemoteProtocolError):
        await post(node, call("getSlot"))
    assert (await post(node, call("getSlot"))).json()["result"] == 999


async def test_a_fault_may_break_the_connection_or_never_answer(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    for broken in (Reaction(abort=True), Reaction(truncate=10)):
        node.faults.on("request", broken, times=1)
        with pytest.raises(httpx2.TransportError):
            await post(node, call("getSlot"))
    node.faults.on("connect", Reaction(abort=True), times=1)
    with pytest.raises(InvalidMessage):
        await connect(node.ws_url, proxy=None)
    reader, writer = await asyncio.open_connection(*node.rpc_url.removeprefix("http://").split(":"))
    writer.write(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n["
    )
    writer.transport.abort()
    assert await reader.read() == b""
    node.faults.on("request", Reaction(hang=True), times=1)
    async with httpx2.AsyncClient(timeout=0.2) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.post(node.rpc_url, json=call("getSlot"))
    assert (await post(node, call("getSlot"))).json()["result"] == 999
    # A fault that was asked for is none of the server's.
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_fault_of_an_exchange_strikes_a_batch_once_and_whole(node: Node) -> None:
    asked: list[str] = []
    node.faults.add(lambda occasion: asked.append(f"{occasion.moment} {occasion.method}"))
    assert len((await post(node, [call("getSlot"), call("getHealth")])).json()) == 2
    assert asked == ["exchange http batch", "request getSlot", "request getHealth"]
    node.faults.on("exchange", Reaction(status=503), times=1)
    assert (await post(node, [call("getSlot"), call("getHealth")])).status_code == 503
    node.faults.on("exchange", Reaction(truncate=5), methods={"http getSlot"}, times=1)
    assert (await post(node, call("getHealth"))).json()["result"] == "ok"
    with pytest.raises(httpx2.RemoteProtocolError):
        await post(node, call("getSlot"))


async def test_a_fault_may_be_slowness(node: Node) -> None:
    node.faults.on("request", Reaction(delay_s=0.2))
    began = time.monotonic()
    assert (await post(node, call("getSlot"))).json()["result"] == 999
    assert time.monotonic() - began >= 0.2


async def test_a_port_in_use_is_one_clear_error(chain: Chain, node: Node) -> None:
    with pytest.raises(
        SettingsError, match=rf"cannot listen on 127.0.0.1:{node.port}: address already in use"
    ):
        await Node(chain, port=node.port).start()
    with pytest.raises(SettingsError, match="choose another port"):
        await Node(chain, ws_port=node.port).start()


async def test_a_second_port_serves_both_too(chain: Chain) -> None:
    node = Node(chain, ws_port=0)
    await node.start()
    try:
        assert node.ws_url.rpartition(":")[2] != node.rpc_url.rpartition(":")[2]
        async with connect(node.ws_url):
            answer = await post(node, call("getSlot"))
            assert answer.json()["result"] == 999
    finally:
        await node.stop()


async def test_a_node_stops_soon_with_clients_that_do_not_read(chain: Chain) -> None:
    node = Node(chain)
    await node.start()
    asked = asyncio.Event()

    def hang(occasion: Occasion) -> Reaction:
        asked.set()
        return Reaction(hang=True)

    node.faults.add(hang)
    async with connect(node.ws_url) as idle, httpx2.AsyncClient() as client:
        hanging = asyncio.create_task(client.post(node.rpc_url, json=call("getSlot"), timeout=5))
        await asked.wait()
        idle.transport.pause_reading()
        async with asyncio.timeout(2):
            await node.stop()
        with pytest.raises(httpx2.TransportError):
            await hanging
        idle.transport.resume_reading()
    await node.stop()
    assert chain.produce() is not None


async def test_a_stopped_node_can_start_again_on_its_port(chain: Chain) -> None:
    node = Node(chain)
    for _ in range(2):
        await node.start()
        assert (await post(node, call("getSlot"))).status_code == 200
        await node.stop()
    async with httpx2.AsyncClient() as client:
        with pytest.raises(httpx2.ConnectError):
            await client.post(node.rpc_url, json=call("getSlot"))
