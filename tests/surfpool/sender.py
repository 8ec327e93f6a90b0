"""Sends real transactions to a cluster and says where they came to stand."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import httpx2
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.transaction import Transaction, VersionedTransaction

_COMPUTE_UNITS = 200_000
_CONFIRM_TIMEOUT_S = 20
_POLL_S = 0.05


class Sender:
    """Signs with `payer`. numbers: one for each transaction, so that no two of a cluster share a signature."""

    def __init__(
        self, rpc_url: str, payer: Keypair, client: httpx2.AsyncClient, numbers: Iterator[int]
    ) -> None:
        self._rpc_url = rpc_url
        self._payer = payer
        self._client = client
        self._numbers = numbers

    async def call(self, method: str, *params: object) -> Any:
        """The result. Raises AssertionError with the node's error."""
        answer = await self.ask(method, *params)
        assert "error" not in answer, f"{method}{params}: {answer['error']}"
        return answer["result"]

    async def ask(self, method: str, *params: object) -> dict[str, Any]:
        """The whole answer, errors too."""
        answer: dict[str, Any] = await self._post(_request(1, method, params))
        return answer

    async def ask_all(self, *calls: tuple[str, tuple[object, ...]]) -> Any:
        """The answer to a JSON-RPC batch."""
        return await self._post([_request(number, *call) for number, call in enumerate(calls)])

    async def sign(self, *instructions: Instruction, versioned: bool = False) -> str:
        """A transaction that the cluster would take now, in base64."""
        latest = await self.call("getLatestBlockhash")
        blockhash = Hash.from_string(latest["value"]["blockhash"])
        numbered = [set_compute_unit_limit(_COMPUTE_UNITS + next(self._numbers)), *instructions]
        payer = self._payer.pubkey()
        if versioned:
            message = MessageV0.try_compile(payer, numbered, [], blockhash)
            wire = bytes(VersionedTransaction(message, [self._payer]))
        else:
            wire = bytes(Transaction([self._payer], Message(numbered, payer), blockhash))
        return base64.b64encode(wire).decode()

    async def send(self, *instructions: Instruction, versioned: bool = False) -> str:
        """The signature; preflight is left out, so that failing transactions land too."""
        wire = await self.sign(*instructions, versioned=versioned)
        options = {"encoding": "base64", "skipPreflight": True}
        signature = await self.call("sendTransaction", wire, options)
        assert isinstance(signature, str)
        return signature

    async def confirm(self, *signatures: str) -> list[int]:
        """The slots, once all are confirmed. Raises TimeoutError."""
        async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
            while True:
                statuses = (await self.call("getSignatureStatuses", signatures))["value"]
                if all(statuses):
                    slots = [status["slot"] for status in statuses]
                    await self.reach(max(slots))
                    return slots
                await asyncio.sleep(_POLL_S)

    async def reach(self, slot: int) -> None:
        """Returns once the slot is confirmed. Raises TimeoutError."""
        async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
            while True:
                if await self.call("getSlot", {"commitment": "confirmed"}) >= slot:
                    return
                await asyncio.sleep(_POLL_S)

    async def _post(self, body: object) -> Any:
        return (await self._client.post(self._rpc_url, json=body)).json()


def _request(number: int, method: str, params: tuple[object, ...]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
