"""Object types and connections, made from the entities' descriptions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Protocol

import strawberry
from strawberry.types.unset import UNSET

from heliograph_graphql.aggregate_types import AggregateTypes
from heliograph_graphql.completeness import COMPLETE_THROUGH, COVERAGE
from heliograph_graphql.entity import Argument, Catalog, Choice, Entity, Field, Kind, Part, Relation
from heliograph_graphql.inputs import Inputs, list_of
from heliograph_graphql.scalars import Json

DEFAULT_FIRST = 50


class Resolvers(Protocol):
    """Where connections and related rows come from: compiled bytes in the server, plain rows in its tests."""

    def page(
        self, entity: Entity, relation: Relation | None, parent: Any, info: Any, arguments: dict[str, Any]
    ) -> Any:
        """A connection object, or anything that the executor passes through."""

    def row(
        self, entity: Entity, relation: Relation | None, parent: Any, info: Any, arguments: dict[str, Any]
    ) -> Any:
        """One row or None."""

    def aggregates(self, entity: Entity, page: Any, info: Any, arguments: dict[str, Any]) -> Any:
        """What the rows of a page that `page` answered come to."""

    def node(self, info: Any, id_: str) -> Any:
        """The row of any type that has this global id, or None."""


@strawberry.interface(description="Anything with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque global id.")


@strawberry.type(description="Where a page stands among its rows.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether rows follow.")
    has_previous_page: bool = strawberry.field(
        description="Whether rows stand before, as far as `after` tells."
    )
    start_cursor: str | None = strawberry.field(description="Cursor of the first row.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row: pass it as `after`.")


def new_class(name: str, *bases: type) -> Any:
    return type(name, bases, {"__module__": __name__, "__annotations__": {}})


class Types:
    """Every object type of the schema; classes are made first and filled after, because they refer to each other."""

    def __init__(self, catalog: Catalog, resolvers: Resolvers) -> None:
        self._catalog = catalog
        self._resolvers = resolvers
        self.inputs = Inputs()
        self._objects = {
            entity.name: new_class(entity.name, *([Node] if entity.name in catalog.nodes else []))
            for entity in catalog.entities
        }
        paged = [entity for entity in catalog.entities if entity.root]
        self._connections = {entity.name: new_class(f"{entity.name}Connection") for entity in paged}
        self._arguments = {e.name: (self.inputs.where(e), self.inputs.order(e)) for e in paged if not e.paged}
        self._parts: dict[str, Any] = {}
        for entity in catalog.entities:
            self._fill_object(entity)
        for entity in paged:
            self._fill_connection(entity)

    def object(self, entity: Entity) -> Any:
        return self._objects[entity.name]

    def connection(self, entity: Entity) -> Any:
        return self._connections[entity.name]

    def where(self, entity: Entity) -> Any:
        return self._arguments[entity.name][0]

    def part(self, part: Part) -> Any:
        if part.name not in self._parts:
            cls = new_class(part.name)
            for field in part.fields:
                self._leaf(cls, field)
            for key, nested in part.parts.items():
                set_attribute(cls, key, list_of(self.part(nested)), nested.description)
            self._parts[part.name] = strawberry.type(cls, name=part.name, description=part.description)
        return self._parts[part.name]

    def page_field(self, entity: Entity, relation: Relation | None) -> Any:
        """A connection field with its arguments."""
        resolvers = self._resolvers

        def resolve(
            self: Any,
            info: Any,
            first: Any = DEFAULT_FIRST,
            after: Any = UNSET,
            where: Any = UNSET,
            order_by: Any = UNSET,
            as_of: Any = UNSET,
            **asked: Any,
        ) -> Any:
            arguments = {"first": first, "after": after, "where": where, "orderBy": order_by, **asked}
            return resolvers.page(entity, relation, self, info, arguments)

        resolve.__annotations__ = {
            "info": strawberry.Info,
            "first": Annotated[int | None, strawberry.argument(description="How many rows, at most 1000.")],
            "after": Annotated[str | None, strawberry.argument(description="Rows after this cursor.")],
            "return": self._connections[entity.name],
        }
        if not entity.paged:
            where, order = self._arguments[entity.name]
            resolve.__annotations__ |= {
                "where": Annotated[where | None, strawberry.argument(description="Which rows.")],
                "order_by": Annotated[
                    list_of(order) | None,
                    strawberry.argument(description="In which order; ties are broken by the rows' key."),
                ],
            }
        # A paged one knows one order, and what it is asked with says which rows.
        absent = {"where", "order_by"} if entity.paged else set()
        if entity.past is not None and relation is None:
            about = "As they were then, as far as is known now; by default as they are."
            resolve.__annotations__["as_of"] = Annotated[
                self.inputs.as_of | None, strawberry.argument(description=about)
            ]
        else:
            absent.add("as_of")
        signature = inspect.signature(resolve)
        kept = [p for name, p in signature.parameters.items() if name not in absent]
        resolve.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]

        theirs = {name for name, _ in relation.given} if relation else set()
        self.add_arguments(resolve, [item for item in entity.arguments if item.name not in theirs])
        return strawberry.field(resolver=resolve, description=(relation or entity).description)

    def add_arguments(self, resolve: Any, arguments: Iterable[Argument]) -> None:
        """Gives a resolver that takes keyword arguments those of a computed entity."""
        signature = inspect.signature(resolve)
        kept = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        for item in arguments:
            kind = self.inputs.output(item)
            default: Any = UNSET
            if item.required:
                default = inspect.Parameter.empty
            elif item.default is not None:
                default = kind(item.default) if isinstance(item.type, Choice) else item.default
            about = strawberry.argument(name=item.key, description=item.description)
            shown: Any = kind if item.required else kind | None
            annotation: Any = Annotated[shown, about]
            resolve.__annotations__[item.name] = annotation
            kept.append(
                inspect.Parameter(
                    item.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
                )
            )
        resolve.__signature__ = signature.replace(parameters=kept)

    def row_field(self, entity: Entity, relation: Relation) -> Any:
        resolvers = self._resolvers

        def resolve(self: Any, info: Any) -> Any:
            return resolvers.row(entity, relation, self, info, {})

        resolve.__annotations__ = {"info": strawberry.Info, "return": self._objects[entity.name] | None}
        return strawberry.field(resolver=resolve, description=relation.description)

    def _fill_object(self, entity: Entity) -> None:
        cls = self._objects[entity.name]
        for field in entity.fields:
            if field.key != "id":
                self._leaf(cls, field)
        for relation in entity.relations:
            target = self._catalog.by_name[relation.target]
            make: Callable[[Entity, Relation], Any] = self.page_field if relation.many else self.row_field
            setattr(cls, relation.name, _named(make(target, relation), relation.key))
        strawberry.type(cls, name=entity.name, description=entity.description)

    def _fill_connection(self, entity: Entity) -> None:
        node = self._objects[entity.name]
        edge = new_class(f"{entity.name}Edge")
        set_attribute(edge, "cursor", str, "Opaque: pass it as `after`.")
        set_attribute(edge, "node", node, "The row.")
        strawberry.type(edge, name=edge.__name__, description="A row and its cursor.")
        cls = self._connections[entity.name]
        set_attribute(cls, "nodes", list_of(node), "The rows.")
        set_attribute(cls, "edges", list_of(edge), "The rows with their cursors.")
        set_attribute(cls, "pageInfo", PageInfo, "Where the page stands.")
        set_attribute(cls, "totalCount", int, "How many rows match, counted when asked.")
        set_attribute(
            cls, "completeThrough", self.part(COMPLETE_THROUGH) | None, COMPLETE_THROUGH.description
        )
        set_attribute(cls, "coverage", self.part(COVERAGE), COVERAGE.description)
        cls.aggregates = _named(self._aggregates(entity), "aggregates")
        strawberry.type(cls, name=cls.__name__, description=f"A page of {entity.root}.")

    def _aggregates(self, entity: Entity) -> Any:
        resolvers = self._resolvers
        types = AggregateTypes(entity, self.inputs, set_attribute)
        return types.field(lambda page, info, given: resolvers.aggregates(entity, page, info, given))

    def _leaf(self, cls: Any, field: Field) -> None:
        kind = Json if field.type is Kind.JSON else self.inputs.output(field)
        set_attribute(cls, field.key, kind | None if field.nullable else kind, field.text)


def set_attribute(cls: Any, key: str, kind: Any, description: str) -> None:
    """Gives a class that becomes a Strawberry type one plain field."""
    # "from" is a keyword, so the attribute carries an underscore; GraphQL sees the key.
    attribute = f"{key}_" if key == "from" else key
    cls.__annotations__[attribute] = kind
    setattr(cls, attribute, strawberry.field(name=key, description=description))


def _named(field: Any, name: str) -> Any:
    field.graphql_name = name
    return field
