"""The rows of a batch, a table each: what COPY takes. Values in, values out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from heliograph_core.event import Undecoded
from heliograph_core.records import Record
from heliograph_sql.batch import Batch
from heliograph_sql.copy_encoder import Access
from heliograph_sql.event_tables import EventTables, call_rows_of, rows_of
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


TRANSACTIONS = plan_of(_Transaction, "heliograph", "transactions")
SIGNATURES = plan_of(_Signature, "heliograph", "signatures")
UNDECODED = plan_of(UndecodedRow, "heliograph", "undecoded")


class TableRows(msgspec.Struct, frozen=True):
    """Rows of one table."""

    plan: TablePlan
    rows: Sequence[Any]
    access: Access = "attribute"


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
    written = [TableRows(RECORD_PLANS[kind], rows) for kind, rows in records.items()]
    if transactions:
        written += [TableRows(TRANSACTIONS, transactions), TableRows(SIGNATURES, signatures)]
    written += [TableRows(plan, rows, "position") for plan, rows in rows_of(tables, batch.events).items()]
    written += [
        TableRows(plan, rows, "position") for plan, rows in call_rows_of(tables, batch.instructions).items()
    ]
    return sorted(written, key=lambda table: table.plan.full_name)


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
        )
        for one in undecoded
    ]


def place_of(row: Any) -> tuple[int, int, int, int] | None:
    """(slot, tx_index, ordinal, part), what tells rows of one table apart; None for rows without an ordinal."""
    ordinal = getattr(row, "ordinal", None)
    return None if ordinal is None else (row.slot, row.tx_index, ordinal, getattr(row, "part", 0))
