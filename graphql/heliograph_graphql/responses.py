"""Answers that are kept until a commit can change them, and the versions that say when one did.

The commits that an answer stands at are read in the snapshot that it is made in, and compared with those of the snapshot
that it would be made in again: what is served from here is what the database would say, however late notifications come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from heliograph_graphql.cache import BoundedCache
from heliograph_graphql.compiled_query import CompiledQuery, streams_of
from heliograph_graphql.document import Operation, Variables

Commits = Mapping[str, str]
"""Stream to all that an answer of its rows depends on, as `commits` of queries/graphql.sql reads it."""

_MOST = 100_000
_OVERHEAD = 500
"""Bytes that an entry takes besides its texts."""


@dataclass(frozen=True)
class Found:
    """key: of the request; version: of its answer now; body: that answer, where it is kept."""

    key: Hashable
    stands_at: Hashable
    version: str | None
    body: bytes | None


_NOT_KEPT = Found(None, None, None, None)


class Responses:
    """The answers of one executor. most_bytes: None keeps none, and versions are told all the same."""

    def __init__(self, most_bytes: int | None) -> None:
        self._kept: BoundedCache[tuple[Hashable, bytes]] | None = (
            None if most_bytes is None else BoundedCache(_MOST, most_bytes)
        )
        self.hits = self.misses = 0

    @property
    def keeps(self) -> bool:
        """Whether answers are kept at all."""
        return self._kept is not None

    def holds(self, operation: Operation, variables: Variables) -> bool:
        """Whether there is an answer that may still be true."""
        return self._kept is not None and self._kept.get(_key(operation, variables)) is not None

    def look_up(
        self,
        operation: Operation,
        variables: Variables,
        compiled: CompiledQuery,
        commits: Commits,
        revision: str,
        *,
        made: bool = False,
    ) -> Found:
        """What is known of the answer in a snapshot that stands at `commits`. revision: of the schema. made: it is there already,
        and not asked for.
        """
        if not compiled.is_numbered:
            return _NOT_KEPT
        names = streams_of(compiled, variables.values)
        stands_at = (
            revision,
            *((name, commit) for name, commit in commits.items() if names is None or name in names),
        )
        key = _key(operation, variables)
        digest = hashlib.sha256(repr((key, stands_at)).encode("utf-8", "replace"))
        kept = self._kept.get(key) if self._kept is not None and not made else None
        body = kept[1] if kept is not None and kept[0] == stands_at else None
        self.hits += body is not None
        return Found(key, stands_at, digest.hexdigest()[:32], body)

    def keep(self, found: Found, body: bytes) -> None:
        """The answer made for what was looked up."""
        if self._kept is not None and found.version is not None:
            self.misses += 1
            weight = len(body) + len(repr(found.key)) + _OVERHEAD
            self._kept.put(found.key, (found.stands_at, body), weight)


def _key(operation: Operation, variables: Variables) -> Hashable:
    return operation.text, operation.name, repr(variables.values)
