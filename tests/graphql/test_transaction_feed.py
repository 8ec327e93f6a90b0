"""`transactionStatus` over real sockets: what a client selects of it, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from solders.signature import Signature
from tests.graphql.conftest import Ledger, Servers
from tests.graphql.test_event_stream import listening
from tests.graphql.test_transaction_watch import ONE, TWO, finalize, land
from tests.graphql.test_websocket import connect

FOLLOW = """subscription ($signatures: [String!]!, $streams: [String!]) {
  transactionStatus(signatures: $signatures, streams: $streams) {
    snapshot nodes { signature status final correction slot }
  }
}"""


def node(signature: str, status: str, slot: int | None = None, **more: Any) -> dict[str, Any]:
    told = {"signature": signature, "status": status, "final": False, "correction": False}
    return told | {"slot": None if slot is None else str(slot)} | more


async def test_a_socket_is_told_each_change_and_then_that_it_is_complete(
    ledger: Ledger, servers: Servers
) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(FOLLOW, signatures=[ONE, TWO, ONE])
        assert await client.message() == {
            "snapshot": True, "nodes": [node(ONE, "PENDING"), node(TWO, "PENDING")],
        }  # fmt: skip
        await land(ledger, 100, ONE, TWO)
        assert await client.message() == {
            "snapshot": False, "nodes": [node(ONE, "INDEXED", 100), node(TWO, "INDEXED", 100)],
        }  # fmt: skip
        await ledger.commit({100: {"heliograph.transactions": [{"signature": TWO}]}}, kind="correct")
        assert (await client.message())["nodes"] == [
            node(ONE, "PENDING", correction=True),
            node(TWO, "INDEXED", 100, correction=True),
        ]
        await land(ledger, 101, ONE)
        assert (await client.message())["nodes"] == [node(ONE, "INDEXED", 101)]
        await finalize(ledger, 101)
        assert (await client.message())["nodes"] == [
            node(ONE, "FINALIZED", 101, final=True),
            node(TWO, "FINALIZED", 100, final=True),
        ]
        assert await client.frame() == {"id": "1", "type": "complete"}
        # The name is free again, and who comes late is told all at once.
        await client.subscribe(FOLLOW, signatures=[ONE])
        late = await client.message()
        assert late == {"snapshot": True, "nodes": [node(ONE, "FINALIZED", 101, final=True)]}
        assert await client.frame() == {"id": "1", "type": "complete"}


async def test_events_over_http_end_the_same_way(ledger: Ledger, servers: Servers) -> None:
    server = await servers.start()
    await land(ledger, 100, ONE, err='{"InstructionError": [0, {"Custom": 6001}]}', err_name="Slippage")
    query = """subscription ($signatures: [String!]!) {
      transactionStatus(signatures: $signatures) { __typename nodes {
        __typename state: status stream blockTime txIndex ...Why
      } }
    }
    fragment Why on TransactionStatus { err errName }"""
    async with listening(server, query=query, signatures=[ONE]) as stream, asyncio.timeout(20):
        told = await stream.next()
        assert told is not None
        assert told.data["data"]["transactionStatus"] == {
            "__typename": "TransactionStatusMessage",
            "nodes": [
                {
                    "__typename": "TransactionStatus",
                    "state": "FAILED",
                    "stream": "godark",
                    "blockTime": "2026-11-21T00:00:25+00:00",
                    "txIndex": 0,
                    "err": {"InstructionError": [0, {"Custom": 6001}]},
                    "errName": "Slippage",
                }
            ],
        }
        await finalize(ledger, 100)
        told = await stream.next()
        assert told is not None and told.kind == "next"
        # The end is an event without data.
        ends = []
        while (line := await stream.line()) is not None:
            ends.append(line)
    assert ("event", "complete") in ends


@pytest.mark.parametrize(
    ("signatures", "code", "text"),
    [
        ([], "BAD_USER_INPUT", "signatures is empty"),
        (["nonsense"], "BAD_USER_INPUT", "'nonsense' is no signature"),
        (["1" * 87], "BAD_USER_INPUT", "is no signature"),
        ([str(Signature(n.to_bytes(64, "big"))) for n in range(101)], "QUERY_TOO_COMPLEX", "100 are allowed"),
    ],
)
async def test_what_is_no_list_of_signatures_is_refused(
    ledger: Ledger, servers: Servers, signatures: list[str], code: str, text: str
) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(FOLLOW, signatures=signatures)
        frame = await client.frame()
    (error,) = frame["payload"]
    assert error["extensions"]["code"] == code
    assert text in error["message"]


async def test_who_leaves_is_not_looked_for_any_more(ledger: Ledger, servers: Servers) -> None:
    server = await servers.start(signatures_followed=2)
    async with connect(server.ws_url) as client:
        await client.subscribe(FOLLOW, signatures=[ONE, TWO])
        await client.message()
        await client.subscribe(FOLLOW, name="2", signatures=[ONE])
        frame = await client.frame()
        assert frame["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        await client.socket.send('{"id": "1", "type": "complete"}')
        await client.is_live()
        await client.subscribe(FOLLOW, name="3", signatures=[ONE])
        assert (await client.message("3"))["snapshot"]
