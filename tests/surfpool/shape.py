"""The shape of a JSON value: which types stand at which path, and how two shapes differ. Values in, values out.

A path is `$.meta.logMessages[*]`: keys by name, all elements of an array together. An answer's error has its code in
its type, because clients decide by it. `absent` says that some of the objects that could have the key do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Shape = Mapping[str, frozenset[str]]

ABSENT = "absent"


@dataclass(frozen=True)
class Difference:
    """What one side has at a path and what the other has, types joined by `|`, `absent` where it has nothing."""

    path: str
    left: str
    right: str


def shape_of(value: object) -> Shape:
    types: dict[str, set[str]] = {}
    counts: dict[str, int] = {}
    _collect("$", value, types, counts)
    for path in list(types):
        parent = _parent_object(path)
        if parent is not None and counts[path] < counts[f"{parent} object"]:
            types[path].add(ABSENT)
    return {path: frozenset(found) for path, found in types.items()}


def differences(left: Shape, right: Shape) -> list[Difference]:
    """Sorted by path; below a path where one side has nothing to look into, nothing is told."""
    found: list[Difference] = []
    for path in sorted({*left, *right}):
        one, other = left.get(path, frozenset({ABSENT})), right.get(path, frozenset({ABSENT}))
        if one != other and not any(_hides(each, path) for each in found):
            found.append(Difference(path, "|".join(sorted(one)), "|".join(sorted(other))))
    return found


def _collect(path: str, value: object, types: dict[str, set[str]], counts: dict[str, int]) -> None:
    kind = _type_of(path, value)
    types.setdefault(path, set()).add(kind)
    counts[path] = counts.get(path, 0) + 1
    if isinstance(value, dict):
        counts[f"{path} object"] = counts.get(f"{path} object", 0) + 1
    for child, each in _children(path, value):
        _collect(child, each, types, counts)


def _children(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{path}.{key}", each
    elif isinstance(value, list):
        for each in value:
            yield f"{path}[*]", each


def _type_of(path: str, value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return f"error {value.get('code')}" if path == "$.error" else "object"
    raise TypeError(f"{path}: {type(value).__name__} is no JSON")


def _parent_object(path: str) -> str | None:
    """The object that the last key stands in, None for elements of arrays and the root."""
    if path.endswith("[*]") or path == "$":
        return None
    return path.rpartition(".")[0]


def _hides(difference: Difference, path: str) -> bool:
    """Whether one side has nothing at the difference that could hold what the path leads to."""
    rest = path.removeprefix(difference.path)
    if rest == path or rest[0] not in ".[":
        return False
    containers = ("array",) if rest[0] == "[" else ("object", "error")
    return not all(
        any(each.startswith(containers) for each in side.split("|"))
        for side in (difference.left, difference.right)
    )
