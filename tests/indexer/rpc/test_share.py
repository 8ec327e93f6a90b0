"""A share of a client: smaller batches, fewer at once, at a rate of its own, with the same answers."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from heliograph_core.errors import RpcRefused, RpcUnavailable
from heliograph_indexer.healer import heal_share
from heliograph_indexer.rpc.caller import Caller
from heliograph_indexer.rpc.client import Call, RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.rpc.share import ClientShare
from heliograph_indexer.settings import HealSettings, IndexerSettings, RpcSettings
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings

INTS = msgspec.json.Decoder(int)


async def test_answers_and_errors_are_those_of_the_client_in_its_order() -> None:
    async with Localnet(LocalnetSettings(rate=0)) as net, RpcClient(net.rpc_url) as client:
        share = ClientShare(client, rate=None, burst=10, concurrency=2, batch_calls=2)
        await net.step(40)
        assert share.endpoint == client.endpoint
        assert await Cluster(share).slot() == await Cluster(client).slot()
        first = net.settings.first_slot
        calls = [Call("getBlockTime", (first + at,)) for at in range(5)]
        assert await share.batch(calls, decoder=INTS) == await client.batch(calls, decoder=INTS)
        with pytest.raises(RpcRefused):
            await share.call("getNonsense", decoder=INTS)


async def test_only_so_many_batches_of_so_many_calls_are_under_way() -> None:
    class Watched(RpcClient):
        under_way = most = 0
        sizes: list[int] = []  # noqa: RUF012 - of this test's one client

        async def batch(self, calls, *, decoder, give_back=(), attempts=None):  # type: ignore[no-untyped-def]
            self.sizes.append(len(calls))
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0.01)
            self.under_way -= 1
            return [0] * len(calls)

    async with Watched("http://127.0.0.1:9") as client:
        share = ClientShare(client, rate=None, burst=10, concurrency=2, batch_calls=3)
        assert await share.batch([Call("getSlot", ())] * 10, decoder=INTS) == [0] * 10
        assert client.most == 2
        assert sorted(client.sizes) == [1, 3, 3, 3]


@pytest.mark.parametrize(
    ("url", "limits", "rate"),
    [
        ("http://127.0.0.1:8899", RpcSettings(), None),
        ("https://rpc.example", RpcSettings(), 1.0),
        ("https://rpc.example", RpcSettings(requests_per_second=0, method_requests_per_second=0), None),
        ("https://rpc.example", RpcSettings(requests_per_second=100, method_requests_per_second=0), 25.0),
    ],
)
async def test_the_healer_takes_a_part_of_the_limits_in_force(
    url: str, limits: RpcSettings, rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    class Noted(ClientShare):
        def __init__(self, client: Caller, *, rate: float | None, **more: int) -> None:
            seen["rate"] = rate
            super().__init__(client, rate=rate, **more)

    monkeypatch.setattr("heliograph_indexer.healer.ClientShare", Noted)
    async with RpcClient(url, limits) as client:
        heal_share(client, IndexerSettings(rpc_url=url, rpc=limits, heal=HealSettings(rate_share=0.25)))
    assert seen["rate"] == rate


async def test_a_share_of_a_pool_is_pinned_to_one_endpoint_and_stays_one_share() -> None:
    async with Localnet(LocalnetSettings(rate=0)) as one, Localnet(LocalnetSettings(rate=0)) as two:
        await one.step(10)
        await two.step(10)
        async with Pool.open((one.rpc_url, two.rpc_url), RpcSettings(attempts=1)) as pool:
            share = ClientShare(pool, rate=0.001, burst=5, concurrency=2, batch_calls=2)
            cluster = Cluster(share)
            assert len(cluster.each()) == 2
            node, pin = cluster.pinned()
            assert node.endpoint == pin.endpoint and ", " not in node.endpoint
            first = node.endpoint
            for asked in (cluster, node, cluster, node):
                await asked.slot()
            assert pin.fail(RpcUnavailable("of this test"))
            assert node.endpoint != first
            await node.slot()
            # All of them draw on the one bucket, which is empty now.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await cluster.slot()
