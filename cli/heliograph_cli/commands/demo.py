"""`heliograph demo`: localnet, database, indexer and API in one process."""

from __future__ import annotations

import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from heliograph_cli.banner import print_banner
from heliograph_cli.indexing import indexing
from heliograph_cli.listener import listen, serving, url
from heliograph_cli.parts import Parts
from heliograph_cli.settings import Settings, StreamSettings
from heliograph_cli.store import opened
from heliograph_cli.streams import ensure_stream
from heliograph_cli.summary import Summary
from heliograph_core.errors import SettingsError
from heliograph_core.figure import FigureSource
from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.connections import Connections
from heliograph_indexer.figures import IndexerFigures
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.object_log import ObjectLog
from heliograph_sql.removal import remove_stream
from heliograph_sql.rollup import Rollup
from heliograph_sql.streams import get_stream

STREAM = "godark"
SLOT_MS = 250
FUNDING_INTERVAL_S = 10
"""Short, so that a newcomer sees funding paid within the first minute."""
RETENTION_SLOTS = 2_400
"""History that the cluster keeps, ten minutes: without a bound a demo that runs overnight would fill the memory."""
FOLDER_PREFIX = "heliograph-demo-"


async def demo(settings: Settings, *, seconds: float | None, fresh: bool, seed: int) -> int:
    """Runs until stopped or for `seconds`. Raises HeliographError where a part cannot start or fails."""
    console = Console()
    parts = Parts()
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.listen.host, settings.listen.port))
        place = settings.database
        if place.url is None:
            # Of its own and thrown away: a demo begins at the same point each time, and two may run at once.
            folder = tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True)
            place = replace(place, data_dir=Path(stack.enter_context(folder)))
        store = await stack.enter_async_context(opened(place))
        await _make_room(store.database, fresh)
        localnet = Localnet(
            LocalnetSettings(
                seed=seed,
                stream=STREAM,
                slot_ms=SLOT_MS,
                funding_interval_seconds=FUNDING_INTERVAL_S,
                genesis_time=int(time.time()),
                retention_slots=RETENTION_SLOTS,
                keep_truth=False,
            )
        )
        await localnet.start()
        stack.push_async_callback(localnet.stop)
        indexer = IndexerSettings(rpc_url=localnet.rpc_url, ws_url=localnet.ws_url)
        wanted = StreamSettings(protocol="godark", first_slot=localnet.settings.first_slot)
        stream = await ensure_stream(store.database, STREAM, wanted, indexer)
        await stack.enter_async_context(parts.running("localnet", localnet.run()))
        running = await stack.enter_async_context(indexing(parts, store.database, stream, indexer))
        rollup = Rollup(store.database, settings.rollup)
        await stack.enter_async_context(parts.running("rollup", rollup.run()))
        await stack.enter_async_context(parts.running("object log", ObjectLog(store.database).run()))
        connections = Connections(settings.api.gateway)
        figures: list[FigureSource] = [connections, IndexerFigures({STREAM: running})]
        app = create_app(store.database, settings.api, figures)
        await stack.enter_async_context(serving(parts, app, listener, connections))
        print_banner(
            console,
            title="Heliograph demo: a simulated perps exchange, indexed and served",
            store=store,
            api=url(listener),
            cluster=localnet.rpc_url,
        )
        await stack.enter_async_context(parts.running("database", store.watch()))
        summary = Summary(store.database, console, {STREAM: running}, counting=True)
        await stack.enter_async_context(parts.running("summary", summary.run()))
        await parts.wait(seconds)
    return 0


async def _make_room(database: Database, fresh: bool) -> None:
    """Raises SettingsError where the stream's name is taken, unless it may be deleted."""
    if await get_stream(database, STREAM) is None:
        return
    if not fresh:
        raise SettingsError(
            f"database {database.place} holds a stream {STREAM!r} already: delete it with --fresh, "
            "or name another database"
        )
    await remove_stream(database, STREAM)
