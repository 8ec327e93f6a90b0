"""The scalars: exact numbers and times as text. Parsing raises GraphQLError that names what is wrong."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from graphql.language import FloatValueNode, IntValueNode, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

from heliograph_core.amounts import normal

DecimalText = NewType("DecimalText", str)
BigInt = NewType("BigInt", int)
SlotNumber = NewType("SlotNumber", int)
DateTime = NewType("DateTime", datetime)
Json = NewType("Json", object)

_MOST_DIGITS = 100
_INT64 = 2**63


def parse_decimal(value: object) -> Decimal:
    """A decimal from text, an integer or an exact number."""
    if isinstance(value, (str, Decimal)) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            if isinstance(value, str) and (not value.isascii() or "_" in value):
                # Python reads more than what is a number elsewhere.
                raise ValueError
            number = Decimal(value)
        except (decimal.InvalidOperation, ValueError):
            raise GraphQLError(f'{_shown(value)} is no decimal number: pass text such as "1.5"') from None
        if not number.is_finite():
            raise GraphQLError(f'{_shown(value)} is no decimal number: pass text such as "1.5"')
        if len(number.as_tuple().digits) > _MOST_DIGITS or abs(number.adjusted()) > _MOST_DIGITS:
            raise GraphQLError(f"{_shown(value)} is out of range: pass at most {_MOST_DIGITS} digits")
        return number
    raise GraphQLError(f'{_shown(value)} is no decimal number: pass text such as "1.5"')


def parse_bigint(value: object) -> int:
    """A 64-bit integer from text or an integer."""
    if (
        isinstance(value, str)
        and len(value) <= 20
        and value.removeprefix("-").isdecimal()
        and value.isascii()
    ):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
        raise GraphQLError(f'{_shown(value)} is no 64-bit integer: pass text such as "370000000"')
    return value


def parse_slot(value: object) -> int:
    """A slot number, never negative."""
    slot = parse_bigint(value)
    if slot < 0:
        raise GraphQLError(f"slot {slot} is negative: slots count from 0")
    return slot


def parse_time(value: object) -> datetime:
    """A time from ISO 8601 text; without an offset it is UTC."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            time = datetime.fromisoformat(value)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise GraphQLError(f'{_shown(value)} is no time: pass ISO 8601 such as "2026-11-21T12:00:00Z"')


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _literal(parse: Any) -> Any:
    def parse_literal(node: ValueNode, _variables: object = None) -> Any:
        if isinstance(node, (StringValueNode, IntValueNode, FloatValueNode)):
            try:
                return parse(node.value)
            except GraphQLError as error:
                # Validation passes it on as it is, and only the node knows where it stands.
                raise GraphQLError(error.message, node) from None
        raise GraphQLError(
            f"{node.kind.removesuffix('_value')} value stands where text or a number belongs", node
        )

    return parse_literal


def _show_decimal(value: Any) -> str:
    return format(normal(value), "f")


def _show_time(value: Any) -> str:
    return str(value.astimezone(UTC).isoformat())


SCALARS: dict[object, ScalarDefinition] = {
    DecimalText: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number, as text.",
        serialize=_show_decimal,
        parse_value=parse_decimal,
        parse_literal=_literal(parse_decimal),
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A 64-bit integer, as text.",
        serialize=str,
        parse_value=parse_bigint,
        parse_literal=_literal(parse_bigint),
    ),
    SlotNumber: strawberry.scalar(
        name="Slot",
        description="A slot number, as text.",
        serialize=str,
        parse_value=parse_slot,
        parse_literal=_literal(parse_slot),
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A time in UTC, ISO 8601.",
        serialize=_show_time,
        parse_value=parse_time,
        parse_literal=_literal(parse_time),
    ),
    Json: strawberry.scalar(name="JSON", description="Any JSON value.", serialize=lambda value: value),
}
