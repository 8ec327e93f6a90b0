"""Types of aggregates over events, as aggregate_types.py makes those of other entities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
)

from heliograph_graphql.aggregate_types import ABOUT, DEFAULT_GROUPS, TEXTS, key_fields, measured
from heliograph_graphql.entities.resolution import BUCKETS
from heliograph_graphql.entity import Entity, Field
from heliograph_graphql.plan import BUCKET, COUNT, HAS_MORE, Measure, Structural

Members = dict[str, tuple[Any, str]]
"""Key to type and description."""


class EventAggregates:
    """Makes the field `aggregates` of one page after the other. type_: a type by its name; add: keeps one that was made."""

    def __init__(
        self, type_: Callable[[str], Any], add: Callable[[Any], Any], leaf: Callable[[Field], Any]
    ) -> None:
        """leaf: the type of a field, that it may be null."""
        self._type, self._add, self._leaf = type_, add, leaf

    def field(self, entity: Entity) -> GraphQLField:
        arguments = {
            "by": GraphQLArgument(
                GraphQLList(GraphQLNonNull(self._group_by(entity))),
                description="A group for each value of these.",
            ),
            BUCKET: GraphQLArgument(
                self._type(BUCKETS.name), description="A group for each span of blockTime, so long."
            ),
            "first": GraphQLArgument(
                self._type("Int"), default_value=DEFAULT_GROUPS, description="How many groups, at most 1000."
            ),
            "orderBy": GraphQLArgument(
                self._order(entity), description="Which groups first; by their key where it says nothing."
            ),
        }
        return GraphQLField(GraphQLNonNull(self._answer(entity)), arguments, description=ABOUT)

    def _group_by(self, entity: Entity) -> GraphQLEnumType:
        fields = [field for field in entity.fields if field.can_group]
        # An enum of Python's has names that it does not take; these are seen by nobody.
        stored: Any = Structural(  # type: ignore[call-arg]
            f"{entity.name}GroupBy", {f"F{n}": field.name for n, field in enumerate(fields)}, module=__name__
        )
        values = {
            field.name.lstrip("@").upper(): GraphQLEnumValue(member, description=field.text)
            for field, member in zip(fields, stored, strict=True)
        }
        made: GraphQLEnumType = self._add(
            GraphQLEnumType(f"{entity.name}GroupBy", values, description="What rows are put into groups by.")
        )
        return made

    def _answer(self, entity: Entity) -> GraphQLObjectType:
        count = GraphQLNonNull(self._type("BigInt"))
        time, decimal = self._type("DateTime"), self._type("Decimal")
        about = "What a group's rows have in common; null where it is missing, or was not asked for in `by` and `bucket`."
        keys: Members = {BUCKET: (time, "Beginning of the bucket.")}
        keys |= {field.key: (self._leaf(field), field.text) for field in key_fields(entity)}
        key = self._object(f"{entity.name}GroupKey", about, keys)
        members: Members = {"key": (GraphQLNonNull(key), about), COUNT: (count, "How many rows.")}
        kinds: Iterable[tuple[str, tuple[Measure, ...], Callable[[Field], Any]]] = (
            ("Numbers", (Measure.SUM, Measure.AVG), lambda _: decimal),
            ("Extremes", (Measure.MIN, Measure.MAX), self._leaf),
            ("Known", (Measure.KNOWN,), lambda _: count),
        )
        for name, measures, kind in kinds:
            told: Members = {field.key: (kind(field), field.text) for field in measured(entity, measures[0])}
            if told:
                figures = self._object(f"{entity.name}{name}", f"Figures of a group of {entity.root}.", told)
                members |= {each.value: (GraphQLNonNull(figures), TEXTS[each]) for each in measures}
        group = self._object(f"{entity.name}Group", "Rows that have their key in common.", members)
        groups = GraphQLNonNull(GraphQLList(GraphQLNonNull(group)))
        more = GraphQLNonNull(self._type("Boolean"))
        return self._object(
            f"{entity.name}Aggregates",
            f"What rows of {entity.root} come to.",
            {
                "groups": (groups, "The groups."),
                HAS_MORE: (more, "Whether there are more groups than these."),
            },
        )

    def _order(self, entity: Entity) -> GraphQLInputObjectType:
        direction = self._type("Direction")
        members: Members = {COUNT: (direction, "By how many rows."), BUCKET: (direction, "By the bucket.")}
        for name, pair in (("Numbers", (Measure.SUM, Measure.AVG)), ("Extremes", (Measure.MIN, Measure.MAX))):
            fields: Members = {field.key: (direction, field.text) for field in measured(entity, pair[0])}
            if fields:
                about = "One field to sort groups by; missing values count as greatest."
                kind = self._one_of(f"{entity.name}{name}Order", about, fields)
                members |= {each.value: (kind, TEXTS[each]) for each in pair}
        text = "What to sort groups by; ties are broken by their key."
        return self._one_of(f"{entity.name}GroupOrder", text, members)

    def _object(self, name: str, description: str, members: Members) -> GraphQLObjectType:
        fields = {key: GraphQLField(kind, description=text) for key, (kind, text) in members.items()}
        made: GraphQLObjectType = self._add(GraphQLObjectType(name, fields, description=description))
        return made

    def _one_of(self, name: str, description: str, members: Members) -> GraphQLInputObjectType:
        fields = {key: GraphQLInputField(kind, description=text) for key, (kind, text) in members.items()}
        made: GraphQLInputObjectType = self._add(
            GraphQLInputObjectType(name, fields, description=description, is_one_of=True)
        )
        return made
