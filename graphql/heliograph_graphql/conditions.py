"""Filters and orders: coerced arguments in, conditions and sorts out. Raises GraphQLError for what cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphql import GraphQLError

from heliograph_graphql.entity import Entity, Field
from heliograph_graphql.failures import too_complex
from heliograph_graphql.plan import (
    All,
    Any_,
    Compare,
    Condition,
    Const,
    Direction,
    Items,
    Not,
    Operator,
    Ref,
    Sort,
    Source,
)

_DEEPEST = 20


def source(value: object) -> Source:
    """Where a symbolized value comes from."""
    if isinstance(value, Ref):
        return value
    if isinstance(value, list) and any(isinstance(item, Ref) for item in value):
        return Items(tuple(source(item) for item in value))
    return Const(value)


class Filters:
    """Builds the conditions of one operation; counts comparisons and nested filters against a limit."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._most = most

    def condition(self, entity: Entity, where: object, depth: int = 0) -> Condition:
        """where: the symbolized filter object, or None."""
        if not isinstance(where, Mapping):
            return All(())
        if depth > _DEEPEST:
            raise too_complex(f"where nests deeper than {_DEEPEST} levels")
        if depth:
            self._count()
        parts: list[Condition] = []
        for key, value in where.items():
            if value is None:
                continue
            if key in ("and", "or"):
                inner = tuple(self.condition(entity, item, depth + 1) for item in value)
                parts.append(All(inner) if key == "and" else Any_(inner))
            elif key == "not":
                parts.append(Not(self.condition(entity, value, depth + 1)))
            else:
                parts.extend(self._compare(entity.by_key[key], value))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _compare(self, field: Field, operators: object) -> list[Condition]:
        found: list[Condition] = []
        for name, value in operators.items() if isinstance(operators, Mapping) else ():
            self._count()
            operator = Operator(name)
            if value is None and operator is not Operator.EQ:
                raise GraphQLError(
                    f"where.{field.key}.{name} is null: leave it out, or ask for missing values with eq: null"
                )
            found.append(Compare(field, operator, None if value is None else source(value)))
        return found

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise too_complex(f"where has more than {self._most} comparisons, nested filters among them")


def sorts(entity: Entity, order: object) -> tuple[Sort, ...]:
    """The columns to sort by: those asked, then the key, so that no two rows are equal."""
    wanted: dict[str, Sort] = {}
    descending = entity.newest_first
    if isinstance(order, Sequence) and len(order) > len(entity.fields):
        raise too_complex(f"orderBy has {len(order)} fields: {entity.name} has {len(entity.fields)}")
    for item in order if isinstance(order, Sequence) else ():
        for key, direction in item.items() if isinstance(item, Mapping) else ():
            field = entity.by_key[key]
            descending = direction is Direction.DESC
            for column in field.order or (field.name,):
                wanted.setdefault(column, Sort(entity.by_column[column], descending))
    for column in entity.key:
        wanted.setdefault(column, Sort(entity.by_column[column], descending))
    return tuple(wanted.values())
