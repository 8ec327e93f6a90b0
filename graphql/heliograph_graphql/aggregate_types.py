"""Types of aggregates: what the rows of a connection come to, made from the entities' descriptions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import strawberry
from strawberry.types.unset import UNSET

from heliograph_graphql.entities.resolution import BUCKETS
from heliograph_graphql.entity import Entity, Field
from heliograph_graphql.inputs import Inputs, list_of, make_input
from heliograph_graphql.plan import BUCKET, COUNT, HAS_MORE, Measure, Structural
from heliograph_graphql.scalars import BigInt, DateTime, DecimalText

DEFAULT_GROUPS = 100

TEXTS = {
    Measure.SUM: "Sums, exact; missing values are left out, null where all are missing.",
    Measure.AVG: "Means of the values that are there, rounded half-even to 18 places; null where all are missing.",
    Measure.MIN: "Least values; null where all are missing.",
    Measure.MAX: "Greatest values; null where all are missing.",
    Measure.KNOWN: "How many rows have a value, of fields that may be missing.",
}
ABOUT = "What all rows that match come to, whatever `first` and `after` say: one group, or one for each value of `by` and each `bucket`."


def key_fields(entity: Entity) -> tuple[Field, ...]:
    """What the key of a group shows: the fields that it may be made by, and those that follow from one of them."""
    names = {field.name for field in entity.fields if field.can_group}
    return tuple(
        field
        for field in entity.fields
        if field.can_group or (field.through is not None and field.through.column in names)
    )


def measured(entity: Entity, measure: Measure) -> tuple[Field, ...]:
    """The fields that have this measure."""
    if measure in (Measure.SUM, Measure.AVG):
        return tuple(field for field in entity.fields if field.is_number)
    if measure is Measure.KNOWN:
        return tuple(field for field in entity.fields if field.is_number and field.nullable)
    return tuple(field for field in entity.fields if field.has_extremes)


class AggregateTypes:
    """The types of one entity's aggregates, and the field that has them."""

    def __init__(self, entity: Entity, inputs: Inputs, set_attribute: Callable[..., None]) -> None:
        self._entity = entity
        self._inputs = inputs
        self._set = set_attribute
        members = {
            field.name.upper(): strawberry.enum_value(field.name, description=field.text)
            for field in entity.fields
            if field.can_group
        }
        cls: Any = Structural(f"{entity.name}GroupBy", members, module=__name__)  # type: ignore[call-arg]
        self._by = strawberry.enum(cls, name=cls.__name__, description="What rows are put into groups by.")
        self._order = self._make_order()
        self._answer = self._make_answer()

    def field(self, resolve_with: Callable[[Any, Any, dict[str, Any]], Any]) -> Any:
        """The field `aggregates`. resolve_with: the page, info and arguments to the value."""

        def resolve(
            self: Any,
            info: Any,
            by: Any = UNSET,
            bucket: Any = UNSET,
            first: Any = DEFAULT_GROUPS,
            order_by: Any = UNSET,
        ) -> Any:
            return resolve_with(self, info, {"by": by, "bucket": bucket, "first": first, "orderBy": order_by})

        span = self._entity.span
        resolve.__annotations__ = {
            "info": strawberry.Info,
            "by": _argument(list_of(self._by), "A group for each value of these."),
            "first": _argument(int, "How many groups, at most 1000."),
            "order_by": _argument(self._order, "Which groups first; by their key where it says nothing."),
            "return": self._answer,
        }
        if span is not None:
            resolve.__annotations__["bucket"] = _argument(
                self._inputs.choice(BUCKETS), f"A group for each span of {span.key}, so long."
            )
        signature = inspect.signature(resolve)
        kept = [p for name, p in signature.parameters.items() if name != "bucket" or span is not None]
        resolve.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return strawberry.field(resolver=resolve, description=ABOUT)

    def _make_answer(self) -> Any:
        group = self._class("Group", "Rows that have their key in common.", self._group_members())
        members = [
            ("groups", list_of(group), "The groups."),
            (HAS_MORE, bool, "Whether there are more groups than these."),
        ]
        return self._class("Aggregates", f"What rows of {self._entity.root} come to.", members)

    def _group_members(self) -> Iterable[tuple[str, Any, str]]:
        entity, output = self._entity, self._inputs.output
        keys: list[tuple[str, Any, str]] = [
            (field.key, output(field) | None, field.text) for field in key_fields(entity)
        ]
        if entity.span is not None:
            keys.insert(0, (BUCKET, DateTime | None, "Beginning of the bucket."))
        about = "What a group's rows have in common; null where it is missing, or was not asked for in `by` and `bucket`."
        yield "key", self._class("GroupKey", about, keys), about
        yield COUNT, BigInt, "How many rows."
        numbers = [(field.key, DecimalText | None, field.text) for field in measured(entity, Measure.SUM)]
        extremes = [(field.key, output(field) | None, field.text) for field in measured(entity, Measure.MIN)]
        known = [(field.key, BigInt, field.text) for field in measured(entity, Measure.KNOWN)]
        made = {
            "Numbers": (numbers, (Measure.SUM, Measure.AVG)),
            "Extremes": (extremes, (Measure.MIN, Measure.MAX)),
            "Known": (known, (Measure.KNOWN,)),
        }
        for name, (members, measures) in made.items():
            if members:
                cls = self._class(name, f"Figures of a group of {entity.root}.", members)
                yield from ((measure.value, cls, TEXTS[measure]) for measure in measures)

    def _class(self, name: str, description: str, members: Iterable[tuple[str, Any, str]]) -> Any:
        full = f"{self._entity.name}{name}"
        cls = type(full, (), {"__module__": __name__, "__annotations__": {}})
        for key, kind, text in members:
            self._set(cls, key, kind, text)
        return strawberry.type(cls, name=full, description=description)

    def _make_order(self) -> Any:
        direction, entity = self._inputs.direction, self._entity
        members: dict[str, tuple[Any, str, str]] = {COUNT: (direction, COUNT, "By how many rows.")}
        if entity.span is not None:
            members[BUCKET] = (direction, BUCKET, "By the bucket.")
        for name, pair in (
            ("Numbers", (Measure.SUM, Measure.AVG)),
            ("Extremes", (Measure.MIN, Measure.MAX)),
        ):
            fields = {f.key: (direction, f.key, f.text) for f in measured(entity, pair[0])}
            if fields:
                kind = make_input(
                    f"{entity.name}{name}Order",
                    "One field to sort groups by; missing values count as greatest.",
                    fields,
                    one_of=True,
                )
                members |= {m.value: (kind, m.value, TEXTS[m]) for m in pair}
        text = "What to sort groups by; ties are broken by their key."
        return make_input(f"{entity.name}GroupOrder", text, members, one_of=True)


def _argument(kind: Any, description: str) -> Any:
    return Annotated[kind | None, strawberry.argument(description=description)]
