"""`heliograph up`, `index` and `serve`: a real cluster indexed and served, in one process or in two."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext

from rich.console import Console

from heliograph_cli.banner import print_banner
from heliograph_cli.indexing import indexing
from heliograph_cli.listener import listen, serving, url
from heliograph_cli.parts import Parts
from heliograph_cli.settings import Settings
from heliograph_cli.store import opened
from heliograph_cli.streams import ensure_stream, slot_of_now
from heliograph_cli.summary import Summary
from heliograph_core.errors import SettingsError
from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.connections import Connections
from heliograph_graphql.metrics import metrics_app
from heliograph_indexer.figures import IndexerFigures
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.protocols import protocol_of
from heliograph_indexer.settings import shown_url
from heliograph_sql.database import Database
from heliograph_sql.object_log import ObjectLog
from heliograph_sql.retention import Retention
from heliograph_sql.rollup import Rollup
from heliograph_sql.streams import StreamRow, list_streams


async def up(settings: Settings) -> int:
    """Indexes every stream and serves the API, until stopped."""
    return await _run(settings, title="Heliograph", index=True, serve=True)


async def index(settings: Settings, streams: Sequence[str]) -> int:
    """Indexes the named streams, or all, until stopped."""
    return await _run(settings, title="Heliograph indexer", index=True, only=streams)


async def serve(settings: Settings) -> int:
    """Serves the API until stopped."""
    return await _run(settings, title="Heliograph API", serve=True)


async def _run(
    settings: Settings,
    *,
    title: str,
    index: bool = False,
    serve: bool = False,
    only: Sequence[str] = (),
) -> int:
    console = Console()
    parts = Parts()
    indexer = settings.indexing() if index else None
    async with AsyncExitStack() as stack:
        # What can be refused without work comes first: the port, then the cluster, then the database.
        listener = stack.enter_context(listen(settings.listen.host, settings.listen.port)) if serve else None
        scraped = stack.enter_context(_listen_for_metrics(settings)) if not serve else None
        if indexer is not None:
            await slot_of_now(indexer)
        store = await stack.enter_async_context(
            opened(settings.database, settings.storage if index else None)
        )
        running: dict[str, Indexer] = {}
        if indexer is not None:
            for stream in await _streams(store.database, settings, only):
                part = indexing(parts, store.database, stream, indexer)
                running[stream.name] = await stack.enter_async_context(part)
            rollup = Rollup(store.database, settings.rollup)
            await stack.enter_async_context(parts.running("rollup", rollup.run()))
            forgetting = ObjectLog(store.database)
            await stack.enter_async_context(parts.running("object log", forgetting.run()))
        figures = [IndexerFigures(running)]
        connections = Connections(settings.api.gateway)
        if listener is not None:
            app = create_app(store.database, settings.api, [connections, *(figures if index else ())])
            await stack.enter_async_context(serving(parts, app, listener, connections))
        if scraped is not None:
            app = metrics_app(store.database, figures)
            await stack.enter_async_context(serving(parts, app, scraped, connections, name="metrics"))
        print_banner(
            console,
            title=title,
            store=store,
            api=url(listener) if listener is not None else None,
            metrics=url(scraped, "/metrics") if scraped is not None else None,
            cluster=", ".join(map(shown_url, indexer.endpoint_urls)) if indexer is not None else None,
        )
        if index and settings.storage.retention:
            keeping = Retention(store.database, settings.storage)
            await stack.enter_async_context(parts.running("retention", keeping.run()))
        await stack.enter_async_context(parts.running("database", store.watch()))
        summary = Summary(store.database, console, running)
        await stack.enter_async_context(parts.running("summary", summary.run()))
        await parts.wait()
    return 0


def _listen_for_metrics(settings: Settings) -> AbstractContextManager[socket.socket | None]:
    if settings.metrics.port is None:
        return nullcontext()
    return listen(settings.metrics.host, settings.metrics.port, option="--metrics-port")


async def _streams(database: Database, settings: Settings, only: Sequence[str]) -> list[StreamRow]:
    """The streams to index; those of the settings are added first. Raises SettingsError where there is none."""
    for name, wanted in settings.streams.items():
        await ensure_stream(database, name, wanted, settings.indexer)
    streams = await list_streams(database)
    known = {stream.name for stream in streams}
    for name in only:
        if name not in known:
            raise SettingsError(
                f"there is no stream {name!r}: `heliograph stream list` shows those there are"
            )
    chosen = [stream for stream in streams if not only or stream.name in only]
    if not chosen:
        raise SettingsError(
            "there is nothing to index: put a [streams.NAME] with its protocol into heliograph.toml, "
            "or add one with `heliograph stream add`"
        )
    for stream in chosen:
        protocol_of(stream)
    return chosen
