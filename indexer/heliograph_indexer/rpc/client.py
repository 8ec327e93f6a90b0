"""A JSON-RPC client of one Solana endpoint: single calls and batches, deadlines, limits, retries.

What leaves here is a decoded result or an RpcError whose message names method, endpoint, code and what to do.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Collection, Sequence
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
import msgspec

from heliograph_core.errors import RpcError
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.counters import OK, UNREACHABLE, RpcCounters
from heliograph_indexer.rpc.limits import HostLimits
from heliograph_indexer.settings import RpcSettings, is_loopback, shown_url

T = TypeVar("T")

_BODY_OVERHEAD = 2
"""Brackets of a batch; commas are counted a call each."""
GROW_AFTER = 20
"""Exchanges in a row without a 429 after which batches that a 429 had cut may be one call longer again."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request: a method and its positional parameters."""

    method: str
    params: tuple[Any, ...] = ()


class _Fault(msgspec.Struct, frozen=True):
    code: int
    message: str = ""


class _Reply(msgspec.Struct, frozen=True):
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Fault | None = None


_REPLY = msgspec.json.Decoder(_Reply)
_REPLIES = msgspec.json.Decoder(list[_Reply])
_ENCODER = msgspec.json.Encoder()


class RpcClient:
    """One endpoint. Close it after use, or use it in `async with`."""

    def __init__(
        self,
        url: str,
        settings: RpcSettings | None = None,
        *,
        dice: random.Random | None = None,
        limits: HostLimits | None = None,
        counters: RpcCounters | None = None,
    ) -> None:
        """limits: those of the host, where other clients call it too. counters: where calls are counted."""
        settings = settings or RpcSettings()
        self.endpoint = shown_url(url)
        """The address as it may be printed."""
        self._url = url
        self._settings = settings
        self._dice = dice or random.Random()
        self._ids = itertools.count(1)
        self._batch_calls = self._batch_ceiling = settings.batch_calls
        self._quiet_exchanges = 0
        self._under_way = asyncio.Semaphore(settings.concurrency)
        local = is_loopback(url)
        self.limits = limits or HostLimits(url, settings)
        """What the host allows."""
        self.counters = counters or RpcCounters()
        self._host = self.endpoint.partition("://")[2]
        self._http = httpx2.AsyncClient(
            timeout=settings.deadline_s,
            limits=httpx2.Limits(
                max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
            ),
            # A proxy of the environment must not stand between two processes of one machine.
            trust_env=not local,
            headers={"content-type": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; what is under way fails."""
        await self._http.aclose()

    async def call(
        self,
        method: str,
        *params: Any,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> T:
        """One call. give_back: codes that are not retried but raised at once, for callers who know what they mean;
        None among them means no usable answer.

        Raises RpcRefused, or RpcUnavailable once the attempts are used up.
        """
        outcome = (await self.batch([Call(method, params)], decoder=decoder, give_back=give_back))[0]
        if isinstance(outcome, RpcError):
            raise outcome
        return outcome

    async def batch(
        self,
        calls: Sequence[Call],
        *,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
        attempts: int | None = None,
    ) -> list[T | RpcError]:
        """Many calls in as few exchanges as the limits allow, results in the order of `calls`.

        A call that fails does not touch the others: its place holds its error. `decoder` reads each result.
        attempts: in place of the setting.
        """
        attempts = attempts or self._settings.attempts
        results: dict[int, T | RpcError] = {}
        pending = list(range(len(calls)))
        backoff = Backoff(self._settings.backoff_s, self._settings.backoff_max_s, self._dice)
        for attempt in range(1, attempts + 1):
            outcomes = await self._exchange_all([calls[i] for i in pending])
            again: list[int] = []
            wish: float | None = None
            for i, outcome in zip(pending, outcomes, strict=True):
                settled = self._decoded(decoder, calls[i].method, outcome)
                results[i] = settled
                if isinstance(settled, RpcError) and self._worth_another(settled, give_back):
                    again.append(i)
                    wish = max(wish or 0.0, settled.retry_after or 0.0)
            if not again or attempt == attempts:
                break
            pending = again
            await asyncio.sleep(backoff.next(wish))
        return [results[i] for i in range(len(calls))]

    def _worth_another(self, error: RpcError, give_back: Collection[int | None]) -> bool:
        if not error.retry or error.code in give_back:
            return False
        return (error.retry_after or 0.0) <= self._settings.retry_after_max_s

    def _decoded(
        self, decoder: msgspec.json.Decoder[T], method: str, outcome: msgspec.Raw | RpcError
    ) -> T | RpcError:
        if isinstance(outcome, RpcError):
            return outcome
        try:
            return decoder.decode(outcome)
        except msgspec.MsgspecError as error:
            return faults.unreachable(
                self.endpoint, method, f"the answer is not what the method returns: {error}"
            )

    async def _exchange_all(self, calls: Sequence[Call]) -> list[msgspec.Raw | RpcError]:
        groups = self._split(calls)
        if len(groups) == 1:
            return await self._exchange(calls)
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._exchange(group)) for group in groups]
        return [outcome for task in asked for outcome in task.result()]

    def _split(self, calls: Sequence[Call]) -> list[Sequence[Call]]:
        groups: list[Sequence[Call]] = []
        start, size = 0, _BODY_OVERHEAD
        for at, call in enumerate(calls):
            length = len(_ENCODER.encode(_body(0, call))) + 20
            full = at - start >= self._batch_calls or size + length > self._settings.request_bytes
            if full and at > start:
                groups.append(calls[start:at])
                start, size = at, _BODY_OVERHEAD
            size += length
        groups.append(calls[start:])
        return groups

    async def _exchange(self, calls: Sequence[Call]) -> list[msgspec.Raw | RpcError]:
        """One HTTP exchange, or several where the endpoint finds the batch too large."""
        if len(calls) > self._batch_calls:
            return await self._exchange_all(calls)
        answer = await self._post(calls)
        if isinstance(answer, RpcError):
            if answer.code == 413 and len(calls) > 1:
                self._batch_calls = self._batch_ceiling = max(1, len(calls) // 2)
                return await self._exchange_all(calls)
            if answer.code == 429:
                self._shorten(len(calls))
            return [answer] * len(calls)
        self._lengthen()
        if isinstance(answer, list):
            return answer
        # One object for a whole batch: the endpoint takes none, or refuses this one.
        error = self._fault(calls, answer, None)
        if error.retry:
            return [error] * len(calls)
        self._batch_calls = self._batch_ceiling = 1
        return await self._exchange_all(calls)

    def _shorten(self, calls: int) -> None:
        """After a 429: a gateway that counts calls, or weighs batches, may take half as many."""
        self._quiet_exchanges = 0
        if calls > 1:
            self._batch_calls = max(1, min(self._batch_calls, calls // 2))

    def _lengthen(self) -> None:
        self._quiet_exchanges += 1
        if self._quiet_exchanges >= GROW_AFTER and self._batch_calls < self._batch_ceiling:
            self._quiet_exchanges = 0
            self._batch_calls += 1

    async def _post(self, calls: Sequence[Call]) -> list[msgspec.Raw | RpcError] | _Fault | RpcError:
        answer = await self._sent(calls)
        if isinstance(answer, RpcError) and answer.retry_after:
            # The wish counts for whoever calls this host, up to what the caller is ready to wait.
            self.limits.rest(min(answer.retry_after, self._settings.retry_after_max_s))
        self._count(calls, answer)
        return answer

    def _count(self, calls: Sequence[Call], answer: list[msgspec.Raw | RpcError] | _Fault | RpcError) -> None:
        outcomes = answer if isinstance(answer, list) else [answer] * len(calls)
        for call, outcome in zip(calls, outcomes, strict=True):
            if isinstance(outcome, msgspec.Raw):
                code = OK
            elif outcome.code is None:
                code = UNREACHABLE
            else:
                code = faults.label(outcome.code)
            self.counters.add(self._host, call.method, code)

    async def _sent(self, calls: Sequence[Call]) -> list[msgspec.Raw | RpcError] | _Fault | RpcError:
        first = next(self._ids)
        ids = [first, *(next(self._ids) for _ in calls[1:])]
        bodies = [_body(id_, call) for id_, call in zip(ids, calls, strict=True)]
        content = _ENCODER.encode(bodies[0] if len(bodies) == 1 else bodies)
        method = calls[0].method
        # Before the place in the queue, or one method that waits for its rate would hold up all others.
        await self.limits.take(call.method for call in calls)
        async with self._under_way:
            try:
                async with asyncio.timeout(self._settings.deadline_s):
                    response = await self._http.post(self._url, content=content)
            except TimeoutError:
                return faults.unreachable(
                    self.endpoint, method, f"no answer within {self._settings.deadline_s:g} s"
                )
            except httpx2.TimeoutException:
                return faults.unreachable(
                    self.endpoint, method, f"no answer within {self._settings.deadline_s:g} s"
                )
            except (httpx2.RequestError, httpx2.InvalidURL) as error:
                return faults.unreachable(self.endpoint, method, str(error) or type(error).__name__)
        wish = _retry_after(response.headers.get("retry-after"), response.headers.get("date"))
        if response.status_code != 200:
            fault = _fault_in(response.content)
            if fault is not None and not 400 <= fault.code <= 599:
                return faults.from_code(self.endpoint, method, fault.code, fault.message, wish)
            return faults.from_status(
                self.endpoint,
                method,
                response.status_code,
                fault.message if fault else response.text[:200],
                wish,
            )
        return self._replies(calls, ids, response.content, wish)

    def _replies(
        self, calls: Sequence[Call], ids: Sequence[int], content: bytes, wish: float | None
    ) -> list[msgspec.Raw | RpcError] | _Fault | RpcError:
        try:
            if content.lstrip()[:1] == b"[":
                replies = _REPLIES.decode(content)
            else:
                replies = [_REPLY.decode(content)]
                if len(calls) > 1:
                    return replies[0].error or _Fault(-32603, "one answer came for a whole batch")
                if replies[0].error is not None and replies[0].id is None:
                    replies = [_Reply(ids[0], error=replies[0].error)]
        except msgspec.MsgspecError as error:
            return faults.unreachable(
                self.endpoint, calls[0].method, f"the answer is no JSON-RPC ({error}): {content[:60]!r}"
            )
        by_id = {reply.id: reply for reply in replies}
        outcomes: list[msgspec.Raw | RpcError] = []
        for id_, call in zip(ids, calls, strict=True):
            reply = by_id.get(id_)
            if reply is None:
                outcomes.append(faults.unreachable(self.endpoint, call.method, "the answer to it is missing"))
            elif reply.error is not None:
                outcomes.append(self._fault([call], reply.error, wish))
            else:
                outcomes.append(reply.result)
        return outcomes

    def _fault(self, calls: Sequence[Call], fault: _Fault, wish: float | None) -> RpcError:
        return faults.from_code(self.endpoint, calls[0].method, fault.code, fault.message, wish)


def _body(id_: int, call: Call) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": call.method, "params": call.params}


def _retry_after(text: str | None, sent: str | None) -> float | None:
    """Seconds from now; the header gives them, or a date.

    sent: the answer's own Date, by the same clock as that date; ours may be another.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            now = parsedate_to_datetime(sent).timestamp() if sent is not None else time.time()
            seconds = max(0.0, parsedate_to_datetime(text).timestamp() - now)
        except ValueError:
            return None
    return seconds if 0.0 <= seconds < 86_400.0 else None


def _fault_in(content: bytes) -> _Fault | None:
    try:
        return _REPLY.decode(content).error
    except msgspec.MsgspecError:
        return None
