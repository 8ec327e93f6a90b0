"""A part of what endpoints allow, for work that must not hold up live indexing.

The calls go through the same client or pool, so that the limits of each host hold for all of them together; before
they get there they wait here, for a rate, a number of exchanges and a size of batches of their own.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Collection, Sequence
from typing import Any, Self, TypeVar

import msgspec

from heliograph_core.errors import RpcError
from heliograph_indexer.rpc.bucket import TokenBucket
from heliograph_indexer.rpc.caller import Caller
from heliograph_indexer.rpc.client import Call

T = TypeVar("T")


class ClientShare:
    """A Caller. rate: calls a second, None for no limit; concurrency: batches under way at once."""

    def __init__(
        self, client: Caller, *, rate: float | None, burst: int, concurrency: int, batch_calls: int
    ) -> None:
        self._client = client
        self._bucket = TokenBucket(rate, burst) if rate else None
        self._under_way = asyncio.Semaphore(concurrency)
        self._batch_calls = batch_calls

    @property
    def endpoint(self) -> str:
        """Who is asked, as it may be printed."""
        return self._client.endpoint

    @property
    def whole(self) -> Caller:
        """What this is a share of."""
        return self._client

    def of(self, client: Caller) -> Self:
        """The same share, not another one beside it, with calls made by `client`: one endpoint of a pool."""
        other = copy.copy(self)
        other._client = client
        return other

    async def call(
        self,
        method: str,
        *params: Any,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> T:
        """See RpcClient.call."""
        outcome = (await self._part([Call(method, params)], decoder, give_back))[0]
        if isinstance(outcome, RpcError):
            raise outcome
        return outcome

    async def batch(
        self,
        calls: Sequence[Call],
        *,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> list[T | RpcError]:
        """See RpcClient.batch."""
        size = self._batch_calls
        parts = [calls[at : at + size] for at in range(0, len(calls), size)]
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._part(part, decoder, give_back)) for part in parts]
        return [outcome for each in asked for outcome in each.result()]

    async def _part(
        self, calls: Sequence[Call], decoder: msgspec.json.Decoder[T], give_back: Collection[int | None]
    ) -> list[T | RpcError]:
        async with self._under_way:
            if self._bucket is not None:
                await self._bucket.take(len(calls))
            return await self._client.batch(calls, decoder=decoder, give_back=give_back)
