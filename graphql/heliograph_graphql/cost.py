"""How many rows a plan may read at most: the product of `first` along each nesting, summed.

Aggregates read more than they answer with; each counts as AGGREGATE_ROWS rows besides its groups. So does a page of the
past: it counts as what may have to be folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphql import GraphQLError

from heliograph_graphql.failures import BAD_INPUT
from heliograph_graphql.plan import Aggregates, Edges, Node, Nodes, One, Page, PageNode, Root, Source, read

AGGREGATE_ROWS = 5000
"""As long as reading a million rows takes, so long an operation must not be that it asks for it more than some forty times."""


def most_rows(key: str, root: Root, most_first: int, variables: Mapping[str, object]) -> int:
    """The rows of one root field for these variables. key: its response key.

    Raises GraphQLError, naming the field, for a `first` that is not 0 to most_first, used or not.
    """
    counting = _Counting(most_first, variables)
    if isinstance(root, Page):
        return counting.page((key,), root, 1)
    return 1 + counting.nodes((key,), root.items, 1)


def most_live_rows(
    key: str,
    lists: Iterable[Mapping[str, Node]],
    message_rows: int,
    most_first: int,
    variables: Mapping[str, object],
) -> int:
    """The rows that a full message of a subscription reads: its own, and those nested in each. Raises as most_rows."""
    counting = _Counting(most_first, variables)
    return message_rows + sum(counting.nodes((key,), items, message_rows) for items in lists)


class _Counting:
    def __init__(self, most_first: int, variables: Mapping[str, object]) -> None:
        self._most_first = most_first
        self._variables = variables

    def page(self, path: tuple[str, ...], page: Page, times: int) -> int:
        rows = times * self._first(path, page.first)
        total = rows + (0 if page.as_of is None else page.as_of.most)
        for key, item in page.items.items():
            if isinstance(item, Aggregates):
                total += times * (AGGREGATE_ROWS + self._first((*path, key), item.first))
            for nodes in _lists(item):
                total += self.nodes(path, nodes.items, rows)
        return total

    def nodes(self, path: tuple[str, ...], nodes: Mapping[str, Node], times: int) -> int:
        total = 0
        for key, node in nodes.items():
            if isinstance(node, Page):
                total += self.page((*path, key), node, times)
            elif isinstance(node, One):
                total += self.nodes((*path, key), node.items, times)
        return total

    def _first(self, path: tuple[str, ...], first: Source) -> int:
        value = read(first, self._variables)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= self._most_first:
            raise GraphQLError(
                f"{'.'.join(path)}: first is {value}: ask for 0 to {self._most_first} rows",
                extensions={"code": BAD_INPUT},
            )
        return value


def _lists(item: PageNode) -> Iterable[Nodes]:
    if isinstance(item, Nodes):
        yield item
    elif isinstance(item, Edges):
        yield from (inner for inner in item.items.values() if isinstance(inner, Nodes))
