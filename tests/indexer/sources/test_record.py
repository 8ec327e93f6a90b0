"""Listing a range again: whole, in order, in pieces, without a transaction fetched."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import RpcUnavailable
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.sources.record import Listed, list_record, proved_slot
from heliograph_localnet.faults import Reaction

FIRST = 1000


async def listed(
    world: Any, programs: dict[str, str], first: int, last: int, commitment: str = "confirmed", **changes: Any
) -> list[Listed]:
    settings = world.settings(**changes)
    async with RpcClient(settings.rpc_url, settings.rpc) as client:
        cluster = Cluster(client, commitment)
        tip = await proved_slot(cluster)
        ours = (programs["alpha"], programs["beta"])
        pieces = list_record(cluster, ours, first, last, tip, settings, lambda *_: None)
        return [piece async for piece in pieces]


def rows(pieces: list[Listed]) -> dict[int, list[tuple[int, str, bool]]]:
    return {
        slot: sorted(
            (row.transaction_index or 0, row.signature, row.err is not None) for row in found.values()
        )
        for piece in pieces
        for slot, found in piece.slots.items()
    }


@pytest.mark.parametrize(("page", "window"), [(1000, 50_000), (7, 50_000), (7, 14)])
async def test_every_row_of_the_range_is_listed_once(
    world: Any, programs: dict[str, str], page: int, window: int
) -> None:
    world.traffic(120)
    first, last = FIRST + 20, world.confirmed - 15
    pieces = await listed(
        world, programs, first, last, page_signatures=page, window_signatures=window, span_transactions=10
    )
    assert [piece.first for piece in pieces] == [first, *(piece.last + 1 for piece in pieces[:-1])]
    assert pieces[-1].last == last
    assert rows(pieces) == {slot: found for slot, (_, found) in world.expected(first, last).items()}


async def test_a_range_far_below_the_tip_is_not_paged_from_the_tip(
    world: Any, programs: dict[str, str]
) -> None:
    world.traffic(600, most=2)
    pages = 0

    def count(occasion: Any) -> None:
        nonlocal pages
        pages += occasion.method == "getSignaturesForAddress"

    world.node.faults.add(count)
    first, last = FIRST + 10, FIRST + 30
    pieces = await listed(world, programs, first, last, page_signatures=20)
    assert rows(pieces) == {slot: found for slot, (_, found) in world.expected(first, last).items()}
    assert pages < 20


async def test_a_tip_without_a_block_proves_nothing(world: Any, programs: dict[str, str]) -> None:
    world.traffic(20, skips=0.0)
    world.node.faults.on(
        "request", Reaction(error=(-32004, "Block not available for slot", None)), methods={"getBlock"}
    )
    with pytest.raises(RpcUnavailable, match="none of the blocks"):
        await listed(world, programs, FIRST, FIRST + 5)


async def test_the_tip_of_the_finalized_record_is_final(world: Any, programs: dict[str, str]) -> None:
    world.traffic(80)
    settings = world.settings()
    async with RpcClient(settings.rpc_url, settings.rpc) as client:
        assert await proved_slot(Cluster(client, "finalized")) <= world.confirmed - 30
