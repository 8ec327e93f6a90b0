"""Selections of an operation as the specification merges them: response key -> field nodes, in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
)

Fields = dict[str, list[FieldNode]]


class Selections:
    """Collects fields of one operation. switches: the values of variables that directives read."""

    def __init__(
        self, fragments: Mapping[str, FragmentDefinitionNode], switches: Mapping[str, object]
    ) -> None:
        self._fragments = fragments
        self._switches = switches

    def collect(self, sets: Iterable[SelectionSetNode | None], types: Collection[str]) -> Fields:
        """The fields that `sets` select on an object that is of all these `types`."""
        found: Fields = {}
        seen: set[str] = set()
        for selection in sets:
            if selection is not None:
                self._collect(selection, types, found, seen)
        return found

    def inside(self, nodes: Iterable[FieldNode], types: Collection[str]) -> Fields:
        """The fields selected inside these nodes of one response key."""
        return self.collect((node.selection_set for node in nodes), types)

    def _collect(
        self, selection: SelectionSetNode, types: Collection[str], found: Fields, seen: set[str]
    ) -> None:
        for node in selection.selections:
            if not self._wanted(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                found.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or node.type_condition.name.value in types:
                    self._collect(node.selection_set, types, found, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self._fragments[node.name.value]
                if fragment.type_condition.name.value in types:
                    self._collect(fragment.selection_set, types, found, seen)

    def _wanted(self, directives: Iterable[DirectiveNode]) -> bool:
        for directive in directives:
            name = directive.name.value
            if name in ("skip", "include") and self._condition(directive) is (name == "skip"):
                return False
        return True

    def _condition(self, directive: DirectiveNode) -> bool:
        for argument in directive.arguments or ():
            if argument.name.value == "if":
                if isinstance(argument.value, VariableNode):
                    return bool(self._switches.get(argument.value.name.value, False))
                if isinstance(argument.value, BooleanValueNode):
                    return argument.value.value
        return False
