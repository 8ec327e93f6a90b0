"""Taking slots back: deletes everything that was written of them, and says what followed from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from heliograph_core.errors import WriteConflict
from heliograph_core.records import Market
from heliograph_sql.batch import Batch
from heliograph_sql.plan import RECORD_PLANS
from heliograph_sql.queries import load
from heliograph_sql.rows import SIGNATURES, TRANSACTIONS, UNDECODED

_TABLES = sorted(
    [*RECORD_PLANS.values(), SIGNATURES, TRANSACTIONS, UNDECODED], key=lambda plan: plan.full_name
)

HISTORY_SLACK_S = 3600
"""A state in the history has the time of an earlier block, which may be this much older than its slot's."""


class Cleared(NamedTuple):
    """What was taken back: keys of positions that lost changes, and the block times of what was deleted."""

    keys: list[str]
    times: list[int]


async def clear_slots(connection: Any, stream: str, slots: Sequence[int], batch: Batch) -> Cleared:
    """Deletes all rows of the slots, takes balances and markets back to what is left."""
    queries = load("correct.sql")
    await connection.execute(queries["lock_correcting"], stream)
    times = await connection.fetch(queries["find_slot_times"], stream, slots)
    at = [row["slot"] for row in times], [row["block_time"] for row in times]
    keys = [row["position_key"] for row in await connection.fetch(queries["find_position_keys"], stream, *at)]
    typed = load("typed.sql")
    if times:
        own = [row["name"] for row in await connection.fetch(typed["list_timed_tables"], stream)]
        await _delete_rows(connection, stream, own, at)
    history = await connection.fetchval(typed["find_history"], stream)
    if history is not None and times:
        # What was seen of accounts there may be of a block that is gone. Its time is of a block at or below the slot.
        delete = await connection.fetchval(typed["write_delete_history"], stream, history)
        await connection.execute(delete, slots, min(at[1]) - HISTORY_SLACK_S)
    balances = await connection.fetch(queries["delete_balances"], stream, slots)
    await connection.execute(
        queries["restore_balances"],
        stream,
        [row["wallet"] for row in balances],
        [row["asset"] for row in balances],
        [row["sub_account"] for row in balances],
    )
    again = [state.market for state in batch.states if isinstance(state, Market)]
    await connection.execute(queries["delete_markets"], stream, slots, again)
    return Cleared(keys, at[1])


async def _delete_rows(
    connection: Any, stream: str, own: Sequence[str], at: tuple[Sequence[int], Sequence[int]]
) -> None:
    """Rows of the slots in the tables that have any. own: those of the stream's schema; at: slots, and their block times."""
    queries, events = load("correct.sql"), load("events.sql")
    tables = [*((plan.schema, plan.name) for plan in _TABLES), *((stream, name) for name in own)]
    span = min(at[1]), max(at[1])
    find = await connection.fetchval(
        queries["write_find_filled"], *map(list, zip(*tables, strict=True)), *span
    )
    filled = {(row["schema"], row["name"]) for row in await connection.fetch(find, *at)}
    for schema, name in tables:
        if (schema, name) not in filled:
            continue
        if schema == stream:
            delete = await connection.fetchval(events["write_delete_rows"], schema, name, *span)
            await connection.execute(delete, *at)
        else:
            delete = await connection.fetchval(queries["write_delete_rows"], schema, name, *span)
            await connection.execute(delete, stream, *at)


async def store_slots(
    connection: Any, stream: str, slots: Sequence[int], batch: Batch, columns: Sequence[list[Any]]
) -> None:
    """Gives the slots the number of the commit under way. After the stream's row was locked, whose seq is the last.

    Raises WriteConflict where one of them is not covered.
    """
    queries = load("correct.sql")
    if not await connection.fetchval(queries["check_covered"], stream, slots):
        raise WriteConflict(
            f"stream {stream}: not all of slots {slots[0]}..{slots[-1]} are covered: commit them first"
        )
    await connection.execute(queries["rewrite_slots"], stream, slots, *columns)
    if batch.final:
        await connection.execute(queries["mark_audited"], stream, slots)
