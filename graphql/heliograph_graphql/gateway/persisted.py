"""Operations by name: automatic persisted queries (APQ), and a list beside which nothing is run.

https://www.apollographql.com/docs/apollo-server/performance/apq says what clients send and expect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from heliograph_core.errors import SettingsError
from heliograph_graphql.cache import BoundedCache
from heliograph_graphql.failures import BAD_REQUEST, refuse

NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
NOT_ALLOWED = "OPERATION_NOT_ALLOWED"
HASH_MISMATCH = "PERSISTED_QUERY_HASH_MISMATCH"
_MOST_CHARACTERS = 2_000_000


class PersistedOperations:
    """Finds the text of an operation. allowed: texts by id, beside which nothing is run; None: everything is."""

    def __init__(self, allowed: Mapping[str, str] | None, most: int) -> None:
        self._allowed = allowed
        self._texts = frozenset((allowed or {}).values())
        self._known: BoundedCache[str] = BoundedCache(most, _MOST_CHARACTERS)

    def text(self, query: str | None, identifier: str | None, extensions: Mapping[str, object] | None) -> str:
        """The operation that a request means. Raises RequestError.

        identifier: `documentId` of the request; extensions: may hold `persistedQuery` with `sha256Hash`.
        """
        name = identifier or _hash(extensions)
        if self._allowed is not None:
            return self._listed(query, name)
        if name is None:
            if query is None:
                raise refuse("there is no query: send one as `query`", BAD_REQUEST)
            return query
        if query is None:
            known = self._known.get(name)
            if known is None:
                # Clients wait for these very words, with status 200, to send the text too.
                raise refuse("PersistedQueryNotFound", NOT_FOUND, 200)
            return known
        if name != hashlib.sha256(query.encode("utf-8", "replace")).hexdigest():
            raise refuse(
                "sha256Hash is not that of the query: send the hash of its UTF-8 text", HASH_MISMATCH
            )
        self._known.put(name, query, len(query))
        return query

    def _listed(self, query: str | None, name: str | None) -> str:
        assert self._allowed is not None
        if query is not None and query in self._texts:
            return query
        listed = self._allowed.get(name) if name is not None and query is None else None
        if listed is None:
            raise refuse(
                "this server runs only the operations on its list, and this is none of them: have it added to the list",
                NOT_ALLOWED,
                403,
            )
        return listed


def _hash(extensions: Mapping[str, object] | None) -> str | None:
    asked = (extensions or {}).get("persistedQuery")
    if asked is None:
        return None
    name = asked.get("sha256Hash") if isinstance(asked, Mapping) else None
    if not isinstance(name, str) or not 1 <= len(name) <= 128:
        raise refuse("extensions.persistedQuery needs sha256Hash, a text of hexadecimal digits", BAD_REQUEST)
    return name


def read_allowed(path: Path) -> dict[str, str]:
    """The list of operations in a JSON file. Raises SettingsError."""
    try:
        listed = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"allowed_operations {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"allowed_operations {path} is no JSON ({error}): mend it") from None
    if not isinstance(listed, dict) or not all(isinstance(text, str) for text in listed.values()):
        raise SettingsError(
            f'allowed_operations {path} must be one object, {{"id": "text of the operation", …}}'
        )
    return listed
