"""Times become slots by asking for the times of blocks; slots without a block are no obstacle."""

from __future__ import annotations

import random
from collections.abc import Collection

import pytest

from heliograph_backfill.slot_time import first_slot_since
from heliograph_core.errors import RpcUnavailable
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings


class Blocks(Cluster):
    """A cluster of blocks with these times; `timeless` have none."""

    def __init__(self, times: dict[int, int], timeless: Collection[int] = ()) -> None:
        super().__init__(RpcClient("http://127.0.0.1:9"))
        self.times, self.timeless, self.asked = times, timeless, 0

    async def block_time(self, slot: int) -> int | None:
        self.asked += 1
        if slot in self.timeless:
            return None
        if slot not in self.times:
            raise faults.from_code(self.endpoint, "getBlockTime", -32009, "skipped")
        return self.times[slot]

    async def block_slots(self, first: int, last: int) -> list[int]:
        return [slot for slot in sorted({*self.times, *self.timeless}) if first <= slot <= last]


@pytest.mark.parametrize("seed", range(30))
async def test_the_slot_found_is_the_lowest_from_which_on_no_block_is_earlier(seed: int) -> None:
    dice = random.Random(seed)
    times, time = {}, 1_700_000_000
    # Slots of changing length, several a second, with holes of any size.
    for slot in range(1_000, 1_600):
        time += dice.choice((0, 0, 0, 1, 1, 2, 30)) if slot > 1_300 else dice.choice((0, 0, 1))
        if not (1_100 <= slot < 1_250) and dice.random() > 0.3:
            times[slot] = time
    cluster = Blocks(times)
    wanted = dice.randrange(1_700_000_000 - 5, time + 5)
    found = await first_slot_since(cluster, wanted, 1_000, 1_599)
    assert all(times[slot] < wanted for slot in times if slot < found)
    assert all(times[slot] >= wanted for slot in times if slot >= found)
    below = [slot for slot in times if times[slot] < wanted]
    assert found == (max(below) + 1 if below else 1_000)


async def test_few_blocks_are_asked_for_however_long_history_is() -> None:
    class Endless(Blocks):
        async def block_time(self, slot: int) -> int | None:
            self.asked += 1
            return 1_600_000_000 + slot // 4

    cluster = Endless({})
    assert await first_slot_since(cluster, 1_600_000_000 + 50_000_000, 0, 400_000_000) == 200_000_000
    assert cluster.asked <= 30


async def test_blocks_without_a_time_are_passed_over_and_an_endpoint_without_times_is_named() -> None:
    times = {slot: 1_700_000_000 + slot for slot in range(100, 200)}
    few = Blocks(times, timeless=range(148, 153))
    assert await first_slot_since(few, 1_700_000_160, 100, 199) == 160
    with pytest.raises(RpcUnavailable, match=r"gives no time for 8 blocks .*give slots instead"):
        await first_slot_since(Blocks({}, timeless=range(100, 200)), 1_700_000_160, 100, 199)


async def test_it_agrees_with_localnet() -> None:
    async with Localnet(LocalnetSettings(seed=3, rate=0, skip_probability=0.2)) as net:
        await net.step(300)
        final = net.chain.slot_at(Commitment.FINALIZED)
        async with RpcClient(net.rpc_url) as client:
            for ago in (5, 17, 40):
                wanted = net.chain.time_of(final) - ago
                found = await first_slot_since(Cluster(client), wanted, net.settings.first_slot, final)
                blocks = [block.slot for block in net.chain.blocks(net.settings.first_slot, final)]
                earlier = [slot for slot in blocks if net.chain.time_of(slot) < wanted]
                assert found == max(earlier) + 1
