"""The Strawberry schema: root fields over the catalog's types."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Annotated, Any

import strawberry
from strawberry.directive import DirectiveLocation
from strawberry.schema.config import StrawberryConfig
from strawberry.types.unset import UNSET

from heliograph_graphql.entity import Argument, Catalog, Entity
from heliograph_graphql.inputs import list_of
from heliograph_graphql.message import DISCARD, ENVELOPE, OBJECT_ENVELOPE, REMOVED, TOUCHED_ENVELOPE
from heliograph_graphql.passthrough import PassThrough
from heliograph_graphql.scalars import SCALARS, SlotNumber
from heliograph_graphql.status import Status, StatusReader
from heliograph_graphql.transaction_state import MESSAGE, ROOT, SNAPSHOT, STATUS
from heliograph_graphql.types import Node, Resolvers, Types, new_class, set_attribute

_AFTER = "Resume behind the message with this cursor: what was missed is replayed, then live."
_STREAMS = "Only these streams; all by default."
_HISTORY = "Also send rows of backfill and replay."


def build_schema(catalog: Catalog, resolvers: Resolvers, read_status: StatusReader) -> strawberry.Schema:
    """The whole schema. resolvers: where rows come from; read_status: answers the field `status`."""
    types = Types(catalog, resolvers)
    return strawberry.Schema(
        query=_query(catalog, types, resolvers, read_status),
        subscription=_subscription(catalog, types),
        directives=[_min_slot],
        types=[types.object(entity) for entity in catalog.entities],
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=PassThrough,
    )


@strawberry.directive(
    locations=[DirectiveLocation.QUERY],
    name="minSlot",
    description="Waits until the streams asked are complete through the slot, for a while; else the error SLOT_NOT_REACHED says how far they are.",
)
def _min_slot(
    slot: Annotated[
        SlotNumber | None,
        strawberry.argument(
            description="As the cluster told it of the client's own transaction; null waits for nothing."
        ),
    ],
) -> None:
    raise NotImplementedError("the executor waits before anything is executed")


def _query(catalog: Catalog, types: Types, resolvers: Resolvers, read_status: StatusReader) -> Any:
    cls = new_class("Query")
    for entity in catalog.entities:
        if entity.root:
            _set(cls, entity.root, types.page_field(entity, None))
        if entity.one:
            make = _computed if entity.arguments else _one
            _set(cls, entity.one, make(entity, types, resolvers))

    def node(self: Any, info: Any, id: Any) -> Any:
        return resolvers.node(info, id)

    node.__annotations__ = {
        "info": strawberry.Info,
        "id": Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
        "return": Node | None,
    }
    _set(
        cls,
        "node",
        strawberry.field(resolver=node, description="Any row by its global id, of whatever type."),
    )

    async def status(self: Any, info: Any) -> Any:
        return await read_status(info.context)

    status.__annotations__ = {"info": strawberry.Info, "return": Status}
    _set(
        cls,
        "status",
        strawberry.field(resolver=status, description="What is indexed, how far, and how completely."),
    )
    return strawberry.type(cls, name="Query", description="Everything that can be asked.")


def _one(entity: Entity, types: Types, resolvers: Resolvers) -> Any:
    lookups = [entity.by_key[key] for key in entity.lookups]

    def resolve(self: Any, info: Any, id: Any = UNSET, a: Any = UNSET, b: Any = UNSET, c: Any = UNSET) -> Any:
        given = {"id": id, **{field.key: value for field, value in zip(lookups, (a, b, c), strict=False)}}
        return resolvers.row(entity, None, self, info, given)

    resolve.__annotations__ = {
        "info": strawberry.Info,
        "id": Annotated[strawberry.ID | None, strawberry.argument(description="Its global id.")],
        "return": types.object(entity) | None,
    }
    for parameter, field in zip("abc", lookups, strict=False):
        about = strawberry.argument(name=field.key, description=field.text)
        resolve.__annotations__[parameter] = Annotated[types.inputs.output(field) | None, about]
    _keep_parameters(
        resolve, {"self", "info", "id", *(name for name, _ in zip("abc", lookups, strict=False))}
    )
    text = f"One row of {entity.root}, by its id or by what it is known by; the latest where several match."
    return strawberry.field(resolver=resolve, description=text)


def _computed(entity: Entity, types: Types, resolvers: Resolvers) -> Any:
    """The root field of a single row that is computed from its arguments, and so never missing."""

    def resolve(self: Any, info: Any, **asked: Any) -> Any:
        return resolvers.row(entity, None, self, info, asked)

    resolve.__annotations__ = {"info": strawberry.Info, "return": types.object(entity)}
    types.add_arguments(resolve, entity.arguments)
    return strawberry.field(resolver=resolve, description=entity.description)


def _keep_parameters(resolve: Any, names: Collection[str]) -> None:
    signature = inspect.signature(resolve)
    kept = [parameter for parameter in signature.parameters.values() if parameter.name in names]
    resolve.__signature__ = signature.replace(parameters=kept)


def _subscription(catalog: Catalog, types: Types) -> Any:
    cls = new_class("Subscription")
    discard = new_class("Discard")
    for field in DISCARD:
        set_attribute(discard, field.key, types.inputs.output(field), field.text)
    strawberry.type(
        discard,
        name="Discard",
        description="Slots whose rows a client must drop before it takes the message's.",
    )
    for entity in catalog.live:
        message = new_class(f"{entity.name}Message")
        _envelope(message, types, discard)
        set_attribute(
            message, "nodes", list_of(types.object(entity)), "Rows of the commit that match, in chain order."
        )
        strawberry.type(
            message, name=message.__name__, description=f"What one commit brought to {entity.root}."
        )
        _set(cls, entity.root, _live(types, entity.description, message, types.where(entity)))
    for entity in catalog.followed:
        update = new_class(f"{entity.name}Update")
        _update(update, types)
        _objects(update, entity, types)
        strawberry.type(update, name=update.__name__, description=f"What changed among {entity.root}.")
        text = f"{entity.description} All that match first, then each that changes, whole."
        _set(cls, entity.root, _live(types, text, update, types.where(entity), history=False))
    for entity in catalog.touched:
        _set(cls, entity.root, _touched(entity, types))
    for name, entity in catalog.by_gathering.items():
        _set(cls, name, _gathered(entity, catalog, types))
    _set(cls, ROOT, _statuses(types))
    commit = new_class("CommitMessage")
    _envelope(commit, types, discard)
    strawberry.type(commit, name="CommitMessage", description="One commit of the log.")
    _set(cls, "commits", _live(types, "Every commit, without rows.", commit, None))
    return strawberry.type(cls, name="Subscription", description="Everything that can be followed live.")


def _touched(entity: Entity, types: Types) -> Any:
    update, key = new_class(f"{entity.name}Update"), entity.by_column[entity.key[0]]
    for field in TOUCHED_ENVELOPE:
        set_attribute(update, field.key, types.inputs.output(field), field.text)
    set_attribute(
        update, "nodes", list_of(types.object(entity)), "Those that were touched, each whole as it is now."
    )
    text = f"The `{key.key}` of each that was touched and is not there now: drop what you hold of it in this stream."
    set_attribute(update, REMOVED, list_of(types.inputs.output(key)), text)
    strawberry.type(update, name=update.__name__, description=f"What commits touched among {entity.root}.")
    text = f"{entity.name}s that a commit touched, each whole as it is now; of what was missed, once for some hundred commits."
    return _live(types, text, update, None, asked=entity.touched_by)


def _gathered(entity: Entity, catalog: Catalog, types: Types) -> Any:
    update = new_class(f"{entity.name}Update")
    _update(update, types)
    for argument in entity.arguments:
        set_attribute(update, argument.key, types.inputs.output(argument), argument.description)
    for part in entity.gathers:
        target, listed = catalog.by_name[part.target], new_class(part.typename(entity))
        _objects(listed, target, types)
        strawberry.type(
            listed, name=listed.__name__, description=f"What changed among {target.root} of a {entity.one}."
        )
        set_attribute(update, part.name, listed, part.description)
    strawberry.type(update, name=update.__name__, description=f"What changed of a {entity.one}.")
    parts = " ".join(part.description for part in entity.gathers)
    text = f"What a {entity.one} holds, in one message a commit: all first, then each that changes, whole. {parts}"
    return _live(types, text, update, None, history=False, asked=entity.arguments)


def _update(update: Any, types: Types) -> None:
    for field in OBJECT_ENVELOPE:
        kind = types.inputs.output(field)
        set_attribute(update, field.key, kind | None if field.nullable else kind, field.text)


def _objects(listed: Any, entity: Entity, types: Types) -> None:
    set_attribute(
        listed, "nodes", list_of(types.object(entity)), "Objects that match, each whole as it is now."
    )
    set_attribute(
        listed,
        REMOVED,
        list_of(strawberry.ID),
        "Ids of those that matched and do so no longer, or are gone.",
    )


def _statuses(types: Types) -> Any:
    message: Any = new_class(MESSAGE)
    set_attribute(message, SNAPSHOT.key, types.inputs.output(SNAPSHOT), SNAPSHOT.text)
    set_attribute(
        message, "nodes", list_of(types.part(STATUS)), "All of them first, then each that stands otherwise."
    )
    strawberry.type(message, name=MESSAGE, description="Where transactions stand.")

    def resolve(self: Any, signatures: Any, streams: Any = UNSET) -> Any:
        raise NotImplementedError("subscriptions are served by heliograph_graphql.websocket")

    resolve.__annotations__ = {
        "signatures": Annotated[
            list[str], strawberry.argument(description="Of the transactions, base58, at most 100.")
        ],
        "streams": Annotated[list[str] | None, strawberry.argument(description=_STREAMS)],
        "return": AsyncIterator[message],
    }
    text = "Follows transactions until all are final, and then ends; whoever connects again is told anew where they stand."
    return strawberry.subscription(resolver=resolve, description=text)


def _envelope(message: Any, types: Types, discard: Any) -> None:
    for field in ENVELOPE:
        set_attribute(message, field.key, types.inputs.output(field), field.text)
    set_attribute(
        message, "discard", discard | None, "For a correction: drop everything held of these slots first."
    )


def _live(
    types: Types,
    description: str,
    message: Any,
    where: Any,
    *,
    history: bool = True,
    asked: Iterable[Argument] = (),
) -> Any:
    def resolve(
        self: Any, after: Any = UNSET, streams: Any = UNSET, history: Any = False, where: Any = UNSET
    ) -> Any:
        raise NotImplementedError("subscriptions are served by heliograph_graphql.websocket")

    arguments = {
        "after": Annotated[str | None, strawberry.argument(description=_AFTER)],
        "streams": Annotated[list[str] | None, strawberry.argument(description=_STREAMS)],
    }
    if history:
        arguments["history"] = Annotated[bool | None, strawberry.argument(description=_HISTORY)]
    if where is not None:
        arguments["where"] = Annotated[where | None, strawberry.argument(description="Which rows.")]
    resolve.__annotations__ = {**arguments, "return": AsyncIterator[message]}
    _keep_parameters(resolve, {"self", *arguments})
    types.add_arguments(resolve, asked)
    return strawberry.subscription(resolver=resolve, description=description)


def _set(cls: Any, name: str, field: Any) -> None:
    field.graphql_name = name
    setattr(cls, name, field)
