"""How many rows a plan may read at most: the product of `first` along each nesting, summed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heliograph_graphql.plan import Edges, Node, Nodes, One, Page, PageNode, Root, read


def most_rows(root: Root, variables: Mapping[str, object]) -> int:
    """The rows of one root field for these variables; a `first` out of range counts as 0, binding refuses it."""
    if isinstance(root, Page):
        return _page(root, 1, variables)
    return 1 + _nodes(root.items.values(), 1, variables)


def _page(page: Page, times: int, variables: Mapping[str, object]) -> int:
    first = read(page.first, variables)
    rows = times * max(first, 0) if isinstance(first, int) else 0
    total = rows
    for item in page.items.values():
        for nodes in _lists(item):
            total += _nodes(nodes.items.values(), rows, variables)
    return total


def _lists(item: PageNode) -> Iterable[Nodes]:
    if isinstance(item, Nodes):
        yield item
    elif isinstance(item, Edges):
        yield from (inner for inner in item.items.values() if isinstance(inner, Nodes))


def _nodes(nodes: Iterable[Node], times: int, variables: Mapping[str, object]) -> int:
    total = 0
    for node in nodes:
        if isinstance(node, Page):
            total += _page(node, times, variables)
        elif isinstance(node, One):
            total += _nodes(node.items.values(), times, variables)
    return total
