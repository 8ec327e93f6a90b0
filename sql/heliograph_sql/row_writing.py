"""Writes the event-like rows of a batch; what a table refuses goes to `undecoded` with the reason, or is an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from heliograph_core.errors import DatabaseError
from heliograph_core.event import Channel
from heliograph_sql.batch import Batch, Incident
from heliograph_sql.copy_encoder import RowRefused
from heliograph_sql.copying import Refused, copy_chunks, copy_rows, copy_what_fits
from heliograph_sql.plan import TablePlan
from heliograph_sql.prepared import Prepared
from heliograph_sql.rows import SIGNATURES, UNDECODED, UndecodedRow, key_of, place_of, undecoded_rows

NUL_REASON = "text holds NUL, which PostgreSQL cannot store: the row has U+2400 in its place"
RECORD_CHANNEL = "record"
"""Channel of an undecoded row whose raw event is not at hand: its data is the refused row as JSON."""


class Written(msgspec.Struct):
    """What was written. refused: id() of each record that was not. tables: rows written by table, the lookup of signatures
    left out.
    """

    tables: dict[str, int]
    refused: frozenset[int]
    incidents: list[Incident]

    @property
    def count(self) -> int:
        """Rows of all tables."""
        return sum(self.tables.values())


async def write_rows(connection: Any, prepared: Prepared, *, careful: bool) -> Written:
    """COPY, table after table in name order, `undecoded` last, since it takes what the others refuse.

    careful: find the rows that are refused; else the first refusal is raised, as DatabaseError from its cause.
    Inside a transaction.
    """
    if prepared.refusal is not None and not careful:
        raise DatabaseError(str(prepared.refusal)) from prepared.refusal
    batch = prepared.batch
    altered: list[Any] = []
    refused: list[Refused] = []
    written: Counter[str] = Counter()
    for table in prepared.tables:
        if careful:
            doubles = _doubles(table.plan, table.rows)
            refused += doubles
            left_out = {id(double.row) for double in doubles}
            rows = [row for row in table.rows if id(row) not in left_out]
            refused += await copy_what_fits(connection, table.plan, rows, altered.append, table.turn)
        else:
            await copy_chunks(connection, table.plan, table.chunks)
            altered += table.altered
        # The lookup of signatures repeats the transactions.
        if table.plan is not SIGNATURES:
            written[table.plan.full_name] += len(table.rows)
    asides = undecoded_rows(batch.stream, batch.undecoded)
    asides += _set_aside(batch, [(one.row, one.reason) for one in refused])
    asides += _set_aside(batch, [(row, NUL_REASON) for row in altered])
    kept = _merge(asides)
    lost: list[Refused] = []
    if careful:
        lost = await copy_what_fits(connection, UNDECODED, kept)
    elif kept:
        try:
            await copy_rows(connection, UNDECODED, kept)
        except RowRefused as error:
            raise DatabaseError(str(error)) from error
    for one in refused:
        if one.plan is not SIGNATURES:
            written[one.plan.full_name] -= 1
    written[UNDECODED.full_name] += len(kept) - len(lost)
    placeless = [one for one in refused if place_of(one.row) is None]
    return Written(
        tables={table: count for table, count in written.items() if count},
        refused=frozenset(id(one.row) for one in refused),
        incidents=[_incident(one) for one in [*placeless, *lost]],
    )


def has_doubles(prepared: Prepared) -> bool:
    """Whether two rows of the batch itself claim one place of a table."""
    return any(_doubles(table.plan, table.rows) for table in prepared.tables)


def _doubles(plan: TablePlan, rows: Sequence[Any]) -> list[Refused]:
    """All but the first of rows that claim one place: they would look like another writer's."""
    seen: set[Any] = set()
    found: list[Refused] = []
    for row in rows:
        place = place_of(row)
        if place is None:
            continue
        if place in seen:
            found.append(Refused(plan, row, f"{plan.full_name} has two rows at {place}"))
        seen.add(place)
    return found


def _set_aside(batch: Batch, rows: Sequence[tuple[Any, str]]) -> list[UndecodedRow]:
    found: list[UndecodedRow] = []
    for row, reason in rows:
        if place_of(row) is None:
            continue
        key = key_of(row)
        original = batch.originals.get((key.slot, key.tx_index, key.ordinal))
        if original is not None:
            channel, data = str(Channel(original.channel)), original.data
        else:
            channel, data = RECORD_CHANNEL, msgspec.json.encode(row)
        found.append(
            UndecodedRow(
                batch.stream,
                key.block_time,
                key.slot,
                key.tx_index,
                key.ordinal,
                key.signature,
                row.program,
                channel,
                data,
                reason,
                None if original is None else original.caller,
            )
        )
    return found


def _merge(rows: Sequence[UndecodedRow]) -> list[UndecodedRow]:
    """One row a place: an event whose rows in two tables are refused is one undecoded event with two reasons."""
    found: dict[tuple[int, int, int], UndecodedRow] = {}
    for row in rows:
        place = (row.slot, row.tx_index, row.ordinal)
        known = found.get(place)
        if known is None:
            found[place] = row
        elif row.reason not in known.reason:
            found[place] = msgspec.structs.replace(known, reason=f"{known.reason}; {row.reason}")
    return list(found.values())


def _incident(one: Refused) -> Incident:
    detail = {"table": one.plan.full_name, "row": repr(one.row), "reason": one.reason}
    return Incident(kind="refused", slot=getattr(one.row, "slot", None), detail=detail)
