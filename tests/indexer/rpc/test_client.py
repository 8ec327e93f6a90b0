"""The client splits, waits, retries and gives up as it says; every failure has a name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import orjson
import pytest

from heliograph_core.errors import RpcError, RpcRefused, RpcUnavailable
from heliograph_indexer.rpc.client import Call, RpcClient
from heliograph_indexer.settings import RpcSettings

STR: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
QUICK = RpcSettings(deadline_s=0.5, attempts=3, backoff_s=0.001, backoff_max_s=0.002)


def result(request: Any, value: object) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": request["id"], "result": value})


def fault(request: Any, code: int, message: str = "no") -> bytes:
    return orjson.dumps(
        {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message, "data": None}}
    )


def answer(request: Any) -> bytes:
    """Each call's result is its method's name."""
    if isinstance(request, list):
        return orjson.dumps([{"id": one["id"], "result": one["method"]} for one in request])
    return result(request, request["method"])


async def ask(endpoint: Any, settings: RpcSettings = QUICK, **options: Any) -> str:
    async with RpcClient(endpoint.url, settings) as client:
        return await client.call("getThing", 7, decoder=STR, **options)


async def test_a_call_returns_its_result(endpoint: Any) -> None:
    assert await ask(endpoint) == "getThing"
    assert endpoint.requests == [{"jsonrpc": "2.0", "id": 1, "method": "getThing", "params": [7]}]


RETRIED = [-32004, -32005, -32012, -32013, -32014, -32016, -32017, -32019, -32603, -31999]
REFUSED = [
    -32001, -32002, -32003, -32006, -32007, -32008, -32009, -32010, -32011, -32015, -32018, -32020,
    -32600, -32601, -32602, -32700,
]  # fmt: skip


@pytest.mark.parametrize("code", RETRIED)
async def test_a_passing_code_is_asked_again_and_named_in_the_end(endpoint: Any, code: int) -> None:
    endpoint.script = lambda request: fault(request, code, "node says so")
    with pytest.raises(RpcUnavailable) as raised:
        await ask(endpoint)
    assert raised.value.code == code and len(endpoint.requests) == 3
    text = str(raised.value)
    assert "getThing" in text and endpoint.url in text and str(code) in text and "node says so" in text


@pytest.mark.parametrize("code", RETRIED)
async def test_a_passing_code_that_passes_is_not_noticed(endpoint: Any, code: int) -> None:
    endpoint.script = lambda request: (
        fault(request, code) if len(endpoint.requests) < 3 else result(request, "at last")
    )
    assert await ask(endpoint) == "at last"


@pytest.mark.parametrize("code", REFUSED)
async def test_a_lasting_code_is_asked_once(endpoint: Any, code: int) -> None:
    endpoint.script = lambda request: fault(request, code)
    with pytest.raises(RpcRefused) as raised:
        await ask(endpoint)
    assert raised.value.code == code and len(endpoint.requests) == 1
    assert str(code) in str(raised.value) and ": " in str(raised.value)


async def test_a_transaction_version_is_called_our_bug(endpoint: Any) -> None:
    endpoint.script = lambda request: fault(request, -32015)
    with pytest.raises(RpcRefused, match="this is a bug"):
        await ask(endpoint)


async def test_codes_that_the_caller_wants_back_are_not_retried(endpoint: Any) -> None:
    endpoint.script = lambda request: fault(request, -32004)
    with pytest.raises(RpcUnavailable):
        await ask(endpoint, give_back={-32004})
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_passing_status_is_asked_again(endpoint: Any, status: int) -> None:
    endpoint.script = lambda request: (
        (status, {}, b"busy") if len(endpoint.requests) == 1 else result(request, "at last")
    )
    assert await ask(endpoint) == "at last"
    endpoint.script = lambda request: (status, {}, b"busy")
    with pytest.raises(RpcUnavailable, match=rf"HTTP {status} \(busy\)"):
        await ask(endpoint)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 413])
async def test_a_lasting_status_is_asked_once(endpoint: Any, status: int) -> None:
    endpoint.script = lambda request: (status, {}, b"")
    with pytest.raises(RpcRefused) as raised:
        await ask(endpoint)
    assert raised.value.code == status and len(endpoint.requests) == 1


async def test_a_json_rpc_error_inside_a_bad_status_tells_more_than_the_status(endpoint: Any) -> None:
    endpoint.script = lambda request: (500, {}, fault(request, -32011))
    with pytest.raises(RpcRefused, match="keeps no transaction history"):
        await ask(endpoint)


async def test_a_status_inside_a_good_answer_counts_as_one(endpoint: Any) -> None:
    endpoint.script = lambda request: fault(request, 429, "slow down")
    with pytest.raises(RpcUnavailable, match="HTTP 429"):
        await ask(endpoint)


async def test_retry_after_is_waited_for(endpoint: Any) -> None:
    endpoint.script = lambda request: (
        (429, {"retry-after": "0.2"}, b"") if len(endpoint.requests) == 1 else result(request, "at last")
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await ask(endpoint) == "at last"
    assert loop.time() - began >= 0.2


async def test_retry_after_may_be_a_date(endpoint: Any) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    endpoint.script = lambda request: (
        (503, {"retry-after": at}, b"") if len(endpoint.requests) == 1 else result(request, "at last")
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await ask(endpoint) == "at last"
    # The header has whole seconds, so that up to one of the two is lost.
    assert 0.9 <= loop.time() - began <= 2.5


async def test_a_date_to_wait_until_is_reckoned_by_the_clock_of_who_says_it(endpoint: Any) -> None:
    """Ours may have been set back: then that date is an hour away."""
    sent = datetime.now(UTC) + timedelta(hours=1)
    headers = {"date": format_datetime(sent), "retry-after": format_datetime(sent + timedelta(seconds=1))}
    endpoint.script = lambda request: (
        (503, headers, b"") if len(endpoint.requests) == 1 else result(request, "at last")
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await ask(endpoint) == "at last"
    assert loop.time() - began >= 0.9


async def test_retry_after_holds_for_every_call_to_the_host(endpoint: Any) -> None:
    endpoint.script = lambda request: (
        (429, {"retry-after": "0.3"}, b"") if len(endpoint.requests) == 1 else result(request, "at last")
    )
    settings = RpcSettings(attempts=1)
    loop = asyncio.get_running_loop()
    async with RpcClient(endpoint.url, settings) as client:
        with pytest.raises(RpcUnavailable):
            await client.call("first", decoder=STR)
        began = loop.time()
        assert await client.call("second", decoder=STR) == "at last"
        assert loop.time() - began >= 0.28


async def test_a_wish_beyond_patience_is_handed_to_the_caller(endpoint: Any) -> None:
    endpoint.script = lambda request: (429, {"retry-after": "3600"}, b"")
    with pytest.raises(RpcUnavailable) as raised:
        await ask(endpoint)
    assert raised.value.retry_after == 3600 and len(endpoint.requests) == 1


async def test_silence_ends_at_the_deadline(endpoint: Any) -> None:
    endpoint.script = lambda request: (200, {"content-length": "100"}, b"")
    settings = RpcSettings(deadline_s=0.05, attempts=1)
    with pytest.raises(RpcUnavailable):
        await ask(endpoint, settings)


@pytest.mark.parametrize(
    "answer",
    [
        (0, {}, b""),
        (200, {"content-length": "100"}, b'{"jsonrpc"'),
        (200, {}, b""),
        (200, {}, b"<html>welcome</html>"),
        (200, {}, b"[]"),
        (200, {}, b'{"jsonrpc":"2.0","id":999,"result":"of another"}'),
        (200, {}, b'{"jsonrpc":"2.0","id":1,"result":{"not":"text"}}'),
    ],
)
async def test_a_broken_answer_is_unavailable(endpoint: Any, answer: Any) -> None:
    endpoint.script = lambda request: answer
    with pytest.raises(RpcUnavailable, match=r"getThing at http://127\.0\.0\.1"):
        await ask(endpoint)
    assert len(endpoint.requests) >= 1


async def test_nobody_there_names_the_address_and_no_secret() -> None:
    async with RpcClient("http://user:pass@127.0.0.1:9/key?api-key=secret", QUICK) as client:
        with pytest.raises(RpcUnavailable) as raised:
            await client.call("getSlot", decoder=STR)
    text = str(raised.value)
    assert "http://127.0.0.1:9:" in text
    assert not any(secret in text for secret in ("pass", "user", "key"))


async def test_an_error_without_an_id_belongs_to_the_one_call(endpoint: Any) -> None:
    endpoint.script = lambda request: b'{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"bad"}}'
    with pytest.raises(RpcRefused, match="-32602"):
        await ask(endpoint)


async def many(endpoint: Any, count: int, settings: RpcSettings = QUICK) -> list[str | RpcError]:
    async with RpcClient(endpoint.url, settings) as client:
        return await client.batch([Call(f"m{i}") for i in range(count)], decoder=STR)


async def test_a_batch_is_split_by_count_and_keeps_its_order(endpoint: Any) -> None:
    settings = RpcSettings(batch_calls=4)
    assert await many(endpoint, 10, settings) == [f"m{i}" for i in range(10)]
    assert sorted(len(request) for request in endpoint.requests) == [2, 4, 4]


async def test_no_body_exceeds_the_limit(endpoint: Any) -> None:
    settings = RpcSettings(request_bytes=1024, batch_calls=1000)
    assert len(await many(endpoint, 100, settings)) == 100
    assert len(endpoint.requests) > 1 and max(endpoint.sizes) <= 1024


async def test_answers_in_another_order_find_their_calls(endpoint: Any) -> None:
    def backwards(request: Any) -> bytes:
        return orjson.dumps([{"id": one["id"], "result": one["method"]} for one in reversed(request)])

    endpoint.script = backwards
    assert await many(endpoint, 5) == [f"m{i}" for i in range(5)]


async def test_a_429_halves_the_batch_and_quiet_lets_it_grow_again(endpoint: Any) -> None:
    def at_most_three(request: Any) -> Any:
        if isinstance(request, list) and len(request) > 3:
            return (429, {}, b"")
        return answer(request)

    endpoint.script = at_most_three
    settings = RpcSettings(attempts=5, backoff_s=0.001, backoff_max_s=0.002, batch_calls=10)
    async with RpcClient(endpoint.url, settings) as client:
        calls = [Call(f"m{i}") for i in range(10)]
        assert await client.batch(calls, decoder=STR) == [f"m{i}" for i in range(10)]
        sizes = [len(request) if isinstance(request, list) else 1 for request in endpoint.requests]
        assert sizes[:3] == [10, 5, 5] and max(sizes[3:]) <= 3
        endpoint.script = answer
        for _ in range(200):
            await client.batch(calls, decoder=STR)
        endpoint.requests.clear()
        await client.batch(calls, decoder=STR)
        assert len(endpoint.requests) == 1


async def test_every_try_is_counted_by_host_method_and_code(endpoint: Any) -> None:
    answers: Iterator[Any] = iter([(429, {}, b""), (0, {}, b""), None])

    def script(request: Any) -> Any:
        return next(answers) or result(request, "at last")

    endpoint.script = script
    async with RpcClient(endpoint.url, QUICK) as client:
        await client.call("getThing", decoder=STR)
        endpoint.script = lambda request: fault(request, -32011)
        with pytest.raises(RpcRefused):
            await client.call("getOther", decoder=STR)
        endpoint.script = lambda request: fault(request, -12345)
        with pytest.raises(RpcUnavailable):
            await client.call("getOther", decoder=STR)
        host = endpoint.url.removeprefix("http://")
        assert client.counters.read() == (
            (host, "getOther", "-32011", 1),
            (host, "getOther", "other", 3),
            (host, "getThing", "429", 1),
            (host, "getThing", "ok", 1),
            (host, "getThing", "unreachable", 1),
        )


async def test_a_batch_too_large_is_halved_and_stays_so(endpoint: Any) -> None:
    def at_most_three(request: Any) -> Any:
        if isinstance(request, list) and len(request) > 3:
            return (413, {}, b"")
        return [{"id": one["id"], "result": one["method"]} for one in request]

    def script(request: Any) -> Any:
        if not isinstance(request, list):
            return result(request, request["method"])
        answer = at_most_three(request)
        return answer if isinstance(answer, tuple) else orjson.dumps(answer)

    endpoint.script = script
    async with RpcClient(endpoint.url, QUICK) as client:
        calls = [Call(f"m{i}") for i in range(12)]
        assert await client.batch(calls, decoder=STR) == [f"m{i}" for i in range(12)]
        endpoint.requests.clear()
        assert await client.batch(calls, decoder=STR) == [f"m{i}" for i in range(12)]
    assert all(len(request) <= 3 for request in endpoint.requests)


async def test_an_endpoint_without_batches_is_asked_one_by_one(endpoint: Any) -> None:
    endpoint.script = lambda request: (
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'
        if isinstance(request, list)
        else result(request, request["method"])
    )
    assert await many(endpoint, 5) == [f"m{i}" for i in range(5)]


async def test_only_what_failed_is_asked_again(endpoint: Any) -> None:
    def script(request: Any) -> bytes:
        calls = request if isinstance(request, list) else [request]
        answers = [
            {"id": one["id"], "error": {"code": -32004, "message": "wait"}}
            if one["method"] == "m2" and len(endpoint.requests) == 1
            else {"id": one["id"], "result": one["method"]}
            for one in calls
        ]
        return orjson.dumps(answers if isinstance(request, list) else answers[0])

    endpoint.script = script
    assert await many(endpoint, 4) == ["m0", "m1", "m2", "m3"]
    assert endpoint.requests[1]["method"] == "m2"


async def test_one_refusal_does_not_spoil_the_batch(endpoint: Any) -> None:
    def script(request: Any) -> bytes:
        return orjson.dumps(
            [
                {"id": one["id"], "error": {"code": -32009, "message": "skipped"}}
                if one["method"] == "m1"
                else {"id": one["id"], "result": one["method"]}
                for one in request
            ]
        )

    endpoint.script = script
    results = await many(endpoint, 3)
    assert results[0] == "m0" and results[2] == "m2"
    assert isinstance(results[1], RpcRefused) and results[1].code == -32009


async def test_an_answer_missing_from_a_batch_is_asked_for_again(endpoint: Any) -> None:
    def script(request: Any) -> bytes:
        if isinstance(request, list):
            return orjson.dumps([{"id": request[0]["id"], "result": "first"}])
        return result(request, "second")

    endpoint.script = script
    assert await many(endpoint, 2) == ["first", "second"]


async def test_concurrency_is_bounded(endpoint: Any) -> None:
    settings = RpcSettings(batch_calls=1, concurrency=2)
    async with RpcClient(endpoint.url, settings) as client:
        most = 0
        under_way = 0
        post = client._http.post

        async def counted(*args: Any, **options: Any) -> Any:
            nonlocal most, under_way
            under_way += 1
            most = max(most, under_way)
            try:
                return await post(*args, **options)
            finally:
                under_way -= 1

        client._http.post = counted  # type: ignore[method-assign]
        await client.batch([Call(f"m{i}") for i in range(20)], decoder=STR)
    assert most == 2


async def test_a_rate_is_kept_and_off_on_loopback_by_default(endpoint: Any) -> None:
    loop = asyncio.get_running_loop()
    settings = RpcSettings(requests_per_second=100, burst=5, batch_calls=1)
    began = loop.time()
    await many(endpoint, 25, settings)
    assert loop.time() - began >= 0.19
    async with RpcClient(endpoint.url) as client:
        assert not client.limits.limited
    async with RpcClient("http://rpc.example.org") as client:
        assert client.limits.limited
