"""Limits on an operation's text: fields, aliases, depth. Counted before validation, in time linear in the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

from heliograph_graphql.failures import too_complex
from heliograph_graphql.settings import ApiSettings

_REPEATED = 20
_LISTINGS = frozenset({"__schema", "__type", "eventTypes"})
"""What is executed here and not by the database, and holds everybody up meanwhile."""


@dataclass
class Size:
    """fields, aliases and listings of the schema: with fragments spread each time; depth: nesting of fields."""

    fields: int = 0
    aliases: int = 0
    depth: int = 0
    listings: int = 0


class Measure:
    """Measures the selections of one document; fragments once each, cycles as empty (validation refuses them)."""

    def __init__(self, document: DocumentNode, most: int) -> None:
        self._fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}
        self._open: set[str] = set()
        self._most = most

    def size(self, selection: SelectionSetNode | None) -> Size:
        total = Size()
        names: Counter[str] = Counter()
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                name = node.alias.value if node.alias else node.name.value
                names[name] += 1
                inner = Size() if node.name.value.startswith("__") else self.size(node.selection_set)
                part = Size(
                    inner.fields + 1,
                    inner.aliases + (node.alias is not None),
                    inner.depth + 1,
                    inner.listings + (node.name.value in _LISTINGS),
                )
            elif isinstance(node, FragmentSpreadNode):
                names[f"...{node.name.value}"] += 1
                part = self._fragment(node.name.value)
            else:
                part = self.size(node.selection_set) if isinstance(node, InlineFragmentNode) else Size()
            total.fields = min(total.fields + part.fields, self._most + 1)
            total.aliases = min(total.aliases + part.aliases, self._most + 1)
            total.depth = max(total.depth, part.depth)
            total.listings = min(total.listings + part.listings, self._most + 1)
        for name, count in names.items():
            if count > _REPEATED:
                # Validation compares every pair of equal names.
                raise too_complex(f"{name} stands {count} times in one selection: at most {_REPEATED}")
        return total

    def _fragment(self, name: str) -> Size:
        if name in self._open or name not in self._fragments:
            return Size()
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self.size(self._fragments[name].selection_set)
            self._open.discard(name)
        return self._known[name]


def check_text(text: str, settings: ApiSettings) -> None:
    """Raises GraphQLError with the code QUERY_TOO_COMPLEX for a text that is not even to be read."""
    most = settings.max_operation_characters
    if len(text) > most:
        raise too_complex(
            f"the operation has {len(text)} characters, {most} are allowed: pass values as variables"
        )


def check_limits(document: DocumentNode, settings: ApiSettings) -> None:
    """Raises GraphQLError with the code QUERY_TOO_COMPLEX for a document beyond the settings."""
    _check_definitions(document, settings)
    measure = Measure(document, max(settings.max_fields, settings.max_aliases))
    listings = 0
    for definition in document.definitions:
        size = measure.size(getattr(definition, "selection_set", None))
        # Those of a fragment are counted where it is spread.
        listings += 0 if isinstance(definition, FragmentDefinitionNode) else size.listings
        for name, count, most in (
            ("fields", size.fields, settings.max_fields),
            ("aliases", size.aliases, settings.max_aliases),
            ("levels", size.depth, settings.max_depth),
        ):
            if count > most:
                raise too_complex(f"the operation has more than {most} {name}: ask for less at once")
    if listings > settings.max_introspections:
        raise too_complex(
            f"the text has {listings} introspections, {settings.max_introspections} are allowed: ask for each alone"
        )


def _check_definitions(document: DocumentNode, settings: ApiSettings) -> None:
    # Validation looks at each definition for each rule.
    most = settings.max_definitions
    if len(document.definitions) > most:
        raise too_complex(
            f"the text has {len(document.definitions)} operations and fragments, {most} are allowed"
        )
    for definition in document.definitions:
        variables = getattr(definition, "variable_definitions", None) or ()
        if len(variables) > most:
            raise too_complex(f"the operation has {len(variables)} variables, {most} are allowed")


def check_variables(given: Mapping[str, object], settings: ApiSettings) -> None:
    """Raises GraphQLError with the code QUERY_TOO_COMPLEX for variables beyond the settings.

    Before they are coerced: graphql-core takes a second for a megabyte of small values, and nothing else runs meanwhile.
    """
    values = characters = depth = 0
    level: list[object] = [given]
    while level:
        if depth > settings.max_variable_depth:
            raise too_complex(f"the variables are nested deeper than {settings.max_variable_depth} levels")
        depth += 1
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                characters += len(value)
            elif isinstance(value, dict):
                characters += sum(map(len, value))
                values += len(value)
                below.extend(value.values())
            elif isinstance(value, list):
                values += len(value)
                below.extend(value)
        for name, count, most in (
            ("values", values, settings.max_variable_values),
            ("characters", characters, settings.max_variable_characters),
        ):
            if count > most:
                raise too_complex(f"the variables hold more than {most} {name}: send less at once")
        level = below
