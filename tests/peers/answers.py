"""getTransaction answers made by hand: what an archive holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from base58 import b58encode


def signature_of(number: int) -> str:
    return b58encode(number.to_bytes(64, "big")).decode()


def answer(
    program: str,
    *,
    number: int,
    slot: int,
    logs: Sequence[str] = (),
    block_time: int | None = 1_790_000_000,
    index: int | None = None,
    inner: Sequence[tuple[str, Sequence[str], bytes]] = (),
    data: bytes = b"",
) -> dict[str, Any]:
    """One transaction of one instruction. inner: (program, accounts, data), all direct callees."""
    keys = list(
        dict.fromkeys([program, *(key for callee, accounts, _ in inner for key in (callee, *accounts))])
    )
    result: dict[str, Any] = {
        "slot": slot,
        "blockTime": block_time,
        "version": "legacy",
        "transaction": {
            "signatures": [signature_of(number)],
            "message": {
                "accountKeys": keys,
                "instructions": [{"programIdIndex": 0, "accounts": [], "data": b58encode(data).decode()}],
            },
        },
        "meta": {
            "err": None,
            "fee": 5000,
            "logMessages": list(logs),
            "innerInstructions": [
                {
                    "index": 0,
                    "instructions": [
                        {
                            "programIdIndex": keys.index(callee),
                            "accounts": [keys.index(key) for key in accounts],
                            "data": b58encode(payload).decode(),
                            "stackHeight": 2,
                        }
                        for callee, accounts, payload in inner
                    ],
                }
            ],
        },
    }
    if index is not None:
        result["transactionIndex"] = index
    return {"jsonrpc": "2.0", "id": number, "result": result}
