"""Bound parameters of a statement: each knows where its value comes from and how the database takes it."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from graphql import GraphQLError

from heliograph_core.cursor import CursorValue, decode_keyset
from heliograph_core.errors import CursorError
from heliograph_graphql.entity import Argument, Choice, Field, Kind
from heliograph_graphql.node_id import NodeIdError, decode_id
from heliograph_graphql.plan import Sort, Source, read

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_INTEGERS = {Kind.INT: 2**31, Kind.BIGINT: 2**63, Kind.SLOT: 2**63}
"""Numbers as far from 0 as this, below it, fit the column."""
_SURROGATE = re.compile("[\ud800-\udfff]")

SQL_TYPES: Mapping[Kind, str] = {
    Kind.TEXT: "text",
    Kind.INT: "integer",
    Kind.BIGINT: "bigint",
    Kind.SLOT: "bigint",
    Kind.DECIMAL: "numeric",
    Kind.TIME: "timestamptz",
    Kind.BOOL: "boolean",
}

Variables = Mapping[str, object]


def sql_type(field: Field | Argument) -> str:
    """The PostgreSQL type that a comparison with `field` binds."""
    return "text" if isinstance(field.type, Choice) else SQL_TYPES[field.type]


class Param(Protocol):
    """One bound parameter. bind raises GraphQLError, CursorError or NodeIdError for a value that cannot be bound."""

    def bind(self, variables: Variables) -> object: ...


@dataclass(frozen=True)
class ValueParam:
    """A filter's value, or with `many` a list of them."""

    source: Source
    many: bool = False

    def bind(self, variables: Variables) -> object:
        value = read(self.source, variables)
        if not self.many:
            return storable(value)
        items = value if isinstance(value, list) else [value]
        return [storable(item) for item in items]


@dataclass(frozen=True)
class LookupParam:
    """What the statement `query` of queries/graphql.sql makes of a list of values: a block time, say.

    It is asked for before the statement itself, in the same snapshot, because only a bound that is known when a statement is planned
    keeps a hypertable from opening every chunk. bind gives the list.
    """

    query: str
    source: Source

    def bind(self, variables: Variables) -> object:
        return ValueParam(self.source, many=True).bind(variables)


@dataclass(frozen=True)
class LimitParam:
    """How many rows, where subscriptions that differ in it share a statement. The cost was counted before."""

    source: Source

    def bind(self, variables: Variables) -> object:
        return read(self.source, variables)


@dataclass(frozen=True, eq=False)
class Cursor:
    """A keyset cursor that an operation is asked with: a value of each of `sorts`."""

    source: Source
    order: str
    sorts: tuple[Sort, ...]

    def values(self, variables: Variables) -> tuple[object, ...]:
        """As the driver takes them. Raises CursorError."""
        text = read(self.source, variables)
        if not isinstance(text, str):
            raise CursorError(
                f"cursor {str(text)[:40]!r} is no text: pass a cursor exactly as it was received"
            )
        return _values_of_cursor(self, text)


# Each of the values is a parameter of its own.
@lru_cache(maxsize=64)
def _values_of_cursor(cursor: Cursor, text: str) -> tuple[object, ...]:
    values = decode_keyset(text, cursor.order)
    if len(values) != len(cursor.sorts):
        raise CursorError(
            f"cursor {text[:40]!r} has {len(values)} values, not {len(cursor.sorts)}: it is forged"
        )
    return tuple(
        _value_of_cursor(value, sort.field, text) for value, sort in zip(values, cursor.sorts, strict=True)
    )


def _value_of_cursor(value: CursorValue, field: Field, text: str) -> object:
    if value is None:
        if not field.nullable:
            raise CursorError(f"cursor {text[:40]!r} lacks {field.name}: it is forged")
        return None
    try:
        return from_key(value, field)
    except Misfit:
        raise CursorError(f"cursor {text[:40]!r} does not hold a {field.name}: it is forged") from None


@dataclass(frozen=True)
class CursorParam:
    """The index-th sort value of a keyset cursor."""

    cursor: Cursor
    index: int

    def bind(self, variables: Variables) -> object:
        return self.cursor.values(variables)[self.index]


@dataclass(frozen=True, eq=False)
class Identity:
    """A global id that an operation is asked with: a value of each of `fields`."""

    source: Source
    entity: str
    fields: tuple[Field, ...]

    def values(self, variables: Variables) -> tuple[object, ...]:
        """As the driver takes them. Raises NodeIdError."""
        return _values_of_identity(self, str(read(self.source, variables)))


@lru_cache(maxsize=64)
def _values_of_identity(identity: Identity, text: str) -> tuple[object, ...]:
    values = decode_id(text, identity.entity, len(identity.fields))
    found = []
    for value, field in zip(values, identity.fields, strict=True):
        try:
            found.append(from_key(value, field))
        except Misfit:
            raise NodeIdError(f"id {text[:40]!r} does not hold a {field.name}: it is forged") from None
    return tuple(found)


@dataclass(frozen=True)
class IdentityParam:
    """The index-th identity value of a global id."""

    identity: Identity
    index: int

    def bind(self, variables: Variables) -> object:
        return self.identity.values(variables)[self.index]


@dataclass(frozen=True)
class GivenParam:
    """A value that the server itself gives at run time, as the commit that a message is about."""

    name: str

    def bind(self, variables: Variables) -> object:
        return variables[self.name]


def bind_asked(params: Iterable[Param], variables: Variables) -> list[object]:
    """The values that the operation gives, in order; None where the server gives one later."""
    return [None if isinstance(param, GivenParam) else param.bind(variables) for param in params]


def bind_given(params: Iterable[Param], bound: Iterable[object], given: Mapping[str, object]) -> list[object]:
    """The same with what the server gives, by name, in its place."""
    return [
        param.bind(given) if isinstance(param, GivenParam) else value
        for param, value in zip(params, bound, strict=True)
    ]


def storable(value: object) -> object:
    """A coerced GraphQL value as the driver takes it. Raises GraphQLError for text that PostgreSQL cannot hold."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, str) and not is_storable_text(value):
        raise GraphQLError("text with a NUL or a lone surrogate is stored nowhere: leave it out")
    return value


def is_storable_text(text: str) -> bool:
    return "\0" not in text and (text.isascii() or _SURROGATE.search(text) is None)


class Misfit(Exception):
    """A value that its column cannot hold."""


def from_key(value: CursorValue, field: Field) -> object:
    """A value out of a cursor or id as the driver takes it. Raises Misfit."""
    kind = Kind.TEXT if isinstance(field.type, Choice) else field.type
    if isinstance(value, str):
        if kind is Kind.TEXT and is_storable_text(value):
            return value
        if kind is Kind.DECIMAL and len(value) <= 200:
            return _decimal(value)
    elif isinstance(value, bool):
        if kind is Kind.BOOL:
            return value
    elif isinstance(value, int):
        most = _MOST_INTEGERS.get(kind)
        if most is not None and -most <= value < most:
            return value
        if kind is Kind.TIME:
            try:
                return EPOCH + timedelta(microseconds=value)
            except OverflowError:
                raise Misfit from None
    raise Misfit


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise Misfit from None
    if not number.is_finite() or abs(number.adjusted()) > 200:
        raise Misfit
    return number
