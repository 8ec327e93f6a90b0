"""What makes JSON-RPC calls, whoever answers them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from heliograph_core.errors import RpcError
from heliograph_indexer.rpc.client import Call

T = TypeVar("T")


class Caller(Protocol):
    """What makes JSON-RPC calls: a client, a pool, a pin. Semantics as of RpcClient."""

    @property
    def endpoint(self) -> str:
        """Who is asked, as it may be printed."""

    async def call(
        self,
        method: str,
        *params: Any,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> T:
        """One call."""

    async def batch(
        self,
        calls: Sequence[Call],
        *,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> list[T | RpcError]:
        """Many calls."""
