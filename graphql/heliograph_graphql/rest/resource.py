"""What a REST resource is: a stored operation and the query parameters that become its variables."""

from __future__ import annotations

from dataclasses import dataclass

from heliograph_graphql.entity import Entity, Field
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
    """Rows of one root field. ordered_by: the field that `order` turns around, the entity's time.

    one: also a single row at PATH/{id}, by its id or by its `address`, a field; the latest where several match.
    """

    path: str
    root: str
    filters: tuple[Filter, ...]
    ordered_by: str
    one: bool = False
    address: str = ""

    @property
    def name(self) -> str:
        return self.root[:1].upper() + self.root[1:]

    def page_operation(self, entity: Entity) -> str:
        """The text of the stored operation that reads a page."""
        given = "first: $first, after: $after, where: $where, orderBy: $orderBy"
        return (
            f"query {self.name}($first: Int, $after: String, $where: {entity.name}Filter, $orderBy: [{entity.name}Order!]) "
            f"{{ {KEY}: {self.root}({given}) {{ data: nodes {{ {_leaves(entity)} }} "
            "page: pageInfo { hasNext: hasNextPage next: endCursor } completeThrough { slot time } "
            "coverage { from through settled gaps { stream from through } } } }"
        )

    def row_operation(self, entity: Entity) -> str:
        """The text of the stored operation that reads one row."""
        return (
            f"query {entity.name}($id: ID, $address: String, $stream: String) "
            f"{{ {KEY}: {entity.one}(id: $id, {self.address}: $address, stream: $stream) {{ {_leaves(entity)} }} }}"
        )


def leaves(entity: Entity) -> tuple[Field, ...]:
    """The fields that REST shows: all that are no relations."""
    return entity.fields


def _leaves(entity: Entity) -> str:
    return " ".join(field.key for field in leaves(entity))
