"""`heliograph localnet` serves JSON-RPC, and the WebSocket where clients look for it."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx2
import websockets


def free_port() -> int:
    """A port with a free one behind it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


async def test_it_answers_as_a_node_does_and_stops_cleanly(heliograph: Any) -> None:
    port = free_port()
    localnet = heliograph("localnet", "--port", str(port), "--slot-ms", "50")
    rpc = localnet.await_output(r"JSON-RPC +(\S+)\n")[1]
    assert rpc == f"http://127.0.0.1:{port}"
    websocket = localnet.await_output(r"WebSocket +(\S+)\n")[1]
    assert websocket == f"ws://127.0.0.1:{port + 1}"
    asked = {"jsonrpc": "2.0", "id": 1, "method": "getSlot"}
    slot = httpx2.post(rpc, json=asked, trust_env=False).json()["result"]
    async with websockets.connect(websocket, proxy=None) as connection:
        await connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}))
        assert "result" in json.loads(await connection.recv())
        assert json.loads(await connection.recv())["params"]["result"]["slot"] >= slot
    assert localnet.stop() == 0
    assert localnet.stderr == ""
    assert localnet.leftovers() == []
