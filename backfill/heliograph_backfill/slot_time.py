"""Which slot a time was: by bisection over the times of blocks, because slots have no fixed length.

getBlockTime is asked. Skipped slots have none, so that the next block above stands for them; times never go
backwards (FACTS section 3).
"""

from __future__ import annotations

from heliograph_core.errors import RpcError, RpcUnavailable
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.cluster import Cluster

LOOK_AHEAD = 64
"""Slots above one without a block that are asked at first for the next block; doubled until there is one."""
BLOCK_TRIES = 8
"""Blocks without a time that are passed over before the endpoint is called unable to tell."""


async def first_slot_since(cluster: Cluster, time: int, low: int, high: int) -> int:
    """The lowest slot of low..high from which on every block has a time of at least `time` (unix seconds).

    `low` where all have; `high` + 1 where none has. low and high: slots that the endpoint keeps and has reached.
    Raises RpcError.
    """
    end = high
    while low <= high:
        middle = (low + high) // 2
        found = await _timed_block(cluster, middle, end)
        if found is None or found[1] >= time:
            # From `middle` to the block found there is nothing earlier.
            high = middle - 1
        else:
            low = found[0] + 1
    return low


async def _timed_block(cluster: Cluster, slot: int, end: int) -> tuple[int, int] | None:
    """The first block at or above `slot` and its time, None where none is left up to `end`."""
    time = await _time(cluster, slot)
    if time is not None:
        return slot, time
    first, ahead, tries = slot + 1, LOOK_AHEAD, 0
    while first <= end:
        last = min(end, first + ahead - 1)
        for block in await cluster.block_slots(first, last):
            time = await _time(cluster, block)
            if time is not None:
                return block, time
            tries += 1
            if tries == BLOCK_TRIES:
                raise RpcUnavailable(
                    f"{cluster.endpoint} gives no time for {tries} blocks from slot {slot} on: give slots instead of a "
                    "time, or use another endpoint"
                )
        first, ahead = last + 1, ahead * 2
    return None


async def _time(cluster: Cluster, slot: int) -> int | None:
    try:
        return await cluster.block_time(slot)
    except RpcError as error:
        if error.code in faults.MISSING | faults.NOT_YET:
            return None
        raise
