"""The rows of a batch, a table each: what COPY takes. Values in, values out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from heliograph_core.event import Event, Undecoded
from heliograph_core.instruction import InstructionCall
from heliograph_core.records import Record
from heliograph_sql.batch import Batch
from heliograph_sql.copy_encoder import Turn, by_attribute
from heliograph_sql.event_tables import EventTable, EventTables
from heliograph_sql.plan import RECORD_PLANS, TablePlan, plan_of


class _Transaction(msgspec.Struct, frozen=True, gc=False):
    stream: str
    block_time: int
    slot: int
    tx_index: int
    signature: str
    err: object | None
    err_name: str | None
    fee: int | None
    fee_payer: str | None
    priority_fee: int | None
    compute_units: int | None
    version: str | None
    truncated: bool


class _Signature(msgspec.Struct, frozen=True, gc=False):
    signature: str
    stream: str
    block_time: int
    slot: int
    tx_index: int


class UndecodedRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `heliograph.undecoded`."""

    stream: str
    block_time: int
    slot: int
    tx_index: int
    ordinal: int
    signature: str
    program: str
    channel: str
    data: bytes
    reason: str
    caller: str | None
    accounts: tuple[str, ...] | None = None


TRANSACTIONS = plan_of(_Transaction, "heliograph", "transactions")
SIGNATURES = plan_of(_Signature, "heliograph", "signatures")
UNDECODED = plan_of(UndecodedRow, "heliograph", "undecoded")


_RECORD_TURNS = {kind: by_attribute(plan) for kind, plan in RECORD_PLANS.items()}
_TRANSACTION_TURN, _SIGNATURE_TURN = by_attribute(TRANSACTIONS), by_attribute(SIGNATURES)


class TableRows(msgspec.Struct, frozen=True):
    """Rows of one table, in their own shape, and what turns them into its columns."""

    plan: TablePlan
    rows: Sequence[Any]
    turn: Turn


def rows_by_table(batch: Batch, tables: EventTables) -> list[TableRows]:
    """Everything of the batch that is written by COPY but `undecoded`, in name order: all writers take tables in that."""
    records: dict[type[Record], list[Record]] = defaultdict(list)
    for record in batch.records:
        records[type(record)].append(record)
    transactions: list[_Transaction] = []
    signatures: list[_Signature] = []
    for row in batch.transactions:
        transaction = row.transaction
        transactions.append(
            _Transaction(
                batch.stream,
                row.block_time,
                row.slot,
                transaction.tx_index,
                transaction.signature,
                transaction.err,
                row.err_name,
                transaction.fee,
                transaction.fee_payer,
                transaction.priority_fee,
                transaction.compute_units,
                transaction.version,
                row.truncated,
            )
        )
        signatures.append(
            _Signature(transaction.signature, batch.stream, row.block_time, row.slot, transaction.tx_index)
        )
    written = [TableRows(RECORD_PLANS[kind], rows, _RECORD_TURNS[kind]) for kind, rows in records.items()]
    if transactions:
        written.append(TableRows(TRANSACTIONS, transactions, _TRANSACTION_TURN))
        written.append(TableRows(SIGNATURES, signatures, _SIGNATURE_TURN))
    written += _typed_rows(batch, tables)
    return sorted(written, key=lambda table: table.plan.full_name)


def _typed_rows(batch: Batch, tables: EventTables) -> list[TableRows]:
    """The events and instructions that have a table. Instructions that no layout fits go to that of unknown ones."""
    events: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in batch.events:
        events[event.program, event.name].append(event)
    found = [
        TableRows(table.plan, those, table.turn_events)
        for name, those in events.items()
        if (table := tables.events.get(name)) is not None
    ]
    calls: dict[str, tuple[EventTable, list[InstructionCall]]] = {}
    for call in batch.instructions:
        table = tables.instructions.get((call.program, call.name)) if call.name is not None else None
        table = table or tables.unknown
        if table is not None:
            calls.setdefault(table.plan.name, (table, []))[1].append(call)
    return [*found, *(TableRows(table.plan, those, table.turn_calls) for table, those in calls.values())]


def undecoded_rows(stream: str, undecoded: Iterable[Undecoded]) -> list[UndecodedRow]:
    return [
        UndecodedRow(
            stream,
            one.key.block_time,
            one.key.slot,
            one.key.tx_index,
            one.key.ordinal,
            one.key.signature,
            one.program,
            str(one.channel),
            one.data,
            one.reason,
            one.caller,
            one.accounts,
        )
        for one in undecoded
    ]


def key_of(row: Any) -> Any:
    """What holds the row's block_time, slot, tx_index, ordinal and signature, as far as it has them."""
    return row.key if isinstance(row, Event) else row


def place_of(row: Any) -> tuple[int, int, int, int] | None:
    """(slot, tx_index, ordinal, part), what tells rows of one table apart; None for rows without an ordinal."""
    key = key_of(row)
    ordinal = getattr(key, "ordinal", None)
    return None if ordinal is None else (key.slot, key.tx_index, ordinal, getattr(row, "part", 0))
