"""Operations to plans: a valid operation's selection in, a tree of pages and leaves out. Pure.

What it does not know (introspection, `status`) it leaves to Strawberry by giving None for that root field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    value_from_ast,
)

from heliograph_graphql.aggregate_plan import compile_aggregates
from heliograph_graphql.completeness import COMPLETE_THROUGH, COVERAGE
from heliograph_graphql.conditions import Filters, sorts, source
from heliograph_graphql.document import Operation, Variables
from heliograph_graphql.entity import Catalog, Entity, Part, Relation
from heliograph_graphql.failures import BAD_INPUT, too_complex
from heliograph_graphql.node_id import NodeIdError, entity_of_id
from heliograph_graphql.plan import (
    Aggregates,
    All,
    AsOf,
    Compare,
    Condition,
    EdgeCursor,
    Edges,
    Leaf,
    Node,
    Nodes,
    One,
    Operator,
    Page,
    PageFact,
    PageInfo,
    PageNode,
    PartList,
    PartOf,
    Root,
    Row,
    Source,
    TotalCount,
    Typename,
    read,
)
from heliograph_graphql.selection import Fields, Selections
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.types import DEFAULT_FIRST

# PostgreSQL cuts longer names, which would make two response keys one.
LONGEST_KEY = 63


class Compiler:
    """Compiles operations of one schema."""

    def __init__(self, schema: GraphQLSchema, catalog: Catalog, settings: ApiSettings) -> None:
        self._schema = schema
        self._catalog = catalog
        self._settings = settings

    def query(self, operation: Operation, variables: Variables) -> dict[str, Root | Typename | None]:
        """Root fields by response key, in order. Raises GraphQLError."""
        work = Work(self._schema, self._catalog, self._settings, operation, variables)
        root = cast(GraphQLObjectType, self._schema.query_type)
        fields = work.selections.collect([operation.definition.selection_set], {root.name})
        return {key: work.root(key, nodes, root) for key, nodes in fields.items()}


class Work:
    """One compilation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        catalog: Catalog,
        settings: ApiSettings,
        operation: Operation,
        variables: Variables,
    ) -> None:
        self._schema = schema
        self._catalog = catalog
        self.selections = Selections(operation.fragments, variables.values)
        self._variables = variables
        self._filters = Filters(settings.max_conditions)
        self._settings = settings

    def root(self, key: str, nodes: list[FieldNode], parent: GraphQLObjectType) -> Root | Typename | None:
        name = nodes[0].name.value
        if name == "__typename":
            return Typename(parent.name)
        if name in self._catalog.by_root:
            return self.page(self._catalog.by_root[name], None, nodes, parent)
        if name in self._catalog.by_one:
            return self.row(self._catalog.by_one[name], nodes, parent)
        return self.node(nodes, parent) if name == "node" else None

    def page(
        self, entity: Entity, relation: Relation | None, nodes: list[FieldNode], parent: GraphQLObjectType
    ) -> Page:
        given = self.arguments(parent, nodes[0])
        entity = self._chosen(entity, given)
        first = given.get("first")
        return Page(
            entity=entity,
            relation=relation,
            first=source(DEFAULT_FIRST if first is None else first),
            after=None if given.get("after") is None else source(given["after"]),
            where=self._filters.condition(entity, given.get("where")),
            sorts=sorts(entity, given.get("orderBy")),
            items=self._page_items(entity, self._inside(nodes, f"{entity.name}Connection")),
            arguments=asked_with(entity, relation, given),
            as_of=_as_of(given.get("asOf"), self._settings.max_folded),
        )

    def row(self, entity: Entity, nodes: list[FieldNode], parent: GraphQLObjectType) -> Row:
        given = {name: value for name, value in self.arguments(parent, nodes[0]).items() if value is not None}
        if entity.arguments:
            items = self._items(entity, self._row_fields(nodes, entity))
            asked = asked_with(entity, None, given)
            return Row(entity, All(()), sorts(entity, None), items, arguments=asked)
        identity = given.pop("id", None)
        if identity is None and not set(given) - {"stream"}:
            names = [name for name in entity.lookups if name != "stream"]
            raise GraphQLError(
                f"{entity.one} needs {' or '.join(('id', *names))}", nodes[0], extensions={"code": BAD_INPUT}
            )
        found = tuple(
            Compare(entity.by_key[name], Operator.EQ, source(value)) for name, value in given.items()
        )
        where: Condition = All(found)
        items = self._items(entity, self._row_fields(nodes, entity))
        return Row(entity, where, sorts(entity, None), items, None if identity is None else source(identity))

    def node(self, nodes: list[FieldNode], parent: GraphQLObjectType) -> Row:
        """The row of a global id, which says of which entity it is: another type of id is another plan."""
        identity = source(self.arguments(parent, nodes[0])["id"])
        text = str(read(identity, self._variables.values))
        entity = self._catalog.nodes.get(entity_of_id(text))
        if entity is None:
            raise NodeIdError(
                f"id {text[:40]!r} is of no type that this server has: pass an id as it was received"
            )
        return Row(
            entity,
            All(()),
            sorts(entity, None),
            self._items(entity, self._row_fields(nodes, entity)),
            identity,
        )

    def _chosen(self, entity: Entity, given: Mapping[str, object]) -> Entity:
        """The entity to read: another choice is another plan."""
        if entity.choose is None:
            return entity
        asked = asked_with(entity, None, given)
        return entity.choose({name: read(value, self._variables.values) for name, value in asked.items()})

    def arguments(self, parent: GraphQLObjectType, node: FieldNode) -> dict[str, object]:
        """The field's arguments, coerced, with references where they come from variables."""
        definition: GraphQLField = parent.fields[node.name.value]
        written = {argument.name.value: argument.value for argument in node.arguments or ()}
        given: dict[str, object] = {}
        for name, argument in definition.args.items():
            if name not in written:
                continue
            value: Any = value_from_ast(
                written[name], argument.type, cast(dict[str, Any], self._variables.symbols)
            )
            if value is not Undefined:
                given[name] = value
        return given

    def _page_items(self, entity: Entity, fields: Fields) -> dict[str, PageNode]:
        items: dict[str, PageNode] = {}
        for key, nodes in fields.items():
            name = nodes[0].name.value
            if name == "__typename":
                items[key] = Typename(f"{entity.name}Connection")
            elif name == "nodes":
                items[key] = Nodes(self._items(entity, self._row_fields(nodes, entity)))
            elif name == "edges":
                items[key] = self._edges(entity, self._inside(nodes, f"{entity.name}Edge"))
            elif name == "pageInfo":
                items[key] = self._page_info(self._inside(nodes, "PageInfo"))
            elif name == "totalCount":
                items[key] = TotalCount()
            elif name == "aggregates":
                items[key] = self._aggregates(entity, nodes)
            else:
                part = {"completeThrough": COMPLETE_THROUGH, "coverage": COVERAGE}[name]
                items[key] = PartOf(part, self._part(part, nodes))
        return items

    def _aggregates(self, entity: Entity, nodes: list[FieldNode]) -> Aggregates:
        connection = cast(GraphQLObjectType, self._schema.type_map[f"{entity.name}Connection"])
        given = self.arguments(connection, nodes[0])
        return compile_aggregates(entity, nodes, given, self._inside, self._settings.max_aggregated)

    def _edges(self, entity: Entity, fields: Fields) -> Edges:
        items: dict[str, EdgeCursor | Nodes | Typename] = {}
        for key, nodes in fields.items():
            name = nodes[0].name.value
            if name == "__typename":
                items[key] = Typename(f"{entity.name}Edge")
            elif name == "cursor":
                items[key] = EdgeCursor()
            else:
                items[key] = Nodes(self._items(entity, self._row_fields(nodes, entity)))
        return Edges(items)

    def _page_info(self, fields: Fields) -> PageInfo:
        return PageInfo(
            {
                key: Typename("PageInfo")
                if nodes[0].name.value == "__typename"
                else PageFact(nodes[0].name.value)
                for key, nodes in fields.items()
            }
        )

    def _part(self, part: Part, nodes: list[FieldNode]) -> dict[str, Leaf | Typename | PartList]:
        items: dict[str, Leaf | Typename | PartList] = {}
        for key, found in self._inside(nodes, part.name).items():
            name = found[0].name.value
            if name == "__typename":
                items[key] = Typename(part.name)
            elif name in part.parts:
                nested = part.parts[name]
                leaves = {k: v for k, v in self._part(nested, found).items() if not isinstance(v, PartList)}
                items[key] = PartList(nested, leaves)
            else:
                items[key] = Leaf(part.by_key[name])
        return items

    def _items(self, entity: Entity, fields: Fields) -> dict[str, Node]:
        items: dict[str, Node] = {}
        for key, nodes in fields.items():
            name = nodes[0].name.value
            relation = entity.relation_by_key.get(name)
            if name == "__typename":
                items[key] = Typename(entity.name)
            elif relation is None:
                items[key] = Leaf(entity.by_key[name])
            elif relation.many:
                target = self._catalog.by_name[relation.target]
                parent = cast(GraphQLObjectType, self._schema.type_map[entity.name])
                items[key] = self.page(target, relation, nodes, parent)
            else:
                target = self._catalog.by_name[relation.target]
                items[key] = One(relation, target, self._items(target, self._row_fields(nodes, target)))
        return items

    def _row_fields(self, nodes: Sequence[FieldNode], entity: Entity) -> Fields:
        return _checked(self.selections.inside(nodes, {entity.name, "Node"}))

    def _inside(self, nodes: Sequence[FieldNode], name: str) -> Fields:
        return _checked(self.selections.inside(nodes, {name}))


def asked_with(entity: Entity, relation: Relation | None, given: Mapping[str, object]) -> dict[str, Source]:
    """Values of the entity's arguments, defaults included."""
    theirs = {name for name, _ in relation.given} if relation else set()
    found: dict[str, Source] = {}
    for argument in entity.arguments:
        if argument.name not in theirs:
            value = given.get(argument.key)
            found[argument.name] = source(argument.default if value is None else value)
    return found


def _as_of(given: object, most: int) -> AsOf | None:
    if not isinstance(given, Mapping):
        return None
    slot, time = (None if given.get(name) is None else source(given[name]) for name in ("slot", "time"))
    return AsOf(slot, time, most)


def _checked(fields: Fields) -> Fields:
    for key in fields:
        if len(key) > LONGEST_KEY:
            raise too_complex(f"alias {key[:20]}… is longer than {LONGEST_KEY} letters")
    return fields
