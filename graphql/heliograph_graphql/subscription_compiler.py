"""Subscriptions to plans: a valid operation's only field in, what it follows and what it says out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from graphql import FieldNode, GraphQLError, GraphQLObjectType, GraphQLSchema

from heliograph_graphql.compiler import Work, asked_with
from heliograph_graphql.conditions import source
from heliograph_graphql.document import Operation, Variables
from heliograph_graphql.entity import Catalog, Entity, Gathered
from heliograph_graphql.live_plan import WHOLE, Followed, ObjectPlan, RowPlan, TouchedPlan
from heliograph_graphql.message import MessageItem
from heliograph_graphql.plan import All, Compare, Condition, Const, Node, Operator, Source
from heliograph_graphql.selection import Fields
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.transaction_state import MESSAGE, ROOT, STATUS, StatusPlan

LivePlan = RowPlan | ObjectPlan | TouchedPlan | StatusPlan


class SubscriptionCompiler:
    """Compiles subscriptions of one schema."""

    def __init__(self, schema: GraphQLSchema, catalog: Catalog, settings: ApiSettings) -> None:
        self._schema = schema
        self._catalog = catalog
        self._settings = settings

    def plan(self, operation: Operation, variables: Variables) -> LivePlan:
        """The operation's only field. Raises GraphQLError."""
        work = _LiveWork(self._schema, self._catalog, self._settings, operation, variables)
        root = cast(GraphQLObjectType, self._schema.subscription_type)
        fields = work.selections.collect([operation.definition.selection_set], {root.name})
        if len(fields) != 1:
            raise GraphQLError(f"a subscription selects exactly one field, not {len(fields)}")
        ((key, nodes),) = fields.items()
        if nodes[0].name.value == "__typename":
            raise GraphQLError("a subscription selects a field, not __typename")
        return work.live(key, nodes, root)


class _LiveWork(Work):
    """One compilation of a subscription."""

    def live(self, key: str, nodes: list[FieldNode], parent: GraphQLObjectType) -> LivePlan:
        name = nodes[0].name.value
        given = self.arguments(parent, nodes[0])
        if name == ROOT:
            return self._statuses(key, nodes, given)
        if name in self._catalog.by_gathering:
            return self._gathered(key, self._catalog.by_gathering[name], nodes, given)
        entity = None if name == "commits" else self._chosen(self._catalog.by_root[name], given)
        if entity is not None and entity.followed:
            return self._objects(key, entity, nodes, given)
        if entity is not None and entity.touched is not None:
            return self._touched(key, entity, nodes, given)
        return self._rows(key, entity, nodes, given)

    def _rows(
        self, key: str, entity: Entity | None, nodes: list[FieldNode], given: Mapping[str, object]
    ) -> RowPlan:
        fields = self._inside(nodes, f"{entity.name if entity else 'Commit'}Message")
        where = self._filters.condition(entity, given.get("where")) if entity else All(())
        arguments = {name: given.get(name) for name in ("after", "streams", "history")}
        if entity is not None and entity.of_stream is not None:
            arguments["streams"] = [entity.of_stream]
        lists = {} if entity is None else self._lists(entity, fields)
        return RowPlan(key, entity, self._members(fields, {"discard": "Discard"}), lists, where, arguments)

    def _objects(
        self, key: str, entity: Entity, nodes: list[FieldNode], given: Mapping[str, object]
    ) -> ObjectPlan:
        typename = f"{entity.name}Update"
        fields = self._inside(nodes, typename)
        where = self._filters.condition(entity, given.get("where"))
        followed = {WHOLE: Followed(typename, entity, self._lists(entity, fields), where)}
        return ObjectPlan(key, typename, self._members(fields, {}), followed, {}, _resumed(given))

    def _touched(
        self, key: str, entity: Entity, nodes: list[FieldNode], given: Mapping[str, object]
    ) -> TouchedPlan:
        fields = self._inside(nodes, f"{entity.name}Update")
        found = asked_with(entity, None, given)
        asked = {argument.name: found[argument.name] for argument in entity.touched_by}
        arguments = {**_resumed(given), "history": given.get("history")}
        members = self._members(fields, {})
        return TouchedPlan(key, entity, members, self._lists(entity, fields), asked, arguments)

    def _gathered(
        self, key: str, entity: Entity, nodes: list[FieldNode], given: Mapping[str, object]
    ) -> ObjectPlan:
        """Several entities in one message. Of what is not selected nothing is read; nothing at all tells that something changed."""
        typename = f"{entity.name}Update"
        fields = self._inside(nodes, typename)
        asked = asked_with(entity, None, given)
        selected = {found[0].name.value for found in fields.values()}
        parts = {part.name: part for part in entity.gathers}
        followed = {
            name: self._followed(entity, part, fields, asked)
            for name, part in parts.items()
            if name in selected or not selected & parts.keys()
        }
        said = {argument.key: asked[argument.name] for argument in entity.arguments}
        members = self._members(fields, {part.name: part.typename(entity) for part in entity.gathers})
        return ObjectPlan(key, typename, members, followed, said, _resumed(given))

    def _followed(
        self, entity: Entity, part: Gathered, fields: Fields, asked: Mapping[str, Source]
    ) -> Followed:
        target = self._catalog.by_name[part.target]
        typename = part.typename(entity)
        lists: dict[tuple[str, ...], Mapping[str, Node]] = {}
        for key, found in fields.items():
            if found[0].name.value == part.name:
                lists |= self._lists(target, self._inside(found, typename), (key,))
        conditions: list[Condition] = [
            Compare(target.by_column[there], Operator.EQ, asked[here]) for there, here in part.on
        ]
        conditions += [
            Compare(target.by_column[name], Operator.EQ, Const(value)) for name, value in part.fixed
        ]
        return Followed(typename, target, lists, All(tuple(conditions)))

    def _lists(
        self, entity: Entity, fields: Fields, path: tuple[str, ...] = ()
    ) -> dict[tuple[str, ...], Mapping[str, Node]]:
        return {
            (*path, key): self._items(entity, self._row_fields(found, entity))
            for key, found in fields.items()
            if found[0].name.value == "nodes"
        }

    def _members(self, fields: Fields, objects: Mapping[str, str]) -> tuple[MessageItem, ...]:
        """The members of a message. objects: type of each that is an object, besides the rows in `nodes`."""
        items = []
        for key, found in fields.items():
            name = found[0].name.value
            inner = self._inside(found, objects[name]) if name in objects else {}
            items.append(MessageItem(key, name, tuple((k, n[0].name.value) for k, n in inner.items())))
        return tuple(items)

    def _statuses(self, key: str, nodes: list[FieldNode], given: Mapping[str, object]) -> StatusPlan:
        members = self._members(self._inside(nodes, MESSAGE), {"nodes": STATUS.name})
        streams = given.get("streams")
        return StatusPlan(
            key, members, source(given["signatures"]), None if streams is None else source(streams)
        )


def _resumed(given: Mapping[str, object]) -> dict[str, object]:
    return {name: given.get(name) for name in ("after", "streams")}
