"""What an operation asks of aggregates, to its plan. Pure. Raises GraphQLError for what cannot be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphql import FieldNode, GraphQLError

from heliograph_graphql.aggregate_types import DEFAULT_GROUPS, key_fields
from heliograph_graphql.conditions import source
from heliograph_graphql.entity import Entity, Field
from heliograph_graphql.failures import BAD_INPUT
from heliograph_graphql.plan import (
    BUCKET,
    COUNT,
    HAS_MORE,
    Aggregates,
    Direction,
    GroupKey,
    Groups,
    GroupSort,
    Measure,
    Measured,
    Structural,
    Typename,
)
from heliograph_graphql.selection import Fields

Inside = Callable[[Sequence[FieldNode], str], Fields]
"""The fields selected inside nodes, on an object of that type."""


def compile_aggregates(
    entity: Entity,
    nodes: Sequence[FieldNode],
    given: Mapping[str, object],
    inside: Inside,
    most_rows: int,
) -> Aggregates:
    """given: the arguments, coerced, with references where they come from variables."""
    items: dict[str, Groups | str | Typename] = {}
    name = f"{entity.name}Aggregates"
    for key, found in inside(nodes, name).items():
        member = found[0].name.value
        if member == "__typename":
            items[key] = Typename(name)
        else:
            items[key] = HAS_MORE if member == HAS_MORE else _groups(entity, found, inside)
    first, bucket = given.get("first"), given.get(BUCKET)
    return Aggregates(
        by=_by(entity, given.get("by")),
        bucket=None if bucket is None else source(bucket),
        first=source(DEFAULT_GROUPS if first is None else first),
        sort=_sort(entity, given.get("orderBy"), has_bucket=bucket is not None),
        items=items,
        most_rows=most_rows,
    )


def _by(entity: Entity, given: object) -> tuple[Field, ...]:
    names = [item.value for item in given if isinstance(item, Structural)] if isinstance(given, list) else []
    return tuple(entity.by_column[name] for name in dict.fromkeys(names))


def _sort(entity: Entity, given: object, *, has_bucket: bool) -> GroupSort | None:
    if not isinstance(given, Mapping):
        return None
    ((name, value),) = given.items()
    if isinstance(value, Mapping):
        ((key, direction),) = value.items()
        return GroupSort((Measure(name), entity.by_key[key]), direction is Direction.DESC)
    if name == BUCKET and not has_bucket:
        raise GraphQLError(
            "orderBy.bucket needs `bucket`: say how long the buckets are", extensions={"code": BAD_INPUT}
        )
    return GroupSort(COUNT if name == COUNT else BUCKET, value is Direction.DESC)


def _groups(entity: Entity, nodes: Sequence[FieldNode], inside: Inside) -> Groups:
    items: dict[str, GroupKey | Measured | str | Typename] = {}
    name = f"{entity.name}Group"
    for key, found in inside(nodes, name).items():
        member = found[0].name.value
        if member == "__typename":
            items[key] = Typename(name)
        elif member == "key":
            items[key] = _key(entity, inside(found, f"{entity.name}GroupKey"))
        elif member == COUNT:
            items[key] = COUNT
        else:
            items[key] = _measured(entity, Measure(member), found, inside)
    return Groups(items)


def _key(entity: Entity, fields: Fields) -> GroupKey:
    known = {field.key: field for field in key_fields(entity)}
    items: dict[str, Field | str | Typename] = {}
    for key, found in fields.items():
        member = found[0].name.value
        if member == "__typename":
            items[key] = Typename(f"{entity.name}GroupKey")
        else:
            items[key] = BUCKET if member == BUCKET else known[member]
    return GroupKey(items)


_TYPES = {
    Measure.SUM: "Numbers",
    Measure.AVG: "Numbers",
    Measure.MIN: "Extremes",
    Measure.MAX: "Extremes",
    Measure.KNOWN: "Known",
}


def _measured(entity: Entity, measure: Measure, nodes: Sequence[FieldNode], inside: Inside) -> Measured:
    name = f"{entity.name}{_TYPES[measure]}"
    items: dict[str, Field | Typename] = {}
    for key, found in inside(nodes, name).items():
        member = found[0].name.value
        items[key] = Typename(name) if member == "__typename" else entity.by_key[member]
    return Measured(measure, items)
