"""Judges differences between two clusters by a table of those that are known. Values in, complaints out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.surfpool.shape import differences, shape_of


@dataclass(frozen=True)
class Known:
    """One difference and why it is there. topics: the requests or subscriptions that show it, each of which must.

    surfpool, localnet: the types at `path`, as `shape.Difference` writes them.
    """

    topics: tuple[str, ...]
    path: str
    surfpool: str
    localnet: str
    reason: str


def complaints(
    surfpool: Mapping[str, object], localnet: Mapping[str, object], known: Iterable[Known]
) -> list[str]:
    """What is not as the table says: a difference without a name, and a name without its difference."""
    named = {
        (topic, each.path): (each.surfpool, each.localnet, each.reason)
        for each in known
        for topic in each.topics
    }
    found = {
        (topic, each.path): (each.left, each.right)
        for topic in sorted({*surfpool, *localnet})
        for each in differences(shape_of(surfpool.get(topic)), shape_of(localnet.get(topic)))
    }
    told = []
    for (topic, path), (left, right) in found.items():
        expected = named.get((topic, path))
        if expected is None:
            told.append(f"unnamed: {topic} {path}: surfpool {left}, localnet {right}")
        elif expected[:2] != (left, right):
            was = f"surfpool {expected[0]}, localnet {expected[1]}"
            told.append(
                f"named otherwise: {topic} {path}: surfpool {left}, localnet {right}; in the table {was}"
            )
    for (topic, path), (_, _, reason) in named.items():
        if (topic, path) not in found:
            told.append(f"differs no longer: {topic} {path} ({reason})")
    return told
