"""Filter and order inputs, made from the entities' descriptions."""

from __future__ import annotations

import enum
from types import GenericAlias
from typing import Any

import strawberry
from strawberry.types.unset import UNSET

from heliograph_graphql.entity import Argument, Choice, Entity, Field, Kind
from heliograph_graphql.plan import Direction, Operator
from heliograph_graphql.scalars import BigInt, DateTime, DecimalText, SlotNumber

PYTHON_TYPES: dict[Kind, Any] = {
    Kind.ID: strawberry.ID,
    Kind.TEXT: str,
    Kind.TEXTS: list[str],
    Kind.INT: int,
    Kind.BIGINT: BigInt,
    Kind.SLOT: SlotNumber,
    Kind.DECIMAL: DecimalText,
    Kind.TIME: DateTime,
    Kind.BOOL: bool,
}

FILTER_NAMES = {
    Kind.TEXT: "StringFilter",
    Kind.INT: "IntFilter",
    Kind.BIGINT: "BigIntFilter",
    Kind.SLOT: "SlotFilter",
    Kind.DECIMAL: "DecimalFilter",
    Kind.TIME: "DateTimeFilter",
    Kind.BOOL: "BooleanFilter",
}

_MEANING = {
    Operator.EQ: "Equal; null asks for missing values.",
    Operator.IN: "Equal to one of these.",
    Operator.GT: "Greater.",
    Operator.GTE: "Greater or equal.",
    Operator.LT: "Less.",
    Operator.LTE: "Less or equal.",
}


def list_of(kind: Any) -> Any:
    """list[kind] for a type that is only known at run time."""
    return GenericAlias(list, (kind,))


def make_input(
    name: str, description: str, members: dict[str, tuple[Any, str, str]], *, one_of: bool = False
) -> Any:
    """An input type. members: attribute -> (type, GraphQL name, description); each is optional."""
    cls = type(name, (), {"__module__": __name__, "__annotations__": {}})
    fill_input(cls, description, members, one_of=one_of)
    return cls


def fill_input(
    cls: Any, description: str, members: dict[str, tuple[Any, str, str]], *, one_of: bool = False
) -> None:
    for attribute, (kind, name, text) in members.items():
        cls.__annotations__[attribute] = kind | None
        setattr(cls, attribute, strawberry.field(name=name, description=text, default=UNSET))
    strawberry.input(cls, name=cls.__name__, description=description, one_of=one_of)


class Inputs:
    """Every enum, filter and order of the schema; one object makes each once."""

    def __init__(self) -> None:
        self._choices: dict[str, Any] = {}
        self._filters: dict[str, Any] = {}
        self.as_of = make_input(
            "AsOf",
            "A moment of the past.",
            {
                "slot": (SlotNumber, "slot", "The end of this slot."),
                "time": (DateTime, "time", "The end of the last block whose time is not later."),
            },
            one_of=True,
        )
        self.direction = strawberry.enum(Direction, name="Direction", description="Ascending or descending.")

    def choice(self, choice: Choice) -> Any:
        """The enum: LONG in GraphQL, 'long' in the table."""
        if choice.name not in self._choices:
            members = {
                choice.shown(stored): strawberry.enum_value(stored, description=text)
                for stored, text in choice.values.items()
            }
            self._choices[choice.name] = make_enum(choice, members)
        return self._choices[choice.name]

    def output(self, field: Field | Argument) -> Any:
        return self.choice(field.type) if isinstance(field.type, Choice) else PYTHON_TYPES[field.type]

    def _filter(self, field: Field) -> Any:
        operators: tuple[Operator, ...] = tuple(Operator)
        if isinstance(field.type, Choice):
            name = f"{field.type.name}Filter"
            operators = (Operator.EQ, Operator.IN)
        else:
            name = FILTER_NAMES[field.type]
            if field.type is Kind.BOOL:
                operators = (Operator.EQ,)
        if name not in self._filters:
            kind = self.output(field)
            members = {
                f"{operator.value}_": (
                    list_of(kind) if operator is Operator.IN else kind,
                    operator.value,
                    _MEANING[operator],
                )
                for operator in operators
            }
            self._filters[name] = make_input(name, "All given operators must hold.", members)
        return self._filters[name]

    def where(self, entity: Entity) -> Any:
        """The entity's filter: an object of operators a field, and `and`, `or`, `not`."""
        cls: Any = type(f"{entity.name}Filter", (), {"__module__": __name__, "__annotations__": {}})
        members = {f.key: (self._filter(f), f.key, f.text) for f in entity.fields if f.can_filter}
        members["and_"] = (list_of(cls), "and", "All of these hold.")
        members["or_"] = (list_of(cls), "or", "One of these holds.")
        members["not_"] = (cls, "not", "This does not hold.")
        fill_input(cls, f"Which {entity.root} to return; all given fields must match.", members)
        return cls

    def order(self, entity: Entity) -> Any:
        """The entity's order: exactly one field and its direction."""
        members = {f.key: (self.direction, f.key, f.text) for f in entity.fields if f.can_sort}
        return make_input(
            f"{entity.name}Order",
            "One field to sort by; missing values count as greatest.",
            members,
            one_of=True,
        )


def make_enum(choice: Choice, members: dict[str, Any]) -> Any:
    cls = enum.Enum(choice.name, members, module=__name__)  # type: ignore[misc]
    return strawberry.enum(cls, name=choice.name, description=choice.description)
