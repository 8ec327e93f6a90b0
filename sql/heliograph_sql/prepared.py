"""A batch made ready for COPY before its transaction begins, so that no lock waits for encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from heliograph_sql.batch import Batch
from heliograph_sql.copy_encoder import RowRefused, Turn
from heliograph_sql.copying import encode_rows
from heliograph_sql.event_tables import EventTables
from heliograph_sql.plan import TablePlan
from heliograph_sql.rows import rows_by_table


class PreparedTable(msgspec.Struct):
    """Rows of one table and their COPY data. altered: those whose text held NUL."""

    plan: TablePlan
    rows: Sequence[Any]
    turn: Turn
    chunks: list[bytes]
    altered: list[Any]


class Prepared(msgspec.Struct, frozen=True):
    """A batch and its tables in name order, `undecoded` left out. refusal: why one of the rows cannot be encoded."""

    batch: Batch
    tables: Sequence[PreparedTable]
    refusal: RowRefused | None = None


async def prepare(batch: Batch, tables: EventTables) -> Prepared:
    """Encodes everything that is written by COPY; the event loop runs in between."""
    made = [
        PreparedTable(table.plan, table.rows, table.turn, [], []) for table in rows_by_table(batch, tables)
    ]
    try:
        for table in made:
            table.chunks = await encode_rows(table.plan, table.rows, table.altered.append, table.turn)
    except RowRefused as error:
        return Prepared(batch, made, error)
    return Prepared(batch, made)
