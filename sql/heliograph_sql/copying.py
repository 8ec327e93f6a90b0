"""Sends rows to PostgreSQL by COPY. What one table cannot hold is found by halving and handed back, not lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import msgspec

from heliograph_sql.copy_encoder import HEADER, OPTIONS, TRAILER, RowRefused, Turn, by_attribute, encode
from heliograph_sql.plan import TablePlan

ROWS_AT_ONCE = 200
"""Rows that are encoded before others run again: about a millisecond for the widest tables."""
ROUNDS_BETWEEN = 3
"""Rounds of the event loop between them. In one an answer is read, in the next its reader goes on; with a single round each
would wait for another slice of encoding, and a commit has a dozen answers."""

# Data exception, integrity constraint violation, program limit exceeded (an index entry that is too long).
_REFUSING_CLASSES = frozenset({"22", "23", "54"})
_CONFLICTS = (asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError, asyncpg.ForeignKeyViolationError)


class Refused(msgspec.Struct, frozen=True):
    """A row that the database cannot hold, and why."""

    plan: TablePlan
    row: Any
    reason: str


def is_refusal(error: BaseException) -> bool:
    """Whether the rows themselves are at fault, so that writing them again cannot help."""
    if isinstance(error, RowRefused):
        return True
    return (
        isinstance(error, asyncpg.PostgresError)
        and not isinstance(error, _CONFLICTS)
        and str(error.sqlstate)[:2] in _REFUSING_CLASSES
    )


def first_line(error: BaseException) -> str:
    """What the error says, without the details below it: PostgreSQL repeats the row there."""
    return str(error).split("\n", 1)[0]


async def encode_rows(
    plan: TablePlan,
    rows: Sequence[Any],
    altered: Callable[[Any], object] | None = None,
    turn: Turn | None = None,
) -> list[bytes]:
    """COPY data of all rows, in chunks; the event loop runs between them. Raises RowRefused.

    altered: called with rows whose text held NUL. turn: None for structs.
    """
    turn = turn or by_attribute(plan)
    chunks = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chunks.append(encode(plan, rows[start : start + ROWS_AT_ONCE], turn, altered))
        for _ in range(ROUNDS_BETWEEN):
            await asyncio.sleep(0)
    return chunks


async def copy_chunks(connection: Any, plan: TablePlan, chunks: Sequence[bytes]) -> None:
    """Sends what `encode_rows` made. Raises what asyncpg raises."""

    async def source() -> AsyncIterator[bytes]:
        yield HEADER
        for chunk in chunks:
            yield chunk
        yield TRAILER

    await connection.copy_to_table(
        plan.name, schema_name=plan.schema, columns=plan.column_names, source=source(), **OPTIONS
    )


async def copy_rows(
    connection: Any,
    plan: TablePlan,
    rows: Sequence[Any],
    altered: Callable[[Any], object] | None = None,
    turn: Turn | None = None,
) -> None:
    """Writes all rows or raises: RowRefused, with nothing sent, or what asyncpg raises."""
    await copy_chunks(connection, plan, await encode_rows(plan, rows, altered, turn))


async def copy_what_fits(
    connection: Any,
    plan: TablePlan,
    rows: Sequence[Any],
    altered: Callable[[Any], object] | None = None,
    turn: Turn | None = None,
) -> list[Refused]:
    """Writes every row that the table can hold and returns the others. Inside a transaction only.

    Costs a savepoint a try: n refused rows of N take about n * log2(N) tries.
    """
    if not rows:
        return []
    seen: list[Any] = []
    try:
        async with connection.transaction():
            await copy_rows(connection, plan, rows, seen.append, turn)
    except (RowRefused, asyncpg.PostgresError) as error:
        if not is_refusal(error):
            raise
        if len(rows) == 1:
            return [Refused(plan, rows[0], first_line(error))]
    else:
        if altered is not None:
            for row in seen:
                altered(row)
        return []
    middle = len(rows) // 2
    return [
        *await copy_what_fits(connection, plan, rows[:middle], altered, turn),
        *await copy_what_fits(connection, plan, rows[middle:], altered, turn),
    ]
