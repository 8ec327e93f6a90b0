"""The listing by itself, against a node that is made up: what a page may and may not prove."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from heliograph_core.errors import RpcUnavailable
from heliograph_indexer.rpc.cluster import SignatureRow
from heliograph_indexer.sources.listing import Listing

PROGRAM = "A1phaProgram1111111111111111111111111111111"


class Node:
    """Lists `rows`, newest first, as getSignaturesForAddress does; `lost` is a cursor that it does not know."""

    endpoint = "http://node"

    def __init__(self, *rows: tuple[int, str]) -> None:
        self.rows = list(rows)
        self.lost = ""

    async def signatures(
        self, address: str, *, limit: int, before: str | None, until: str | None, min_context_slot: int
    ) -> list[SignatureRow]:
        names = [name for _, name in self.rows]
        start = 0 if before in (None, self.lost) else names.index(str(before)) + 1
        end = names.index(until) if until in names else len(names)
        return [SignatureRow(name, slot) for slot, name in self.rows[start:end][:limit]]


def listing(node: Any, *, page: int = 1000) -> Listing:
    return Listing(node, PROGRAM, 10, page=page, window=1000, on_incident=lambda *_: None)


def signatures(listed: Listing, through: int) -> list[str]:
    return [row.signature for row in listed.rows_through(through)]


async def test_a_row_above_the_proof_is_no_anchor() -> None:
    """The index of a node shows slot 14 before 13: who held on to 14 would never look below it again."""
    node = Node((14, "d"), (12, "c"), (11, "b"), (9, "a"))
    listed = listing(node)
    await listed.extend(12)
    assert signatures(listed, 20) == ["b", "c"]
    listed.take(12)
    node.rows.insert(1, (13, "between"))
    await listed.extend(14)
    assert signatures(listed, 20) == ["between", "d"]


async def test_a_page_that_begins_above_its_cursor_is_not_used() -> None:
    """Old nodes answer a cursor that they do not know with their newest page."""
    node = Node((14, "e"), (13, "d"), (12, "c"), (11, "b"), (9, "a"))
    node.lost = "d"
    listed = listing(node, page=2)
    with pytest.raises(RpcUnavailable, match="lists slot 14 behind slot 13"):
        async with asyncio.timeout(5):
            await listed.extend(14)
    assert listed.complete_through == 9
    assert signatures(listed, 20) == []
    node.lost = ""
    await listed.extend(14)
    assert signatures(listed, 20) == ["b", "c", "d", "e"]
