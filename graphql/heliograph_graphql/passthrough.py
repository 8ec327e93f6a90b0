"""Lets values that are JSON already pass through graphql-core's completion untouched."""

from __future__ import annotations

from typing import Any

import orjson
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class Raw:
    """A field's whole value as JSON text, made by the database."""

    __slots__ = ("fragment",)

    def __init__(self, text: str) -> None:
        self.fragment = orjson.Fragment(text)


class PassThrough(StrawberryGraphQLCoreExecutionContext):
    """Completes a Raw value to its fragment, which orjson writes as it is; everything else as usual."""

    def complete_value(
        self,
        return_type: Any,
        field_details_list: Any,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any = None,
    ) -> Any:
        if isinstance(result, Raw):
            return result.fragment
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)
