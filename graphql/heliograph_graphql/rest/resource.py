"""What a REST resource is: a stored operation and the query parameters that become its variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from heliograph_graphql.document import MIN_SLOT
from heliograph_graphql.entity import Argument, Choice, Entity, Field, Kind
from heliograph_graphql.plan import Operator

KEY = "page"
"""Response key of the only field of a stored operation."""


@dataclass(frozen=True)
class Filter:
    """A query parameter that compares fields, named as in GraphQL. Several fields: any of them may match.

    EQ takes several values, separated by commas; the others one.
    """

    name: str
    fields: tuple[str, ...]
    operator: Operator = Operator.EQ
    text: str = ""


@dataclass(frozen=True)
class Resource:
    """Rows of one root field. ordered_by: the field that `order` turns around, the entity's time; "": there is one order.

    within: a root field for a single row, through which the rows are asked; it is found by `found_by`, query parameter to
    argument, and the resource's other parameters are the entity's own arguments. one: also a single row at PATH/{id}, by its id or by its `address`, a field; the latest where several match.
    """

    path: str
    root: str
    filters: tuple[Filter, ...]
    ordered_by: str = ""
    within: str = ""
    found_by: Mapping[str, str] = field(default_factory=dict)
    one: bool = False
    address: str = ""

    @property
    def name(self) -> str:
        return self.root[:1].upper() + self.root[1:]

    @property
    def wrapping(self) -> tuple[str, str]:
        """What stands around a page in the body of its response."""
        if self.within:
            return f'{{"data":{{"{KEY}":{{"{self.root}":', "}}}"
        return f'{{"data":{{"{KEY}":', "}}"

    def arguments(self, entity: Entity) -> tuple[Argument, ...]:
        """The entity's arguments that are parameters here."""
        return tuple(
            item for item in entity.arguments if item.key not in (*self.found_by.values(), "marketAddress")
        )

    def page_operation(self, entity: Entity) -> str:
        """The text of the stored operation that reads a page."""
        if self.within:
            asked = self.arguments(entity)
            declared = [f"${name}: String" for name in self.found_by.values()]
            declared += [f"${item.key}: {_type_of(item)}" for item in asked]
            found = ", ".join(f"{name}: ${name}" for name in self.found_by.values())
            given = ", ".join(
                ["first: $first", "after: $after", *(f"{item.key}: ${item.key}" for item in asked)]
            )
            return (
                f"query {self.name}($first: Int, $after: String, {', '.join(declared)}, {_WAITS} "
                f"{{ {KEY}: {self.within}({found}) {{ {self.root}({given}) {_page(entity)} }} }}"
            )
        given = "first: $first, after: $after, where: $where, orderBy: $orderBy"
        return (
            f"query {self.name}($first: Int, $after: String, $where: {entity.name}Filter, $orderBy: [{entity.name}Order!], "
            f"{_WAITS} "
            f"{{ {KEY}: {self.root}({given}) {_page(entity)} }}"
        )

    def row_operation(self, entity: Entity) -> str:
        """The text of the stored operation that reads one row."""
        return (
            f"query {entity.name}($id: ID, $address: String, $stream: String, {_WAITS} "
            f"{{ {KEY}: {entity.one}(id: $id, {self.address}: $address, stream: $stream) {{ {_leaves(entity)} }} }}"
        )


_WAITS = f"${MIN_SLOT}: Slot) @{MIN_SLOT}(slot: ${MIN_SLOT})"
"""How a stored operation's variables end: each takes the slot that its answer waits for."""


def _page(entity: Entity) -> str:
    return (
        f"{{ data: nodes {{ {_leaves(entity)} }} page: pageInfo {{ hasNext: hasNextPage next: endCursor }} "
        "completeThrough { slot time } coverage { from through settled gaps { stream from through } } }"
    )


def _type_of(argument: Argument) -> str:
    if isinstance(argument.type, Choice):
        return argument.type.name
    return {Kind.BOOL: "Boolean", Kind.TIME: "DateTime", Kind.TEXT: "String"}[argument.type]


def leaves(entity: Entity) -> tuple[Field, ...]:
    """The fields that REST shows: all that are no relations."""
    return entity.fields


def _leaves(entity: Entity) -> str:
    return " ".join(field.key for field in leaves(entity))
