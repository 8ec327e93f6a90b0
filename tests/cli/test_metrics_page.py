"""docs/metrics.md says what /metrics serves, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from heliograph_cli.metrics_page import SECTIONS, page
from heliograph_core.figure import FigureSource
from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.connections import Connections
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.metrics import metrics_app
from heliograph_indexer.figures import IndexerFigures
from heliograph_sql.database import Database

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def test_the_page_is_as_written_by_its_module() -> None:
    assert PAGE.read_text() == page()


async def test_the_page_lists_every_metric_that_is_served(database: Database) -> None:
    import httpx2

    listed = set(re.findall(r"^\| `(heliograph_\w+)`", PAGE.read_text(), re.MULTILINE))
    served: set[str] = set()
    figures: list[FigureSource] = [IndexerFigures({}), Connections(GatewaySettings())]
    for app in (create_app(database, figures=figures), metrics_app(database, figures)):
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
            text = (await client.get("/metrics")).text
        served |= set(re.findall(r"^# HELP (heliograph_\w+)", text, re.MULTILINE))
    assert served == listed


def test_names_keep_to_the_conventions() -> None:
    figures = [figure for _, _, section in SECTIONS for figure in section]
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        assert re.fullmatch(r"heliograph_[a-z0-9_]+", figure.name)
        assert (figure.kind == "counter") == figure.name.endswith("_total")
        assert figure.kind != "histogram" or figure.name.endswith("_seconds")
        assert figure.meaning.endswith(".")
