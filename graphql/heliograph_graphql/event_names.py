"""Names in GraphQL for what IDLs name: a type and a root field an event, a field a column. Pure.

The rules, in their order: what the table and the column are called (heliograph_sql/typed_names.py, kept for good) becomes camel
case, an underscore staying where no letter follows it, so that no two names of a stream become one; of a field it is the IDL's own
name, where that is free. A name that our types take, a type that ends like one that belongs to another (`…Filter`), and one that
another stream has already gets a `_` or a number behind it. Later tables, columns and streams never take a name from earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from heliograph_sql.typed_names import cut, free_name, snake

SUFFIXES = (
    "Aggregates",
    "Connection",
    "Edge",
    "Extremes",
    "ExtremesOrder",
    "Filter",
    "Group",
    "GroupBy",
    "GroupKey",
    "GroupOrder",
    "Known",
    "Message",
    "Numbers",
    "NumbersOrder",
    "Order",
)
"""What types that belong to another end in."""
OPERATORS = ("and", "or", "not")
"""What a filter has beside fields."""


def camel(name: str) -> str:
    """`market_index` is marketIndex; `size_2` stays. Different for different names in snake case."""
    text = re.sub(r"(?<=[a-z0-9])_([a-z])", lambda match: match[1].upper(), name)
    # Names that begin with two are GraphQL's own.
    return f"x{text}" if text.startswith("__") else text


class TypeNames:
    """Gives each event its type and its root field. taken: names of types and root fields that are there already."""

    def __init__(self, types: Iterable[str], roots: Iterable[str]) -> None:
        self._types = set(types)
        self._roots = set(roots)

    def give(self, stream: str, table: str) -> tuple[str, str]:
        """(type, root field), as `DriftFundingRateRecord` and `driftFundingRateRecords`."""
        base = camel(f"{stream}_{table}")
        # A type, its page, its filter and so on come and go together.
        name = f"{base[:1].upper()}{base[1:]}"
        if name.endswith(SUFFIXES):
            name += "_"
        name = self._free(cut(name), self._types, lambda found: [found, *(found + each for each in SUFFIXES)])
        root = self._free(
            cut(base + ("es" if base.endswith("s") else "s")), self._roots, lambda found: [found]
        )
        return name, root

    @staticmethod
    def _free(name: str, taken: set[str], uses: Callable[[str], list[str]]) -> str:
        found, number = name, 2
        while taken.intersection(uses(found)):
            found, number = cut(f"{name}_{number}"), number + 1
        taken.update(uses(found))
        return found


def field_names(columns: Iterable[tuple[str, str]], taken: Collection[str]) -> list[str]:
    """Names of a table's columns, given as (field of the IDL, column) in the order of their making."""
    used = {*taken, *OPERATORS}
    names = []
    for field, column in columns:
        plain = camel(snake(field.partition("#")[0]))
        name = plain if plain not in used and len(plain) <= 63 and plain else camel(column)
        names.append(free_name(name, used))
        used.add(names[-1])
    return names
