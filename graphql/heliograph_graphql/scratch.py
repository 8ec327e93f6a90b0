"""What one statement gathers while it is written: its parameters, its aliases, and the named parts it is filled from."""

from __future__ import annotations

import re

from heliograph_graphql.entity import Catalog, Entity
from heliograph_graphql.parameters import Param
from heliograph_graphql.sql_text import fill, global_id, quote
from heliograph_sql.queries import load

_TOKEN = re.compile(r"\{(id|query)\.(\w+)(?:\.(\w+))?\}")


class Scratch:
    """Hands out aliases and collects parameters. Aliases begin with @, which no column of a table does."""

    def __init__(self, catalog: Catalog, *, shares: bool = False) -> None:
        """shares: whether `statement` makes the statement, so that something may stand before its SELECT."""
        self._shares = shares
        self.params: list[Param] = []
        self._shared: dict[str, str] = {}
        self._catalog = catalog
        self._aliases = 0

    def alias(self) -> str:
        self._aliases += 1
        return quote(f"@{self._aliases}t")

    def share(self, value: str) -> str:
        """The value of an expression that depends on no row and no parameter, computed once however often it is asked for."""
        if not self._shares:
            return value
        name = self._shared.setdefault(value, quote(f"@{len(self._shared)}w"))
        return _read(name)

    def statement(self, answer: str) -> str:
        """SELECT of the one value. What is asked for several times stands before it, what but once in its place."""
        before = []
        for value, name in self._shared.items():
            if answer.count(_read(name)) == 1:
                answer = answer.replace(_read(name), value)
            else:
                before.append(f"{name} AS MATERIALIZED (SELECT {value} AS v)")
        return f"{'WITH ' if before else ''}{', '.join(before)} SELECT {answer}".lstrip()

    def param(self, param: Param, kind: str) -> str:
        self.params.append(param)
        return f"${len(self.params)}::{kind}"

    def identity(self, entity: Entity, row: str) -> str:
        """The row's global id."""
        return global_id(entity, row)

    def fragment(self, name: str, **values: str) -> str:
        def replace(match: re.Match[str]) -> str:
            what, first, second = match.groups()
            if what == "query":
                return self.fragment(first)
            return self.identity(self._catalog.by_name[first], second)

        return fill(_TOKEN.sub(replace, load("graphql.sql")[name]), **values)


def _read(shared: str) -> str:
    return f"(SELECT {shared}.v FROM {shared})"
