"""Named SQL: reads `queries/<file>.sql`, where each statement stands under a `-- name: verb_noun` line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """The statements of one file by name; `queries["add_stream"]`. KeyError names the file and what it has."""

    def __init__(self, source: str, text: str) -> None:
        """source: the file's name, for messages. Raises ValueError where a name is missing, doubled or empty."""
        self.source = source
        self._statements: dict[str, str] = {}
        head, *rest = _NAME.split(text)
        if any(line.strip() and not line.lstrip().startswith("--") for line in head.splitlines()):
            raise ValueError(f"{source}: SQL before the first `-- name: verb_noun` line")
        for name, body in zip(rest[::2], rest[1::2], strict=True):
            statement = body.strip().removesuffix(";")
            if not statement:
                raise ValueError(f"{source}: {name} has no statement")
            if name in self._statements:
                raise ValueError(f"{source}: {name} stands there twice")
            self._statements[name] = statement

    def __getitem__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise KeyError(f"{self.source} has no {name!r}, only {', '.join(self._statements)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


@cache
def load(file: str) -> Queries:
    """The statements of `queries/<file>`, as in load("streams.sql"). FileNotFoundError where there is none."""
    text = (resources.files("heliograph_sql") / "queries" / file).read_text("utf-8")
    return Queries(file, text)
