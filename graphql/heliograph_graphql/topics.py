"""What `/ws` can be asked for: each topic is one or two stored GraphQL subscriptions over whole objects or rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heliograph_graphql.entity import Catalog, Entity
from heliograph_graphql.executor import Request
from heliograph_graphql.node_id import NodeIdError, decode_id

KEY = "it"
"""The response key of every stored operation."""
HEAD, TAIL = len(f'{{"data":{{"{KEY}":'), len("}}")
"""What stands around the message in an operation's result."""


@dataclass(frozen=True)
class Topic:
    """parts: root field to the filter by which it is found, over $id."""

    name: str
    description: str
    parts: Mapping[str, str]


TOPICS = {
    topic.name: topic
    for topic in (
        Topic(
            "position",
            "A position by its id, or every life of one by its address: whole, and again whenever it changes.",
            {"positions": "{positionKey: {eq: $id}}"},
        ),
        Topic(
            "market",
            "A market by its address or symbol: whole, and again whenever it changes.",
            {"markets": "{or: [{address: {eq: $id}}, {symbol: {eq: $id}}]}"},
        ),
        Topic(
            "wallet",
            "A wallet's open positions and its balances: whole, and again whenever they change.",
            {
                "positions": "{wallet: {eq: $id}, status: {eq: OPEN}}",
                "balances": "{wallet: {eq: $id}}",
            },
        ),
        Topic(
            "price",
            "Oracle prices of a market, by its address or symbol, as they come.",
            {"oraclePrices": "{or: [{marketAddress: {eq: $id}}, {marketSymbol: {eq: $id}}]}"},
        ),
    )
}
_BY_IDENTITY = (
    "{stream: {eq: $stream}, positionKey: {eq: $id}, openedSlot: {eq: $slot}, openedTxIndex: {eq: $index},"
    " openedOrdinal: {eq: $ordinal}}"
)


def requests(topic: Topic, id_: str, after: str | None, catalog: Catalog) -> dict[str, Request]:
    """The stored operation of each part, by root field. id_: an address, symbol or node id; after: a cursor of the part's.

    A cursor of several parts has theirs joined by dots, in order, empty for a part that has none yet.
    """
    cursors = after.split(".") if after else []
    made = {}
    for number, (root, where) in enumerate(topic.parts.items()):
        entity = catalog.by_root[root]
        declared = {"after": "String", "id": "String"}
        cursor = cursors[number] if number < len(cursors) else ""
        values: dict[str, Any] = {"id": id_, "after": cursor or None}
        identity = _identity(entity, id_) if topic.name == "position" else None
        if identity is not None:
            where = _BY_IDENTITY
            declared |= {"stream": "String", "slot": "Slot", "index": "Int", "ordinal": "Int"}
            stream, key, slot, index, ordinal = identity
            values |= {"stream": stream, "id": key, "slot": str(slot), "index": index, "ordinal": ordinal}
        variables = ", ".join(f"${name}: {kind}" for name, kind in declared.items())
        text = f"subscription ({variables}) {{ {KEY}: {root}(where: {where}, after: $after) {{ {_members(entity)} }} }}"
        made[root] = Request(text, None, values)
    return made


def join_cursors(cursors: list[str | None]) -> str:
    return ".".join(cursor or "" for cursor in cursors)


def _identity(entity: Entity, id_: str) -> tuple[Any, ...] | None:
    try:
        return decode_id(id_, entity.name, len(entity.identity))
    except NodeIdError:
        # Then it is an address.
        return None


def _members(entity: Entity) -> str:
    fields = " ".join(field.key for field in entity.fields)
    if entity.followed:
        return f"snapshot removed nodes {{ {fields} }}"
    return f"kind discard {{ fromSlot throughSlot }} nodes {{ {fields} }}"
