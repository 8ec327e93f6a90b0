"""Query strings to the variables of a stored operation. Raises BadArgument, which names the parameter and the value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphql import GraphQLError

from heliograph_graphql.document import MIN_SLOT
from heliograph_graphql.entity import Argument, Choice, Entity, Field, Kind
from heliograph_graphql.parameters import is_storable_text
from heliograph_graphql.plan import Operator
from heliograph_graphql.rest.resource import Filter, Resource
from heliograph_graphql.scalars import parse_bigint, parse_decimal, parse_slot, parse_time

FORMATS = ("json", "csv")
ORDERS = ("asc", "desc")
MOST_TEXT = 200
"""Letters of a text to compare with."""
MOST_VALUES = 100
"""Values of one parameter."""
_INT32 = 2**31


class BadArgument(Exception):
    """A query parameter that is refused."""


def read_page(
    given: Sequence[tuple[str, str]], resource: Resource, entity: Entity, most: int
) -> dict[str, Any]:
    """The variables of the page operation. given: the query string's pairs; most: the longest page."""
    filters = {one.name: one for one in resource.filters}
    asked = {item.key: item for item in resource.arguments(entity)} if resource.within else {}
    order = {"order"} if resource.ordered_by else set()
    names = {*filters, *resource.found_by, *asked, *order, "limit", "after", "format", MIN_SLOT}
    values = _single(given, names, resource.path)
    variables: dict[str, Any] = {"first": _limit(values.get("limit", "50"), most), **_min_slot(values)}
    if "after" in values:
        variables["after"] = _text("after", values["after"], 4096)
    if "order" in values:
        direction = _word("order", values["order"], ORDERS).upper()
        variables["orderBy"] = [{resource.ordered_by: direction}]
    for name, argument in resource.found_by.items():
        if name in values:
            variables[argument] = _text(name, values[name])
    if resource.found_by and not set(variables) & {"symbol", "address"}:
        raise BadArgument(f"{resource.path} needs market or marketAddress: say which market is meant")
    for name, item in asked.items():
        if name in values:
            variables[name] = _value(name, values[name], item)
    conditions = [_condition(filters[name], text, entity) for name, text in values.items() if name in filters]
    if conditions:
        variables["where"] = {"and": conditions}
    return variables


def read_row(given: Sequence[tuple[str, str]], path: str) -> dict[str, Any]:
    """The variables of the row operation besides what identifies the row."""
    values = _single(given, {"stream", "format", MIN_SLOT}, path)
    stream = {"stream": _text("stream", values["stream"])} if "stream" in values else {}
    return stream | _min_slot(values)


def read_format(given: Sequence[tuple[str, str]]) -> str | None:
    """What `format` says, where it is there."""
    found = [text for name, text in given if name == "format"]
    return _word("format", found[0], FORMATS) if found else None


def is_many(one: Filter, entity: Entity) -> bool:
    """Whether the parameter takes several values."""
    return one.operator is Operator.EQ and entity.by_key[one.fields[0]].type is not Kind.BOOL


def _single(given: Iterable[tuple[str, str]], known: Iterable[str], path: str) -> Mapping[str, str]:
    names = set(known)
    values: dict[str, str] = {}
    for name, text in given:
        if name not in names:
            raise BadArgument(f"{path} has no parameter {name[:60]!r}: there are {', '.join(sorted(names))}")
        if name in values:
            raise BadArgument(f"{name} is given twice: give it once, several values separated by commas")
        values[name] = text
    return values


def _condition(one: Filter, text: str, entity: Entity) -> dict[str, Any]:
    compared = []
    for key in one.fields:
        field = entity.by_key[key]
        if is_many(one, entity):
            texts = text.split(",")
            if len(texts) > MOST_VALUES:
                raise BadArgument(f"{one.name} has {len(texts)} values: give at most {MOST_VALUES}")
            values = [_value(one.name, each, field) for each in texts]
            compared.append({key: {"eq": values[0]} if len(values) == 1 else {"in": values}})
        else:
            compared.append({key: {one.operator.value: _value(one.name, text, field)}})
    return compared[0] if len(compared) == 1 else {"or": compared}


def _value(name: str, text: str, field: Field | Argument) -> object:
    if isinstance(field.type, Choice):
        return field.type.shown(_word(name, text, tuple(field.type.values)))
    try:
        match field.type:
            case Kind.BOOL:
                return _word(name, text, ("true", "false")) == "true"
            case Kind.DECIMAL:
                parse_decimal(text)
            case Kind.SLOT:
                parse_slot(text)
            case Kind.BIGINT:
                parse_bigint(text)
            case Kind.TIME:
                # A plus sign that was not escaped is a space in a query string, and meant as what it was.
                text = text.replace(" ", "+")
                parse_time(text)
            case Kind.INT:
                return _integer(name, text, -_INT32, _INT32 - 1)
            case _:
                return _text(name, text)
    except GraphQLError as error:
        raise BadArgument(f"{name}: {error.message}") from None
    return text


def _min_slot(values: Mapping[str, str]) -> dict[str, str]:
    if MIN_SLOT not in values:
        return {}
    try:
        parse_slot(values[MIN_SLOT])
    except GraphQLError as error:
        raise BadArgument(f"{MIN_SLOT}: {error.message}") from None
    return {MIN_SLOT: values[MIN_SLOT]}


def _text(name: str, text: str, most: int = MOST_TEXT) -> str:
    if not text or len(text) > most or not is_storable_text(text):
        raise BadArgument(f"{name} is {text[:60]!r}: give 1 to {most} letters, none of them NUL")
    return text


def _word(name: str, text: str, words: Sequence[str]) -> str:
    if text.lower() not in words:
        raise BadArgument(f"{name} is {text[:60]!r}: it is {' or '.join(words)}")
    return text.lower()


def _limit(text: str, most: int) -> int:
    return _integer("limit", text, 1, most)


def _integer(name: str, text: str, least: int, most: int) -> int:
    number = text.removeprefix("-")
    if not (number.isascii() and number.isdecimal() and len(number) <= 10 and least <= int(text) <= most):
        raise BadArgument(f"{name} is {text[:60]!r}: give a whole number from {least} to {most}")
    return int(text)
