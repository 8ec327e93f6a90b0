"""Variables seen from two sides: their shape, which decides the SQL, and their values, which are bound to it.

`symbolize` replaces every leaf by a Ref to it, so that arguments coerced with the result carry references where the
text has variables. `shape` is a hashable key of everything about the values that the SQL depends on.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from graphql import (
    GraphQLInputType,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from heliograph_graphql.plan import Ref, Structural


def symbolize(value: object, kind: GraphQLInputType, path: tuple[str | int, ...]) -> object:
    """The coerced `value` with leaves replaced; nulls, what decides the SQL, and the structure stay."""
    if is_non_null_type(kind):
        kind = kind.of_type
    if value is None or isinstance(value, Structural):
        return value
    if is_list_type(kind):
        if not isinstance(value, list):
            return Ref(path)
        inner = kind.of_type.of_type if is_non_null_type(kind.of_type) else kind.of_type
        if is_leaf_type(inner) and not _decides(inner) and None not in value:
            return Ref(path)
        return [symbolize(item, kind.of_type, (*path, index)) for index, item in enumerate(value)]
    if is_input_object_type(kind) and isinstance(value, Mapping):
        return {name: symbolize(item, kind.fields[name].type, (*path, name)) for name, item in value.items()}
    return Ref(path)


def shape(value: object) -> Hashable:
    """A key that is equal for symbolized values which compile to the same SQL."""
    if isinstance(value, Mapping):
        return ("object", *((name, shape(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("list", *(shape(item) for item in value))
    if isinstance(value, Ref):
        return "."
    return value if isinstance(value, Hashable) else repr(value)


def _decides(kind: object) -> bool:
    """Whether the values of an enum are Structural."""
    return isinstance(kind, CustomGraphQLEnumType) and issubclass(kind.wrapped_cls, Structural)
