"""What the record says of a range that was read before: signatures, places, errors, blockhashes; no transactions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

import msgspec

from heliograph_core.errors import RpcError, RpcUnavailable
from heliograph_indexer.audit import Seen
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.cluster import Cluster, SignatureRow
from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.listing import Listing, OnIncident
from heliograph_indexer.sources.rpc import PROOF_DEPTH, skip_above, union_rows
from heliograph_sql.audit import StoredSlot

SKIPS_IN_A_ROW = 512
"""Slots above a skipped one in which the next block is looked for."""
IDLE_ROUNDS = 3
"""How often a listing may fail to grow before the endpoint is called unavailable."""


class Listed(msgspec.Struct, frozen=True):
    """All rows of the stream in first..last, both inclusive, by slot and signature."""

    first: int
    last: int
    slots: dict[int, dict[str, SignatureRow]]


async def proved_slot(cluster: Cluster) -> int:
    """A slot at or near the tip whose block the endpoint answers for. Raises RpcUnavailable where there is none."""
    tip = await cluster.slot()
    for slot in range(tip, max(0, tip - PROOF_DEPTH), -1):
        found = (await cluster.blockhashes([slot]))[0]
        if not isinstance(found, RpcError):
            return slot
        if found.code not in faults.NOT_YET | faults.MISSING:
            raise found
    raise RpcUnavailable(
        f"{cluster.endpoint} shows slot {tip} and none of the blocks of its last {PROOF_DEPTH} slots"
    )


async def list_record(
    cluster: Cluster,
    programs: Sequence[str],
    first: int,
    last: int,
    tip: int,
    settings: IndexerSettings,
    on_incident: OnIncident,
) -> AsyncGenerator[Listed, None]:
    """first..last in adjacent pieces of about `span_transactions` rows. tip: a slot that was proved, `last` or above.

    Raises RpcUnavailable where the pages do not reach below `first`, RpcRefused where the endpoint no longer can.
    """
    listings = [
        Listing(
            cluster,
            program,
            first,
            page=settings.page_signatures,
            window=settings.window_signatures,
            on_incident=on_incident,
        )
        for program in programs
    ]
    await skip_above(cluster, last, tip, listings)
    idle = 0
    while first <= last:
        for listing in listings:
            if listing.complete_through < last:
                await listing.extend(last)
        through = min(listing.complete_through for listing in listings)
        if through < first:
            idle += 1
            if idle >= IDLE_ROUNDS:
                raise RpcUnavailable(f"{cluster.endpoint} lists nothing of slots {first}..{last} whole")
            continue
        idle = 0
        rows = union_rows(listing.rows_through(through) for listing in listings)
        for piece in _pieces(first, through, rows, settings.span_transactions):
            yield piece
        for listing in listings:
            listing.take(through)
        first = through + 1


async def see_blocks(
    cluster: Cluster, stored: Mapping[int, StoredSlot], listed: Mapping[int, Mapping[str, SignatureRow]]
) -> dict[int, Seen]:
    """The blocks by which stored slots are compared with listed ones: the hash alone where that will do.

    A block that is missing or not there yet is left out: its slot is a suspect then, and is looked at closely.
    """
    both = [slot for slot in listed if slot in stored]
    whole = [slot for slot in both if any(row.transaction_index is None for row in listed[slot].values())]
    hashed = [slot for slot in both if stored[slot].blockhash is not None and slot not in set(whole)]
    seen: dict[int, Seen] = {}
    for slot, head in zip(whole, await cluster.blocks(whole), strict=True) if whole else ():
        if not isinstance(head, RpcError):
            seen[slot] = Seen(head.blockhash, head.signatures)
        elif head.code not in faults.MISSING | faults.NOT_YET:
            raise head
    for slot, blockhash in zip(hashed, await cluster.blockhashes(hashed), strict=True) if hashed else ():
        if not isinstance(blockhash, RpcError):
            seen[slot] = Seen(blockhash)
        elif blockhash.code not in faults.MISSING | faults.NOT_YET:
            raise blockhash
    return seen


async def require_skipped(cluster: Cluster, slot: int) -> None:
    """Raises RpcUnavailable unless the next block's parent is below the slot: no code alone proves a skip."""
    above = await cluster.block_slots(slot, slot + SKIPS_IN_A_ROW)
    if above and above[0] > slot and (await cluster.block(above[0])).parent_slot < slot:
        return
    raise RpcUnavailable(
        f"{cluster.endpoint} has no block in slot {slot} and none above that proves it was skipped: asked again"
    )


def _pieces(first: int, last: int, rows: Sequence[SignatureRow], most: int) -> list[Listed]:
    """Cut at ends of slots, so that a piece holds at least one slot and hardly more than `most` rows. Pure."""
    pieces: list[Listed] = []
    slots: dict[int, dict[str, SignatureRow]] = {}
    count = 0
    for row in rows:
        if count >= most and row.slot not in slots:
            end = next(reversed(slots))
            pieces.append(Listed(first, end, slots))
            first, slots, count = end + 1, {}, 0
        slots.setdefault(row.slot, {})[row.signature] = row
        count += 1
    return [*pieces, Listed(first, last, slots)]
