"""Operations from text: parsed, limited and validated once each, then cached."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    get_variable_values,
    parse,
    specified_rules,
    type_from_ast,
    validate,
    value_from_ast,
    visit,
)
from graphql.language import DirectiveNode, ValueNode, VariableNode, Visitor

from heliograph_graphql.cache import BoundedCache
from heliograph_graphql.failures import BAD_INPUT, VALIDATION_FAILED, RequestError, coded, from_graphql, show
from heliograph_graphql.limits import check_limits, check_text, check_variables
from heliograph_graphql.plan import Ref
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.values import symbolize

EVENTS = "events"
"""The field whose arguments say which tables are read."""
MIN_SLOT = "minSlot"
"""The directive's name."""
_MOST_CHARACTERS = 500_000
"""Text of all operations that stay parsed: some hundred bytes of memory each, whoever sent them."""

_UNKNOWN_FIELD = re.compile(r"Cannot query field '(?P<field>\w+)' on type '(?P<type>\w+)'\.")


@dataclass(frozen=True, eq=False)
class Operation:
    """One valid operation.

    kinds: types of the variables. switches: names of those that @skip and @include read. sizes: of those that say how
    many rows. nodes: of those that `node` is asked with. choices: of those that say which events. min_slot: what @minSlot says.
    """

    text: str
    name: str | None
    document: DocumentNode
    definition: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    kinds: Mapping[str, GraphQLInputType]
    switches: tuple[str, ...]
    sizes: tuple[str, ...]
    nodes: tuple[str, ...]
    choices: tuple[str, ...]
    min_slot: ValueNode | None
    token: object = field(default_factory=object)
    """Stands for the operation where its text would be kept alive otherwise, or compared."""

    @cached_property
    def varies(self) -> bool:
        """Whether its statements depend on more of its variables than which of them are given."""
        return bool(self.switches or self.sizes or self.nodes or self.choices)

    @cached_property
    def texts(self) -> Mapping[str, Ref] | None:
        """References to its variables where all of them are of text, which needs no coercion; else None."""
        if not all(_is_of_text(kind) for kind in self.kinds.values()):
            return None
        return {name: Ref((name,)) for name in self.kinds}

    @property
    def kind(self) -> OperationType:
        return self.definition.operation


class Variables(msgspec.Struct, frozen=True):
    """Coerced variables, and the same with leaves replaced by references. plain: whether nothing of them but texts, or nothing at all,

    is given: then they are the same for every request.
    """

    values: Mapping[str, object]
    symbols: Mapping[str, object]
    plain: bool = False


class Documents:
    """The operations of one schema."""

    def __init__(self, schema: GraphQLSchema, settings: ApiSettings) -> None:
        self._schema = schema
        self._settings = settings
        self._cache: BoundedCache[Operation] = BoundedCache(settings.operations_cached, _MOST_CHARACTERS)
        self._rules = list(specified_rules)
        if not settings.introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)

    def operation(self, text: str, name: str | None) -> Operation:
        """The operation of `text` called `name`, or its only one. Raises RequestError."""
        key = (text, name)
        known = self._cache.get(key)
        if known is None:
            known = self._prepare(text, name)
            self._cache.put(key, known, len(text))
        return known

    def variables(self, operation: Operation, given: Mapping[str, object]) -> Variables:
        """The operation's variables, coerced. Raises RequestError with the code BAD_USER_INPUT."""
        definitions = operation.definition.variable_definitions or ()
        if not definitions:
            return Variables({}, {}, plain=True)
        refs = operation.texts
        if refs is not None and refs.keys() == given.keys() and all(map(_is_short_text, given.values())):
            # Coercion would leave every value as it is.
            return Variables(given, refs, plain=True)
        try:
            check_variables(given, self._settings)
        except GraphQLError as error:
            raise RequestError([show(error)]) from None
        coerced = get_variable_values(self._schema, definitions, dict(given), max_errors=10)
        if isinstance(coerced, list):
            raise RequestError(from_graphql(coerced, BAD_INPUT))
        symbols = {
            name: symbolize(coerced.coerced[name], kind, (name,))
            for name, kind in operation.kinds.items()
            if name in coerced.coerced
        }
        return Variables(coerced.coerced, symbols)

    def _prepare(self, text: str, name: str | None) -> Operation:
        try:
            check_text(text, self._settings)
            document = parse(text, max_tokens=self._settings.max_tokens)
            check_limits(document, self._settings)
        except GraphQLError as error:
            raise RequestError([show(error)]) from None
        except RecursionError:
            raise RequestError([coded("the operation is nested too deeply", "QUERY_TOO_COMPLEX")]) from None
        errors = validate(self._schema, document, self._rules, max_errors=10)
        if errors:
            told = [_told(error, self._schema) for error in errors]
            raise RequestError(from_graphql(told, VALIDATION_FAILED))
        definition = _choose(document, name)
        fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        return Operation(
            text,
            name,
            document,
            definition,
            fragments,
            self._kinds(definition),
            *_uses(document),
            _min_slot(definition),
        )

    def min_slot(self, operation: Operation, variables: Variables) -> int | None:
        """The slot that the answer waits for."""
        if operation.min_slot is None:
            return None
        kind = cast(GraphQLInputType, self._schema.type_map["Slot"])
        slot: int | None = value_from_ast(operation.min_slot, kind, dict(variables.values))
        # Undefined, where the variable was not given.
        return slot if isinstance(slot, int) else None

    def _kinds(self, definition: OperationDefinitionNode) -> dict[str, GraphQLInputType]:
        # Validation has seen to it that every type is there and can be put in.
        return {
            variable.variable.name.value: cast(GraphQLInputType, type_from_ast(self._schema, variable.type))
            for variable in definition.variable_definitions or ()
        }


