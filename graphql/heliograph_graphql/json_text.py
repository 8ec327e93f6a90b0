"""JSON that a statement makes: what of it is known beforehand, and between that what SQL computes. Values in, text out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

_MOST_ARGUMENTS = 100
"""Of a PostgreSQL function."""


@dataclass(frozen=True)
class JsonText:
    """texts stand as they are, one more than values; a value is an SQL expression whose text stands between two of them.

    A value is of any type whose text is what is meant; NULL has none.
    """

    texts: tuple[str, ...]
    values: tuple[str, ...] = ()

    def __add__(self, other: JsonText) -> JsonText:
        joined = self.texts[-1] + other.texts[0]
        return JsonText((*self.texts[:-1], joined, *other.texts[1:]), self.values + other.values)

    @property
    def sql(self) -> str:
        """An expression of type text, never NULL."""
        arguments = [_literal(self.texts[0])]
        for value, text in zip(self.values, self.texts[1:], strict=True):
            arguments += [value, _literal(text)]
        return _concat([each for each in arguments if each != "''"])


def verbatim(text: str) -> JsonText:
    return JsonText((text,))


def made(value: str) -> JsonText:
    """value: an expression of JSON."""
    return JsonText(("", ""), (value,))


def quoted(value: str) -> JsonText:
    """value: an expression whose text needs no escapes, as numbers and base64 do not."""
    return JsonText(('"', '"'), (value,))


def json_string(text: str) -> JsonText:
    return verbatim(json.dumps(text, ensure_ascii=False))


def json_object(values: Mapping[str, JsonText]) -> JsonText:
    found = verbatim("{")
    for index, (key, value) in enumerate(values.items()):
        found += verbatim("," if index else "") + json_string(key) + verbatim(":") + value
    return found + verbatim("}")


def json_array(value: str) -> JsonText:
    """value: an expression of the items with commas between them, NULL where there are none."""
    return JsonText(("[", "]"), (value,))


def json_items(item: str, order: str = "") -> str:
    """The aggregate that json_array takes. item: of each row, of type text. order: ORDER BY, if any."""
    return f"string_agg({item}, ','{order and f' {order}'})"


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _concat(arguments: list[str]) -> str:
    """concat of any number of arguments: it looks up once how each is written, and passes over NULL."""
    while len(arguments) > _MOST_ARGUMENTS:
        arguments = [
            _concat(arguments[start : start + _MOST_ARGUMENTS])
            for start in range(0, len(arguments), _MOST_ARGUMENTS)
        ]
    return f"concat({', '.join(arguments)})"
