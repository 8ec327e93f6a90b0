"""Field names that are unique within their struct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from heliograph_indexer.idl.model import Field


def unique_fields(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The same fields with repeated names told apart: the last keeps its name, earlier ones get `_1`, `_2`, …

    Drift's LPPool has two fields `padding`. The last keeps it because that is the one which readers of a
    plain dictionary see.
    """
    left = Counter(field.name for field in fields)
    if len(left) == len(fields):
        return tuple(fields)
    taken = set(left)
    found = []
    for field in fields:
        left[field.name] -= 1
        name = field.name
        if left[name]:
            number = 1
            while f"{field.name}_{number}" in taken:
                number += 1
            name = f"{field.name}_{number}"
            taken.add(name)
        found.append(replace(field, name=name))
    return tuple(found)
