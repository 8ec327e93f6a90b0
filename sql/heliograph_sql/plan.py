"""The table plan: which columns each table has, of which type, in which order. Values only.

A plan names the columns of rows that are written by COPY. The canonical ones follow from the record classes of
heliograph_core; a test keeps record fields, plan and catalog equal.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from heliograph_core import records


class PgType(enum.StrEnum):
    """The column types that rows are encoded to, and the Python values they take."""

    BIGINT = "bigint"
    INTEGER = "integer"
    SMALLINT = "smallint"
    TEXT = "text"
    BOOLEAN = "boolean"
    NUMERIC = "numeric"
    """From Decimal, exact; or from int."""
    TIMESTAMPTZ = "timestamp with time zone"
    """From int: unix seconds."""
    JSONB = "jsonb"
    """From any value of None, bool, int, float, str, Decimal, bytes (as base64), list, tuple, dict, struct."""
    BYTEA = "bytea"
    TEXT_ARRAY = "text[]"
    """From a sequence of str."""
    DOUBLE = "double precision"


class Column(msgspec.Struct, frozen=True):
    """One column. `name` is the attribute of the row as well."""

    name: str
    type: PgType
    nullable: bool


class TablePlan(msgspec.Struct, frozen=True):
    """One table. `schema` and `name` are as in the catalog; columns in the catalog's order."""

    schema: str
    name: str
    columns: tuple[Column, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


_INTEGERS: Mapping[str, PgType] = {
    "part": PgType.SMALLINT,
    "quote_places": PgType.SMALLINT,
    "slot": PgType.BIGINT,
    "block_time": PgType.TIMESTAMPTZ,
    "publish_time": PgType.TIMESTAMPTZ,
    "fee": PgType.BIGINT,
    "priority_fee": PgType.BIGINT,
    "compute_units": PgType.BIGINT,
}


def plan_of(row: type, schema: str, name: str) -> TablePlan:
    """The plan of a table whose columns are the fields of `row`, a msgspec struct. TypeError for a field of no type."""
    hints = get_type_hints(row)
    return TablePlan(schema, name, tuple(_column(field, hints[field]) for field in row.__struct_fields__))  # type: ignore[attr-defined]


def _column(name: str, hint: Any) -> Column:
    nullable = False
    if get_origin(hint) in (Union, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        nullable = len(members) < len(get_args(hint))
        hint = members[0] if len(members) == 1 else object
    return Column(name, _type_of(name, hint), nullable)


def _type_of(name: str, hint: Any) -> PgType:
    if get_origin(hint) is Literal:
        hint = str
    if isinstance(hint, type) and issubclass(hint, str):
        return PgType.TEXT
    if hint is bool:
        return PgType.BOOLEAN
    if hint is Decimal:
        return PgType.NUMERIC
    if hint is bytes:
        return PgType.BYTEA
    if get_origin(hint) is tuple:
        return PgType.TEXT_ARRAY
    if hint is object:
        return PgType.JSONB
    if hint is int:
        if name.endswith("_slot"):
            return PgType.BIGINT
        if name.endswith("_at"):
            return PgType.TIMESTAMPTZ
        return _INTEGERS.get(name, PgType.INTEGER)
    raise TypeError(f"no column type for field {name}: {hint}")


RECORD_PLANS: Mapping[type[records.Record], TablePlan] = {
    records.Flow: plan_of(records.Flow, "perps", "flows"),
    records.FundingPayment: plan_of(records.FundingPayment, "perps", "funding_payments"),
    records.FundingRate: plan_of(records.FundingRate, "perps", "funding_rates"),
    records.Liquidation: plan_of(records.Liquidation, "perps", "liquidations"),
    records.OraclePrice: plan_of(records.OraclePrice, "perps", "oracle_prices"),
    records.PositionChange: plan_of(records.PositionChange, "perps", "position_changes"),
    records.Trade: plan_of(records.Trade, "perps", "trades"),
    records.Transfer: plan_of(records.Transfer, "perps", "transfers"),
}
"""Event-like canonical tables, by the record class whose fields are their columns."""

STATE_PLANS: Mapping[type[records.State], TablePlan] = {
    records.Balance: plan_of(records.Balance, "perps", "balances"),
    records.Market: plan_of(records.Market, "perps", "markets"),
    records.MarketState: plan_of(records.MarketState, "perps", "markets"),
    records.Owner: plan_of(records.Owner, "perps", "owners"),
    records.Position: plan_of(records.Position, "perps", "positions"),
}
"""Tables of current state. Market and MarketState are two halves of one table."""
