"""Rows of a table as GraphQL shows them, and back: which fields to select, and what their values mean."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from heliograph_core import records

ROOTS: Mapping[str, str] = {
    "positionChanges": "perps.position_changes",
    "trades": "perps.trades",
    "fundingRates": "perps.funding_rates",
    "fundingPayments": "perps.funding_payments",
    "liquidations": "perps.liquidations",
    "transfers": "perps.transfers",
    "positions": "perps.positions",
    "balances": "perps.balances",
}
"""Root field to its table."""
LIVE = ("positionChanges", "trades", "fundingRates", "fundingPayments", "liquidations")
"""Root fields that can be subscribed to."""

_RECORDS = {
    "positionChanges": records.PositionChange,
    "trades": records.Trade,
    "fundingRates": records.FundingRate,
    "fundingPayments": records.FundingPayment,
    "liquidations": records.Liquidation,
    "transfers": records.Transfer,
    "positions": records.Position,
    "balances": records.Balance,
}
_RENAMED = {"market": "marketAddress", "changes": "changeCount"}
_ENUMS = ("kind", "side", "taker_side", "status")
_SLOTS = ("slot", "opened_slot", "updated_slot", "closed_slot")
_TIMES = ("block_time", "publish_time", "opened_at", "updated_at", "closed_at")


def selection(root: str) -> str:
    """`nodes { … }` with a field for every column of the table."""
    return f"nodes {{ {' '.join(map(_field, _RECORDS[root].__struct_fields__))} }}"


def query(roots: Iterable[str] = ROOTS, first: int = 100) -> str:
    """One operation that asks for the first rows of each and for how far they are complete."""
    fields = (f"{root}(first: {first}) {{ {selection(root)} completeThrough {{ slot }} }}" for root in roots)
    return f"{{ {' '.join(fields)} }}"


def rows_of(nodes: Sequence[Mapping[str, Any]], like: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """nodes as rows. like: rows of that table; a column that holds a Decimal there must come as text."""
    decimals = {column for row in like for column, value in row.items() if isinstance(value, Decimal)}
    return [
        {column: _value(column, node[_field(column)], column in decimals) for column in like[0]}
        for node in nodes
    ]


def _field(column: str) -> str:
    if column in _RENAMED:
        return _RENAMED[column]
    head, *tail = column.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _value(column: str, value: Any, decimal: bool) -> Any:
    if value is None:
        return None
    if decimal:
        return Decimal(_text(column, value))
    if column in _SLOTS:
        return int(_text(column, value))
    if column in _TIMES:
        return int(datetime.datetime.fromisoformat(_text(column, value)).timestamp())
    return value.lower() if column in _ENUMS else value


def _text(column: str, value: Any) -> str:
    assert isinstance(value, str), f"{column} came as {value!r} and not as text"
    return value