def _told(error: GraphQLError, schema: GraphQLSchema) -> GraphQLError:
    """The error, and where it asks a page for a field of its rows, the way to them: the likeliest first mistake."""
    unknown = _UNKNOWN_FIELD.match(error.message)
    page = schema.get_type(unknown["type"]) if unknown else None
    if unknown is None or not isinstance(page, GraphQLObjectType) or "nodes" not in page.fields:
        return error
    row = get_named_type(page.fields["nodes"].type)
    if not isinstance(row, GraphQLObjectType) or unknown["field"] not in row.fields:
        return error
    message = f"{unknown[0]} Its rows have it: ask for nodes {{ {unknown['field']} }}."
    return GraphQLError(message, error.nodes)


def _choose(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if name is not None:
        found = [d for d in found if d.name and d.name.value == name]
    if len(found) == 1:
        return found[0]
    if name is not None:
        message = f"there is no operation {name[:60]!r} in the text"
    else:
        message = (
            "the text holds no operation"
            if not found
            else "the text holds several operations: say which with operationName"
        )
    raise RequestError([coded(message, BAD_INPUT)])


def _min_slot(definition: OperationDefinitionNode) -> ValueNode | None:
    for directive in definition.directives or ():
        if directive.name.value == MIN_SLOT:
            return next((argument.value for argument in directive.arguments or ()), None)
    return None


class _Uses(Visitor):
    """What variables are used for."""

    def __init__(self) -> None:
        super().__init__()
        self.switches: set[str] = set()
        self.sizes: set[str] = set()
        self.nodes: set[str] = set()
        self.choices: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if node.name.value == MIN_SLOT:
            return
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.switches.add(argument.value.name.value)

    def enter_field(self, node: FieldNode, *_: object) -> None:
        for argument in node.arguments or ():
            if not isinstance(argument.value, VariableNode):
                continue
            if argument.name.value == "first":
                self.sizes.add(argument.value.name.value)
            elif node.name.value == "node":
                self.nodes.add(argument.value.name.value)
            elif node.name.value == EVENTS and argument.name.value in ("stream", "name"):
                self.choices.add(argument.value.name.value)


def _uses(
    document: DocumentNode,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    visitor = _Uses()
    visit(document, visitor)
    return (
        tuple(sorted(visitor.switches)),
        tuple(sorted(visitor.sizes)),
        tuple(sorted(visitor.nodes)),
        tuple(sorted(visitor.choices)),
    )


_PLAIN_TEXT = frozenset({"String", "ID"})
_LONGEST_PLAIN = 2000


def _is_of_text(kind: GraphQLInputType) -> bool:
    named = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    return isinstance(named, GraphQLScalarType) and named.name in _PLAIN_TEXT


def _is_short_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_PLAIN
