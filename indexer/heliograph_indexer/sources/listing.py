"""The signatures of one program as the record lists them: paged from the newest down, handed out from the oldest up.

getSignaturesForAddress is the record. A page is believed only as a link of a chain: it must reach a row that is
known already (the anchor), or, at the very start, a row below the first slot wanted or the beginning of history.
A short page is not the end. What contradicts the chain raises; nothing is handed out on a doubt.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from heliograph_core.errors import RpcError, RpcRefused, RpcUnavailable
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.cluster import Cluster, SignatureRow

KNOWN_ROWS = 16
"""Rows below the open slot that are remembered as anchors; each that a fork dropped is given up for an older one."""
ASK_AGAIN_S = 0.1
"""Pause before an empty page is asked for a second time."""

OnIncident = Callable[[str, int | None, dict[str, object]], None]
"""Told of (kind, slot, detail) when something went wrong that did not stop the stream."""


class Listing:
    """Rows of one program from slot `first` on.

    Memory: at most `window` rows and one page more, besides one cursor for each page beyond it and the rows of one slot.
    A window that fills up while a long gap is paged drops its newest page and keeps the page's cursor; when the
    oldest rows have been taken, paging goes on from that cursor.
    """

    def __init__(
        self, cluster: Cluster, program: str, first: int, *, page: int, window: int, on_incident: OnIncident
    ) -> None:
        self._cluster = cluster
        self._program = program
        self._page_rows = page
        self._window_pages = max(1, window // page)
        self._on_incident = on_incident
        self._open = first
        self._top: SignatureRow | None = None
        self._taken: deque[SignatureRow] = deque(maxlen=KNOWN_ROWS)
        self._rows: deque[SignatureRow] = deque()
        self._cursors: list[SignatureRow] = []
        self.complete_through = first - 1
        """Every row up to and including this slot is listed."""

    def begin_below(self, cursor: SignatureRow) -> None:
        """Pages from `cursor` down instead of from the tip: any transaction of a block above everything wanted."""
        self._top = cursor

    async def extend(self, through: int, *, give_up_cursors: bool = True) -> None:
        """Lists on, up to slot `through` at most, which the endpoint must have answered for before this call.

        Afterwards complete_through is `through`, or lower where the window filled up: take() and call again.
        Raises RpcUnavailable where the pages do not reach what is known; the listing is then as it was before.
        give_up_cursors: a signature to page by that the endpoint does not know is given up for an older one; else its
        refusal is raised, for another endpoint may know it.
        """
        if self._cursors:
            at = max(0, len(self._cursors) - self._window_pages)
            start: SignatureRow | None = self._cursors[at]
            cursors = self._cursors[:at]
        else:
            start, cursors = self._top, []
        try:
            walk = await self._walk(start, through)
        except _AnchorMissing:
            await self._lost(through)
            return
        except RpcRefused as error:
            if error.code != faults.UNKNOWN_CURSOR or not give_up_cursors:
                raise
            self._drop_cursor(error)
            return
        # The tip is not a place to resume from: it is asked anew, with a new proof.
        self._cursors = cursors + [
            cursor for cursor in walk.dropped if cursor is not None and cursor is not self._top
        ]
        self._taken.extend(walk.below)
        self._keep_late(walk.late)
        for page in reversed(walk.pages):
            self._rows.extend(reversed(page))
        if start is self._top and not walk.dropped:
            self.complete_through = through
        else:
            # The newest slot held may have more rows on the page above.
            newest = self._rows[-1].slot if self._rows else self._open
            self.complete_through = max(self.complete_through, newest - 1)

    def rows_through(self, slot: int) -> list[SignatureRow]:
        """Listed and not taken, oldest first, up to and including `slot`."""
        found = []
        for row in self._rows:
            if row.slot > slot:
                break
            found.append(row)
        return found

    def take(self, through: int) -> None:
        """Everything up to and including `through` was handed out: it is remembered as anchors only."""
        while self._rows and self._rows[0].slot <= through:
            self._taken.append(self._rows.popleft())
        self._open = max(self._open, through + 1)

    def rewind(self) -> None:
        """Forgets what was listed and not taken, because the record contradicted it."""
        self._rows.clear()
        self._cursors.clear()
        self.complete_through = self._open - 1

    async def _walk(self, start: SignatureRow | None, through: int) -> _Walk:
        """Pages from `start` (None: the tip) down to the anchor."""
        anchor = self._newest(1)
        before_anchor = self._newest(2)
        until = before_anchor.signature if anchor is not None and before_anchor is not None else None
        pages: deque[list[SignatureRow]] = deque()
        made_by: deque[SignatureRow | None] = deque()
        late: list[SignatureRow] = []
        dropped: list[SignatureRow | None] = []
        cursor = start
        while True:
            page = await self._page(cursor, until, through)
            if not page:
                page = await self._empty_again(cursor, until, through)
            if not page:
                if anchor is not None:
                    raise _AnchorMissing
                await self._require_whole_history(cursor, through)
                return _Walk(list(pages), dropped, [], late)
            rows, reached, below = self._sift(page, anchor, through)
            found_late: list[SignatureRow] = []
            while rows and rows[-1].slot < self._open:
                found_late.append(rows.pop())
            late[:0] = found_late
            if rows:
                pages.append(rows)
                made_by.append(cursor)
                if len(pages) > self._window_pages:
                    pages.popleft()
                    dropped.append(made_by.popleft())
            if reached:
                return _Walk(list(pages), dropped, below, late)
            cursor = page[-1]

    def _sift(
        self, page: list[SignatureRow], anchor: SignatureRow | None, through: int
    ) -> tuple[list[SignatureRow], bool, list[SignatureRow]]:
        rows: list[SignatureRow] = []
        for at, row in enumerate(page):
            if anchor is not None:
                if row.signature == anchor.signature:
                    return rows, True, []
                if row.slot < anchor.slot:
                    raise _AnchorMissing
            elif row.slot < self._open:
                return rows, True, page[at : at + KNOWN_ROWS][::-1]
            if row.slot <= through:
                rows.append(row)
        return rows, False, []

    def _newest(self, nth: int) -> SignatureRow | None:
        if nth <= len(self._rows):
            return self._rows[-nth]
        nth -= len(self._rows)
        return self._taken[-nth] if nth <= len(self._taken) else None

    async def _page(self, cursor: SignatureRow | None, until: str | None, through: int) -> list[SignatureRow]:
        page = await self._cluster.signatures(
            self._program,
            limit=self._page_rows,
            before=cursor.signature if cursor is not None else None,
            until=until,
            min_context_slot=through,
        )
        newest = cursor.slot if cursor is not None else None
        for row in page:
            if newest is not None and row.slot > newest:
                # Nodes before Agave 4.0 answer an unknown cursor with their newest page.
                raise RpcUnavailable(
                    f"getSignaturesForAddress at {self._cluster.endpoint} lists slot {row.slot} behind slot {newest} "
                    f"for {self._program}: the page is not used and asked for again"
                )
            newest = row.slot
        return page

    async def _empty_again(
        self, cursor: SignatureRow | None, until: str | None, through: int
    ) -> list[SignatureRow]:
        await asyncio.sleep(ASK_AGAIN_S)
        return await self._page(cursor, until, through)

    async def _require_whole_history(self, cursor: SignatureRow | None, through: int) -> None:
        """The list ended above the open slot: believed only of an endpoint that still keeps the blocks from there on.

        Old nodes answer an unknown cursor with an empty page, so the cursor must still be on the chain.
        """
        if cursor is not None and await self._verdict(cursor, through) is not None:
            raise RpcUnavailable(
                f"{cursor.signature} of slot {cursor.slot}, from which {self._cluster.endpoint} was asked to page on, is "
                "no longer on the chain: paging begins anew"
            )
        try:
            kept_from = await self._cluster.first_available_block()
        except RpcRefused as error:
            if error.code == faults.METHOD_NOT_FOUND:
                return
            raise
        if kept_from > self._open:
            raise RpcRefused(
                f"{self._cluster.endpoint} keeps blocks from slot {kept_from} only, and slot {self._open} is wanted: "
                f"start at slot {kept_from} or later, or use an endpoint with longer history"
            )

    async def _lost(self, through: int) -> None:
        """The pages do not hold the last known row. Gives it up where the chain has dropped it, else raises."""
        if self._rows:
            # What was listed and not handed out is simply listed anew.
            self.rewind()
            return
        anchor = self._taken[-1]
        verdict = await self._verdict(anchor, through)
        if verdict is None and len(self._taken) > 1:
            # A fork may have moved the transaction that ended the page above the anchor: the next walk goes without it.
            self._taken.clear()
            self._taken.append(anchor)
            return
        if verdict is None:
            raise RpcUnavailable(
                f"getSignaturesForAddress at {self._cluster.endpoint} does not reach {anchor.signature} of slot "
                f"{anchor.slot} for {self._program}, which its block holds: the node is behind or misses history; "
                "nothing is taken from it until it does"
            )
        detail: dict[str, object] = {"program": self._program, "signature": anchor.signature, "why": verdict}
        self._on_incident("anchor_lost", anchor.slot, detail)
        self._taken.pop()

    def _drop_cursor(self, error: RpcRefused) -> None:
        """The node does not know a signature that paging went by: the next walk goes by fewer."""
        if self._rows or self._top is not None:
            self._top = None
            self.rewind()
        elif len(self._taken) > 1:
            anchor = self._taken[-1]
            self._taken.clear()
            self._taken.append(anchor)
        else:
            raise RpcUnavailable(f"{error}: paging begins anew", code=error.code) from error

    def _keep_late(self, late: list[SignatureRow]) -> None:
        """Rows that turned up in slots handed out before: not for this walk to add, but not to be overlooked."""
        for row in late:
            detail: dict[str, object] = {"program": self._program, "signature": row.signature}
            self._on_incident("late_row", row.slot, detail)
            self._taken.append(row)

    async def _verdict(self, anchor: SignatureRow, through: int) -> str | None:
        try:
            block = await self._cluster.block(anchor.slot)
        except RpcError as error:
            if error.code in faults.MISSING | faults.NOT_YET:
                slots = await self._cluster.block_slots(anchor.slot, through)
                return "its slot was skipped by a fork" if slots and slots[0] > anchor.slot else None
            if error.code == faults.BLOCK_CLEANED_UP:
                kept_from = await self._cluster.first_available_block()
                return "the node no longer keeps its block" if kept_from <= self._open else None
            raise
        return None if anchor.signature in block.signatures else "another block stands in its slot"


class _Walk(NamedTuple):
    pages: list[list[SignatureRow]]
    """Pages kept, newest first, each newest first."""
    dropped: list[SignatureRow | None]
    """Cursors of the pages that the window had no room for, newest first; None is the tip."""
    below: list[SignatureRow]
    """Rows below the open slot that were met where there was no anchor, oldest first."""
    late: list[SignatureRow]
    """Rows above the anchor and below the open slot, oldest first."""


class _AnchorMissing(Exception):
    """The pages ended or passed below the anchor without showing it."""
