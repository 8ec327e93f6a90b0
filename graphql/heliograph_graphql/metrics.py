"""/metrics: figures in the text format of Prometheus, from a registry of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from heliograph_core.figure import Distribution, Figure, FigureSource, Reading
from heliograph_sql.database import Database
from heliograph_sql.database_figures import DatabaseFigures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The figures of the database and of `sources` as one page."""

    def __init__(self, database: Database, sources: Sequence[FigureSource] = ()) -> None:
        self._database = DatabaseFigures(database)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Sources([self._database, *sources]))

    async def text(self) -> bytes:
        """The page as of now. A database that is away costs its figures, not the page."""
        await self._database.refresh()
        return generate_latest(self._registry)

    async def respond(self, _: Request) -> Response:
        """The page as a response."""
        return Response(await self.text(), headers={"content-type": CONTENT_TYPE})


def metrics_app(database: Database, sources: Sequence[FigureSource]) -> Starlette:
    """Only /metrics: for a process that serves no API."""
    return Starlette(routes=[Route("/metrics", Metrics(database, sources).respond)])


class _Sources(Collector):
    """Every figure is told with its meaning, whether there is a reading of it or not."""

    def __init__(self, sources: Sequence[FigureSource]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            readings: dict[Figure, list[Reading]] = {figure: [] for figure in source.figures}
            for reading in source.readings():
                readings[reading.figure].append(reading)
            for figure, found in readings.items():
                yield _family(figure, found)


def _family(figure: Figure, readings: Iterable[Reading]) -> Metric:
    if figure.kind == "histogram":
        histogram = HistogramMetricFamily(figure.name, figure.meaning, labels=figure.labels)
        for reading in readings:
            assert isinstance(reading.value, Distribution)
            buckets = [(_bound(bound), count) for bound, count in reading.value.buckets]
            histogram.add_metric(reading.labels, buckets, reading.value.sum)
        return histogram
    kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    family = kind(figure.name, figure.meaning, labels=figure.labels)
    for reading in readings:
        assert not isinstance(reading.value, Distribution)
        family.add_metric(reading.labels, reading.value)
    return family


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)
