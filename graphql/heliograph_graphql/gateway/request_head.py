"""The head of a request: its headers by name, looked through once however many ask."""

from __future__ import annotations

from typing import Any

from starlette.types import Scope

_SCOPE = "heliograph.headers"


def header(scope: Scope, name: str) -> str | None:
    """The first header of this name, which is in lower case; None where there is none."""
    found: Any = scope.get(_SCOPE)
    if found is None:
        # Of several with one name the first counts, as for Starlette.
        found = scope[_SCOPE] = dict(reversed(list(scope["headers"])))
    value: bytes | None = found.get(name.encode())
    return None if value is None else value.decode("latin-1")
