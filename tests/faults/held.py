"""What a client of a subscription holds that does as it is told, and how often it was told wrong.

A message and its cursor are taken together or not at all: whoever is killed resumes behind the last one that it took.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from tests.endtoend.nodes import rows_of

from heliograph_core.cursor import StreamPosition, decode_stream


class Held(ABC):
    """cursor: where to go on, None at the beginning. repeated: messages that did not stand behind the one before."""

    def __init__(self, cursor: str | None = None) -> None:
        self.cursor = cursor
        self.repeated = 0

    def take(self, message: Mapping[str, Any], cursor: str) -> None:
        """One message whole."""
        self._apply(message)
        if self.cursor is not None:
            self.repeated += not _is_behind(cursor, self.cursor)
        self.cursor = cursor

    def rows(self, like: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What is held, as rows. like: any rows of the table."""
        return rows_of(self._nodes(), like) if like else []

    def __len__(self) -> int:
        return len(self._nodes())

    @property
    @abstractmethod
    def wrong(self) -> str:
        """What no client may be told; empty where nothing was."""

    @abstractmethod
    def _apply(self, message: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def _nodes(self) -> list[Mapping[str, Any]]: ...


class HeldRows(Held):
    """Rows as they come; a correction discards. doubled: rows that came while they were held."""

    def __init__(self, cursor: str | None = None) -> None:
        super().__init__(cursor)
        self._held: dict[tuple[int, ...], Mapping[str, Any]] = {}
        self.discards = 0
        self.doubled = 0

    @property
    def wrong(self) -> str:
        told = {"rows twice without a discard": self.doubled, "messages out of order": self.repeated}
        return ", ".join(f"{count} {what}" for what, count in told.items() if count)

    def _apply(self, message: Mapping[str, Any]) -> None:
        if (discard := message["discard"]) is not None:
            first, last = int(discard["fromSlot"]), int(discard["throughSlot"])
            self._held = {at: node for at, node in self._held.items() if not first <= at[0] <= last}
            self.discards += 1
        for node in message["nodes"]:
            at = (int(node["slot"]), node["txIndex"], node["ordinal"], node["part"])
            self.doubled += at in self._held
            self._held[at] = node

    def _nodes(self) -> list[Mapping[str, Any]]:
        return [self._held[at] for at in sorted(self._held)]


class HeldObjects(Held):
    """Whole objects: a snapshot, then each that changed. snapshots: how often all were told."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[str, Mapping[str, Any]] = {}
        self.snapshots = 0

    @property
    def wrong(self) -> str:
        told = {"snapshots beside the first": self.snapshots - 1, "messages out of order": self.repeated}
        return ", ".join(f"{count} {what}" for what, count in told.items() if count)

    def _apply(self, message: Mapping[str, Any]) -> None:
        if message["snapshot"]:
            self._held.clear()
            self.snapshots += 1
        for node in message["nodes"]:
            self._held[node["id"]] = node
        for gone in message["removed"]:
            self._held.pop(gone, None)

    def _nodes(self) -> list[Mapping[str, Any]]:
        return list(self._held.values())


def seq_of(cursor: str | None) -> int:
    """The commit that a cursor of one stream stands at, whole or not; of a joined one the lowest; 0 for none."""
    return min(at.seq for at in _positions(cursor)) if cursor else 0


def _is_behind(cursor: str, before: str) -> bool:
    """Whether a cursor stands behind another, in every part where it is a joined one."""
    pairs = list(zip(_positions(cursor), _positions(before), strict=True))
    return all(new >= old for new, old in pairs) and any(new > old for new, old in pairs)


def _positions(cursor: str) -> list[StreamPosition]:
    """Of each part of a joined cursor; there is one stream."""
    beginning = StreamPosition.after(0)
    return [
        next(iter(decode_stream(part).values()), beginning) if part else beginning
        for part in cursor.split(".")
    ]
