"""Audits as the database keeps them: what waits, what is compared, and how far rows are final."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import LeaseLost
from heliograph_core.intervals import SlotSet
from heliograph_sql.audit import (
    StoredSlot,
    StoredTransaction,
    list_accounts_since,
    read_audit_progress,
    read_stored_slots,
)
from heliograph_sql.database import Database
from heliograph_sql.streams import get_stream
from heliograph_sql.writer import Writer


async def final_slot(database: Database, writer: Writer) -> int | None:
    row = await get_stream(database, writer.stream)
    assert row is not None
    return row.final_slot


async def test_what_is_covered_and_not_audited_waits(database: Database, writer: Writer, make: Any) -> None:
    await writer.commit(make.batch(1, 10), epoch=None)
    await writer.commit(make.batch(21, 30), epoch=None)
    assert await writer.mark_audited(4, 25, epoch=None) is None
    progress = await read_audit_progress(database, writer.stream)
    assert progress.covered == SlotSet([(1, 10), (21, 30)])
    assert progress.unaudited == SlotSet([(1, 3), (26, 30)])
    assert progress.final_slot is None


async def test_final_slot_stops_at_a_gap_and_at_what_is_not_audited(
    database: Database, writer: Writer, make: Any
) -> None:
    first = (await get_stream(database, writer.stream)).first_slot  # type: ignore[union-attr]
    await writer.commit(make.batch(first, first + 9), epoch=None)
    await writer.commit(make.batch(first + 20, first + 29), epoch=None)
    assert await writer.mark_audited(first + 5, first + 40, epoch=None) is None
    assert await writer.mark_audited(first, first + 2, epoch=None) == first + 2
    assert await writer.mark_audited(first + 3, first + 4, epoch=None) == first + 9
    await writer.commit(make.batch(first + 10, first + 19), epoch=None)
    assert await final_slot(database, writer) == first + 9
    assert await writer.mark_audited(first + 10, first + 19, epoch=None) == first + 29


async def test_an_audit_without_differences_takes_no_number(
    database: Database, writer: Writer, make: Any, fetch: Any
) -> None:
    await writer.commit(make.batch(1, 10), epoch=None)
    await writer.mark_audited(1, 10, epoch=None)
    assert await fetch("SELECT seq FROM heliograph.commits") == [(1,)]
    assert await fetch("SELECT seq FROM heliograph.streams") == [(1,)]


async def test_only_the_leader_of_now_may_audit(database: Database, writer: Writer, make: Any) -> None:
    await writer.commit(make.batch(1, 10), epoch=None)
    with pytest.raises(LeaseLost):
        await writer.mark_audited(1, 10, epoch=99)
    assert (await read_audit_progress(database, writer.stream)).unaudited == SlotSet([(1, 10)])


async def test_a_correction_moves_final_slot_with_its_rows(
    database: Database, writer: Writer, make: Any, fetch: Any
) -> None:
    first = (await get_stream(database, writer.stream)).first_slot  # type: ignore[union-attr]
    await writer.commit(make.batch(first, first + 9, [make.trade(first + 3)]), epoch=None)
    new = make.batch(first + 3, first + 3, [make.trade(first + 3, tx_index=5)])
    seq = await writer.rewrite_slots([first + 3], new, epoch=None, audited=(first, first + 7))
    assert await final_slot(database, writer) == first + 7
    assert await fetch(f"SELECT kind FROM heliograph.commits WHERE seq = {seq}") == [("correct",)]


async def test_slots_are_read_as_an_audit_compares_them(
    database: Database, writer: Writer, make: Any
) -> None:
    await writer.commit(
        make.batch(1, 3, [make.trade(1), make.trade(1, tx_index=4), make.trade(3)]), epoch=None
    )
    assert await read_stored_slots(database, writer.stream, 1, 2) == {
        1: StoredSlot("hash1", (StoredTransaction("sig1-0", 0, None), StoredTransaction("sig1-4", 4, None)))
    }
    await writer.rewrite_slots([1], make.batch(1, 1), epoch=None)
    assert await read_stored_slots(database, writer.stream, 1, 1) == {1: StoredSlot(None, ())}


async def test_accounts_are_found_by_slot_and_by_name(database: Database, writer: Writer) -> None:
    from heliograph_core.account import AccountState

    states = [
        AccountState(address, "program", slot, lamports, b"", None, None, None)
        for address, slot, lamports in (("a", 5, 1), ("b", 9, 0), ("c", 7, 1))
    ]
    await writer.commit_accounts(states, [], through=None, epoch=None)
    assert await list_accounts_since(database, writer.stream, 7, ["a", "z"]) == [
        ("a", "program", 5),
        ("b", "program", 9),
        ("c", "program", 7),
    ]
    assert await list_accounts_since(database, writer.stream, 8, []) == [("b", "program", 9)]
