"""Two endpoints of one cluster: each error sends the call where the table says, and nobody is asked in vain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import orjson
import pytest
from structlog.testing import capture_logs

from heliograph_core.errors import RpcError, RpcRefused, RpcUnavailable
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.client import Call, RpcClient
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.settings import RpcSettings

STR: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
MAYBE: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
QUICK = RpcSettings(
    deadline_s=0.5,
    attempts=3,
    backoff_s=0.001,
    backoff_max_s=0.002,
    rest_s=20.0,
    rest_max_s=20.0,
    lag_slots=10,
)
HOUSEKEEPING = {"getGenesisHash", "getHealth", "getSlot"}


class Node:
    """Scripts one fake endpoint. faults: method to JSON-RPC code, HTTP status, None (drop) or "null"."""

    def __init__(self, endpoint: Any, name: str) -> None:
        self.endpoint = endpoint
        self.name = name
        self.genesis = "one"
        self.slot = 1000
        self.faults: dict[str, object] = {}
        endpoint.script = self.script

    @property
    def asked(self) -> list[str]:
        """Methods asked, housekeeping left out."""
        found = []
        for request in self.endpoint.requests:
            for one in request if isinstance(request, list) else [request]:
                if one["method"] not in HOUSEKEEPING:
                    found.append(one["method"])
        return found

    def script(self, request: Any) -> Any:
        calls = request if isinstance(request, list) else [request]
        for one in calls:
            fault = self.faults.get(one["method"], self)
            if fault is None:
                return (0, {}, b"")
            if isinstance(fault, int) and fault > 0:
                return (fault, {}, b"")
        answers = [self.answer(one) for one in calls]
        return orjson.dumps(answers if isinstance(request, list) else answers[0])

    def answer(self, one: Any) -> dict[str, Any]:
        method = one["method"]
        fault = self.faults.get(method)
        if isinstance(fault, int):
            return {"id": one["id"], "error": {"code": fault, "message": "no"}}
        known = {"getGenesisHash": self.genesis, "getSlot": self.slot, "getHealth": "ok"}
        return {"id": one["id"], "result": None if fault == "null" else known.get(method, self.name)}


@asynccontextmanager
async def pool_of(endpoints: Any, settings: RpcSettings = QUICK) -> AsyncIterator[tuple[Pool, Node, Node]]:
    first, second = Node(endpoints[0], "first"), Node(endpoints[1], "second")
    async with Pool.open([endpoint.url for endpoint in endpoints], settings) as pool:
        yield pool, first, second


async def test_the_first_endpoint_answers_while_it_is_well(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        for _ in range(5):
            assert await pool.call("getThing", decoder=STR) == "first"
        assert len(first.asked) == 5 and not second.endpoint.requests


@pytest.mark.parametrize("code", [-32004, -32014, -32016, -32019, -32017, 500, 502, 503])
async def test_what_may_pass_is_asked_again_and_then_of_another_endpoint(endpoints: Any, code: int) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = code
        assert await pool.call("getThing", decoder=STR) == "second"
        assert (len(first.asked), len(second.asked)) == (3, 1)


@pytest.mark.parametrize("code", [-32005, -32012, -32013, -32603, 429, None])
async def test_what_asks_for_another_endpoint_gets_it_at_once_and_the_first_rests(
    endpoints: Any, code: int | None
) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = code
        for _ in range(3):
            assert await pool.call("getThing", decoder=STR) == "second"
        assert (len(first.asked), len(second.asked)) == (1, 3)
        assert pool.trouble is not None and first.endpoint.url in pool.trouble
        # Resting is a preference: where the other fails too, nobody is spared.
        first.faults.clear()
        second.faults["getThing"] = code
        assert await pool.call("getThing", decoder=STR) == "first"


@pytest.mark.parametrize("code", [-32010, -32011, 401, 403, -32601])
async def test_what_an_endpoint_cannot_do_is_never_asked_of_it_again(endpoints: Any, code: int) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = code
        for _ in range(3):
            assert await pool.call("getThing", decoder=STR) == "second"
        assert (len(first.asked), len(second.asked)) == (1, 3)
        assert await pool.call("getOther", decoder=STR) == "first"
        assert pool.trouble is not None and first.endpoint.url in pool.trouble


async def test_a_pruned_block_is_asked_elsewhere_and_older_ones_at_once(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, _):
        first.faults["getBlock"] = -32001
        assert await pool.call("getBlock", 500, {}, decoder=STR) == "second"
        assert await pool.call("getBlock", 400, {}, decoder=STR) == "second"
        assert len(first.asked) == 1
        first.faults.clear()
        assert await pool.batch([Call("getBlock", (slot, {})) for slot in (400, 600)], decoder=STR) == [
            "second",
            "first",
        ]


@pytest.mark.parametrize("code", [-32007, -32009, -32020, 413])
async def test_what_proves_nothing_by_itself_is_asked_elsewhere_and_then_told(
    endpoints: Any, code: int
) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = code
        assert await pool.call("getThing", decoder=STR, give_back={code}) == "second"
        second.faults["getThing"] = code
        with pytest.raises(RpcRefused) as raised:
            await pool.call("getThing", decoder=STR, give_back={code})
        assert raised.value.code == code
        assert (len(first.asked), len(second.asked)) == (2, 2) and pool.trouble is None


async def test_our_own_mistake_stops_at_the_first_who_tells(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = -32015
        with pytest.raises(RpcRefused, match="this is a bug"):
            await pool.call("getThing", decoder=STR)
        assert (len(first.asked), len(second.asked)) == (1, 0)


async def test_a_code_that_the_caller_knows_is_given_back_without_asking_around(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getBlock"] = -32004
        with pytest.raises(RpcUnavailable):
            await pool.call("getBlock", 5, decoder=STR, give_back={-32004})
        assert (len(first.asked), len(second.asked)) == (1, 0) and pool.trouble is None


async def test_who_refused_for_good_is_not_asked_where_the_only_other_one_fails(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = -32010
        assert await pool.call("getThing", decoder=STR) == "second"
        second.faults["getThing"] = -32016
        for _ in range(3):
            with pytest.raises(RpcUnavailable, match="-32016"):
                await pool.call("getThing", decoder=STR)
        assert first.asked == ["getThing"]


async def test_where_the_only_other_one_is_of_another_cluster_who_refused_is_asked_again(
    endpoints: Any,
) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        second.genesis = "two"
        first.faults["getThing"] = -32010
        for _ in range(2):
            with pytest.raises(RpcRefused):
                await pool.call("getThing", decoder=STR)
        first.faults.clear()
        assert await pool.call("getThing", decoder=STR) == "first"


async def test_where_everybody_refuses_the_refusal_is_told_and_they_are_asked_again_next_time(
    endpoints: Any,
) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = second.faults["getThing"] = 403
        for asked in (1, 2):
            with pytest.raises(RpcRefused, match="HTTP 403"):
                await pool.call("getThing", decoder=STR)
            assert (len(first.asked), len(second.asked)) == (asked, asked)
        first.faults.clear()
        assert await pool.call("getThing", decoder=STR) == "first"


async def test_hope_outweighs_refusal(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"], second.faults["getThing"] = 503, 403
        with pytest.raises(RpcUnavailable, match="HTTP 503"):
            await pool.call("getThing", decoder=STR)


async def test_a_null_transaction_is_asked_elsewhere_and_a_null_block_is_not(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults.update(getTransaction="null", getBlock="null")
        assert await pool.call("getTransaction", "s", decoder=MAYBE) == "second"
        assert await pool.call("getBlock", 5, decoder=MAYBE) is None
        second.faults["getTransaction"] = "null"
        assert await pool.call("getTransaction", "s", decoder=MAYBE) is None
        second.faults["getTransaction"] = -32005
        assert await pool.call("getTransaction", "s", decoder=MAYBE) is None


async def test_only_what_failed_is_asked_elsewhere(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["b"] = -32005
        assert await pool.batch([Call("a"), Call("b"), Call("c")], decoder=STR) == [
            "first",
            "second",
            "first",
        ]
        assert second.asked == ["b"]


async def test_an_endpoint_of_another_cluster_is_never_used(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        second.genesis = "another"
        assert await pool.call("getThing", decoder=STR) == "first"
        first.faults["getThing"] = -32005
        with pytest.raises(RpcError):
            await pool.call("getThing", decoder=STR)
        assert not second.asked
        assert pool.trouble is not None and "another cluster" in pool.trouble
        assert second.endpoint.url in pool.trouble


async def test_a_probe_finds_who_lags_and_who_is_unhealthy(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, _):
        await pool.probe()
        assert pool.trouble is None
        first.slot = 980
        await pool.probe()
        assert pool.trouble == f"{first.endpoint.url} is 20 slots behind other endpoints"
        assert await pool.call("getThing", decoder=STR) == "second"
        first.slot = 1001
        first.faults["getHealth"] = -32005
        await pool.probe()
        assert pool.trouble is not None and "getHealth" in pool.trouble
        assert await pool.call("getThing", decoder=STR) == "second"
        first.faults["getHealth"] = -32601
        await pool.probe()
        assert pool.trouble is None and await pool.call("getThing", decoder=STR) == "first"


async def test_who_has_calls_to_spare_is_asked_first(endpoints: Any) -> None:
    """Two public endpoints on two hosts give twice the calls; here both are on one, which shares its limits."""
    settings = RpcSettings(requests_per_second=1, method_requests_per_second=0, burst=4)
    async with pool_of(endpoints, settings) as (pool, _, _):
        one, other = (member.client for member in pool._members)
        assert one.limits is other.limits
    nodes = [Node(endpoint, name) for endpoint, name in zip(endpoints, ("first", "second"), strict=True)]
    clients = [RpcClient(node.endpoint.url, settings) for node in nodes]
    async with Pool(clients, settings) as pool:
        async with asyncio.timeout(0.5):
            answers = [await pool.call("getThing", decoder=STR) for _ in range(6)]
        assert answers == ["first"] * 3 + ["second"] * 3


async def test_a_pool_of_one_behaves_as_its_client(endpoints: Any) -> None:
    first = Node(endpoints[0], "first")
    async with Pool.open([first.endpoint.url], QUICK) as pool:
        first.faults["getThing"] = -32005
        with pytest.raises(RpcUnavailable):
            await pool.call("getThing", decoder=STR)
        assert first.asked == ["getThing"] * 3
        async with asyncio.timeout(1):
            await pool.watch()
        assert all(request["method"] == "getThing" for request in first.endpoint.requests)


async def test_counts_are_of_all_endpoints(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        first.faults["getThing"] = -32005
        await pool.call("getThing", decoder=STR)
        hosts = [node.endpoint.url.removeprefix("http://") for node in (first, second)]
        assert pool.counters.total(host=hosts[0], method="getThing", codes=["-32005"]) == 1
        assert pool.counters.total(host=hosts[1], method="getThing", codes=["ok"]) == 1


async def test_a_pin_asks_one_endpoint_until_it_is_moved(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        pin = pool.pin()
        assert await pin.call("getThing", decoder=STR) == "first"
        first.faults["getThing"] = -32005
        with pytest.raises(RpcUnavailable) as raised:
            await pin.call("getThing", decoder=STR)
        assert not second.asked and len(first.asked) == 2
        assert pin.fail(raised.value) and pin.endpoint == second.endpoint.url
        assert pin.last_resort and await pin.call("getThing", decoder=STR) == "second"
        second.faults["getThing"] = 503
        with pytest.raises(RpcUnavailable) as raised:
            await pin.call("getThing", decoder=STR)
        assert len(second.asked) == 4, "nobody is left to move to, so it is asked again"
        assert not pin.fail(raised.value) and pin.refused is None
        assert pin.begin_anew() and pin.endpoint == first.endpoint.url and not pin.last_resort


async def test_a_pin_leaves_who_lags_for_who_does_not(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        pin = pool.pin()
        assert not pin.leave_if_ill()
        first.slot = 900
        await pool.probe()
        assert pin.leave_if_ill() and pin.endpoint == second.endpoint.url
        second.slot = 800
        await pool.probe()
        assert pin.ill and pin.leave_if_ill() and pin.endpoint == first.endpoint.url


async def test_a_pin_tells_when_nobody_leaves_hope(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, _, _):
        pin = pool.pin()
        assert pin.fail(RpcRefused("pruned here")) and pin.refused is not None
        assert not pin.fail(RpcRefused("pruned there"))
        assert str(pin.refused) == "pruned here"
        pin.settled()
        assert pin.refused is None and not pin.last_resort


async def test_a_cursor_that_one_endpoint_does_not_know_leaves_hope(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, _, _):
        pin = pool.pin()
        assert pin.fail(RpcRefused("no such signature", code=faults.UNKNOWN_CURSOR))
        assert not pin.fail(RpcRefused("pruned there"))
        assert pin.refused is None and not pin.exhausted
        pin.begin_anew()
        assert pin.exhausted
        pin.settled()
        assert not pin.exhausted


async def test_who_failed_and_is_well_beside_one_who_lags_is_asked_as_the_last_resort(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        second.slot = 800
        await pool.probe()
        pin = pool.pin()
        assert pin.endpoint == first.endpoint.url
        assert pin.fail(RpcRefused("no such signature", code=faults.UNKNOWN_CURSOR))
        assert pin.endpoint == second.endpoint.url and not pin.exhausted
        assert pin.leave_if_ill() and pin.endpoint == first.endpoint.url
        assert pin.exhausted


async def test_an_endpoint_that_falls_ill_and_recovers_is_a_line_each(endpoints: Any) -> None:
    with capture_logs() as lines:
        async with pool_of(endpoints) as (pool, first, _):
            first.faults["getThing"] = -32005
            for _ in range(3):
                await pool.call("getThing", decoder=STR)
            first.faults.clear()
            for pin in pool.pins():
                await pin.call("getThing", decoder=STR)
    told = [(line["event"], line["rpc"]) for line in lines if line["event"].startswith("endpoint_")]
    assert told == [("endpoint_ill", first.endpoint.url), ("endpoint_well", first.endpoint.url)]


async def test_a_bound_pool_asks_again_after_a_doubt(endpoints: Any) -> None:
    async with pool_of(endpoints) as (pool, first, second):
        pool.bind("one", "stream 'x'")
        await pool.check()
        first.genesis = "another"
        assert await pool.call("getThing", decoder=STR) == "first"
        pool.doubt()
        assert await pool.call("getThing", decoder=STR) == "second"
        second.genesis = "another"
        with pytest.raises(RpcError, match=r"than stream 'x' \(genesis hash another, not one\)"):
            pool.bind("one", "stream 'x'")
            await pool.check()
