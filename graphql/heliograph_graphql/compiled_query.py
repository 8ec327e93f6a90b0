"""A compiled operation: what each of its root fields runs, and what the answer depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from heliograph_graphql.event_rows import STREAM
from heliograph_graphql.node_id import decode_id
from heliograph_graphql.plan import Edges, Nodes, One, Operator, Page, Root, Row, Typename, read
from heliograph_graphql.sql import Statement
from heliograph_graphql.sql_conditions import conjuncts

Names = frozenset[str]


@dataclass(frozen=True)
class Compiled:
    """One root field: its statement, and the plan that it was made of. window: the statement for newest rows alone."""

    root: Root
    statement: Statement
    window: Statement | None

    @cached_property
    def is_numbered(self) -> bool:
        """Whether nothing but commits changes its rows."""
        return _UNNUMBERED not in _tables(self.root)

    @cached_property
    def stays_inside(self) -> bool:
        """Whether every row below is of the stream of the row above it."""
        return all(
            node.relation is None
            or any((node.entity.stream, here) in node.relation.on for here in _STREAM_COLUMNS)
            for node in _below(self.root)
        )


@dataclass(frozen=True, eq=False)
class CompiledQuery:
    """items, by response key: a statement, a constant, or None for what Strawberry executes."""

    items: Mapping[str, Compiled | Typename | None]

    @cached_property
    def alone(self) -> Compiled | None:
        """The statement that answers it all: it is a snapshot by itself, where several need a transaction."""
        items = [item for item in self.items.values() if not isinstance(item, Typename)]
        if len(items) == 1 and items[0] is not None and not items[0].statement.looks_up:
            return items[0]
        return None

    @cached_property
    def is_numbered(self) -> bool:
        """Whether nothing but commits changes the answer, so that it may be kept until the next one."""
        return all(
            isinstance(item, Typename) or (item is not None and item.is_numbered)
            for item in self.items.values()
        )

    @cached_property
    def characters(self) -> int:
        """Text of its statements."""
        known = [item for item in self.items.values() if isinstance(item, Compiled)]
        return sum(
            len(each.text) for item in known for each in (item.statement, item.window) if each is not None
        )

    @cached_property
    def _frame(self) -> Sequence[str]:
        """A response's text around what its statements give: a piece before each of them, and one behind the last."""
        pieces = ['{"data":{']
        for number, (key, item) in enumerate(self.items.items()):
            pieces[-1] += f'{"," if number else ""}"{key}":'
            if isinstance(item, Typename):
                pieces[-1] += f'"{item.name}"'
            else:
                pieces.append("")
        pieces[-1] += "}}"
        return pieces

    def body(self, texts: Sequence[str]) -> bytes:
        """The response with the statements' texts in their order, where none is Strawberry's."""
        first, *others = self._frame
        return "".join([first, *(part for pair in zip(texts, others, strict=True) for part in pair)]).encode()


# Where a row's stream stands; of events it is their table's.
_STREAM_COLUMNS = ("stream", STREAM)

# Its columns change without a commit: who leads, and until when.
_UNNUMBERED = "heliograph.streams"


def asked_streams(compiled: CompiledQuery, variables: Mapping[str, object]) -> Names | None:
    """The streams that the answer speaks of; None: all, as the fields that Strawberry executes do."""
    return None if None in compiled.items.values() else streams_of(compiled, variables)


def streams_of(compiled: CompiledQuery, variables: Mapping[str, object]) -> Names | None:
    """The streams whose commits can change the answer; None: all, as they are now and later."""
    found: set[str] = set()
    for item in compiled.items.values():
        if isinstance(item, Compiled):
            names = root_streams(item.root, variables)
            if names is None or not item.stays_inside:
                return None
            found |= names
    return frozenset(found)


def root_streams(root: Root, variables: Mapping[str, object]) -> Names | None:
    """The streams whose rows the root field asks for; None: all."""
    entity = root.entity
    if isinstance(root, Row) and root.identity is not None and entity.stream in entity.identity:
        values = decode_id(str(read(root.identity, variables)), entity.name, len(entity.identity))
        return frozenset({str(values[entity.identity.index(entity.stream)])})
    only = root.entity.of_stream
    asked: Names | None = None if only is None else frozenset({only})
    for compare in conjuncts(root.where):
        if (
            compare.value is None
            or compare.field.name != root.entity.stream
            or compare.operator not in (Operator.EQ, Operator.IN)
        ):
            continue
        value = read(compare.value, variables)
        names = frozenset(map(str, value)) if isinstance(value, list) else frozenset({str(value)})
        asked = names if asked is None else asked & names
    return asked


def _tables(root: Root) -> frozenset[str]:
    return frozenset({root.entity.table, *(node.entity.table for node in _below(root))})


def _below(node: Root | Nodes | One) -> Iterator[Page | One]:
    for item in node.items.values():
        if isinstance(item, Page | One):
            yield item
            yield from _below(item)
        elif isinstance(item, Nodes):
            yield from _below(item)
        elif isinstance(item, Edges):
            for inner in item.items.values():
                if isinstance(inner, Nodes):
                    yield from _below(inner)
