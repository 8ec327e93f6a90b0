"""Writes docs/metrics.md from the figures themselves: `python -m heliograph_cli.metrics_page > docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Sequence

from heliograph_core.figure import Figure
from heliograph_graphql.api_figures import ApiFigures
from heliograph_graphql.gateway.connections import Connections
from heliograph_graphql.gateway.rate_store import RateStore
from heliograph_indexer.figures import IndexerFigures
from heliograph_sql.database_figures import DatabaseFigures

_HEAD = """\
# Metrics

`heliograph up`, `serve` and `demo` serve them at `/metrics` in the text format of Prometheus. `heliograph index` serves no API; with
`[metrics] port` ([settings](settings.md)) it answers at `/metrics` on a port of its own.

What the database says stands on every page, so that it does not matter which process is scraped; what a process does stands on its
own page alone. Times are seconds and unix times, counters end in `_total`. Counters of a process begin anew with it. A figure that
is not known yet has no line. Hosts stand without path, user and query, which may hold keys.

This page is written by `python -m heliograph_cli.metrics_page > docs/metrics.md`; a test compares the two.
"""

SECTIONS = (
    (
        "What the database says",
        "On every page. Read at most once a second, incidents and undecoded rows once in 15 s.",
        DatabaseFigures.figures,
    ),
    ("What the indexer does", "On the page of `up`, `demo` and `index`.", IndexerFigures.figures),
    (
        "What the API does",
        "On the page of `up`, `demo` and `serve`.",
        (*ApiFigures.figures, *RateStore.figures, *Connections.figures),
    ),
)


def page() -> str:
    """The whole page as Markdown."""
    return "".join([_HEAD, *(_section(*section) for section in SECTIONS)])


def _section(title: str, about: str, figures: Sequence[Figure]) -> str:
    lines = [f"\n## {title}\n\n{about}\n\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n"]
    for figure in figures:
        labels = ", ".join(f"`{label}`" for label in figure.labels) or "–"
        lines.append(f"| `{figure.name}` | {figure.kind} | {labels} | {figure.meaning} |\n")
    return "".join(lines)


if __name__ == "__main__":
    print(page(), end="")
