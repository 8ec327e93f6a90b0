"""`heliograph backfill`: fills a range of slots, with a bar on a terminal and plain lines elsewhere."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from heliograph_backfill.job import BackfillJob, JobProgress
from heliograph_backfill.plan import seconds_of
from heliograph_backfill.slot_time import first_slot_since
from heliograph_cli.settings import Settings
from heliograph_cli.store import opened
from heliograph_cli.streams import slot_of_now
from heliograph_cli.summary import duration
from heliograph_core.errors import RpcError, SettingsError
from heliograph_indexer.protocols import protocol_of
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.pool import Pool
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, get_stream, read_coverage

REDRAW_S = 0.25
PLAIN_S = 5.0


async def backfill(
    settings: Settings, name: str, *, first: int | None, last: int | None, since: str | None
) -> int:
    """Returns once the range is complete."""
    if (first is None) == (since is None):
        raise SettingsError("say where to begin: either --from SLOT or --since 7d")
    ago_s = seconds_of(since) if since is not None else None
    indexer = settings.indexing()
    # What can be refused without work comes first: the cluster, then the database.
    await slot_of_now(indexer)
    console = Console()
    async with opened(settings.database) as store, Pool.open(indexer.endpoint_urls, indexer.rpc) as pool:
        stream = await get_stream(store.database, name)
        if stream is None:
            raise SettingsError(
                f"there is no stream {name!r}: `heliograph stream list` shows those there are"
            )
        cluster = Cluster(pool, indexer.commitment)
        if ago_s is not None:
            first = await _slot_ago(cluster, ago_s, console)
        assert first is not None
        if first < (stream.retained_from or 0):
            raise SettingsError(
                f"slot {first} is past the retention of {name}, which keeps slots from {stream.retained_from} on: "
                "begin there, or keep more days ([storage] retention) in a new database"
            )
        # Only what is final: nothing of it has to be audited or written again, and live indexing is above it.
        final = await cluster.slot("finalized")
        if last is None or last > final:
            if last is not None:
                say(console, f"slot {last} is not final yet: filling to slot {final}, the newest final one")
            last = final
        job = BackfillJob(
            store.database,
            stream,
            protocol_of(stream),
            indexer,
            cluster,
            first=first,
            last=last,
            holder=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}:backfill",
        )
        began = time.monotonic()
        running = asyncio.create_task(job.run())
        watching = asyncio.create_task(pool.watch())
        try:
            await _show(console, job, running, name)
        finally:
            for task in (running, watching):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        row = await get_stream(store.database, name)
        say(console, summary_of(job.progress, name, time.monotonic() - began))
        if row is not None:
            await _tell_completeness(console, store.database, row, first)
    return 0


async def _slot_ago(cluster: Cluster, ago_s: int, console: Console) -> int:
    wanted = int(time.time()) - ago_s
    kept_from = await _kept_from(cluster)
    first = await first_slot_since(cluster, wanted, kept_from, await cluster.slot("finalized"))
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wanted))
    say(console, f"{shown} was slot {first}")
    if first == kept_from and kept_from:
        say(console, f"{cluster.endpoint} keeps no blocks before slot {kept_from}")
    return first


async def _kept_from(cluster: Cluster) -> int:
    """The lowest slot that any endpoint keeps. Raises RpcError where none tells."""
    kept: list[int] = []
    errors: list[RpcError] = []
    for node in cluster.each():
        try:
            kept.append(await node.first_available_block())
        except RpcError as error:
            errors.append(error)
    if not kept:
        raise errors[0]
    return min(kept)


async def _tell_completeness(console: Console, database: Database, stream: StreamRow, first: int) -> None:
    if stream.first_slot <= first:
        say(console, f"{stream.name} is complete from slot {stream.first_slot} on, as far as it is covered")
        return
    gaps = (await read_coverage(database, stream.name)).gaps(first, stream.first_slot - 1)
    say(
        console,
        f"completeness of {stream.name} still counts from slot {stream.first_slot}: {len(gaps)} slots below it are not covered",
    )


async def _show(console: Console, job: BackfillJob, running: asyncio.Task[None], name: str) -> None:
    """Until the job ends; raises what it raises."""
    if console.is_terminal:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>5.1f} %  {task.fields[told]}"),
            console=console,
            auto_refresh=False,
        )
        with bar:
            shown = bar.add_task(name, total=job.progress.slots, told="")
            while not running.done():
                progress = job.progress
                bar.update(shown, completed=progress.done, told=pace_of(progress), refresh=True)
                await asyncio.wait({running}, timeout=REDRAW_S)
            bar.update(shown, completed=job.progress.done, told=pace_of(job.progress), refresh=True)
    else:
        while not running.done():
            await asyncio.wait({running}, timeout=PLAIN_S)
            say(console, f"{time.strftime('%H:%M:%S')}  {line_of(job.progress, name)}")
    running.result()


def pace_of(progress: JobProgress) -> str:
    """Rate and estimate, or what is being waited for."""
    if progress.trouble is not None:
        return f"waiting: {progress.trouble}"
    if progress.complete:
        return "complete"
    if progress.piece is None and progress.done:
        return "waiting for what others have claimed"
    if progress.slots_per_s is None or progress.eta_s is None:
        return "starting"
    return f"{progress.slots_per_s:,.0f} slots/s, {duration(progress.eta_s)} left"


def line_of(progress: JobProgress, name: str) -> str:
    """One plain line."""
    share = 100 * progress.done / progress.slots
    return f"{name}  {progress.done} of {progress.slots} slots ({share:.1f} %)  {pace_of(progress)}"


def summary_of(progress: JobProgress, name: str, seconds: float) -> str:
    """What the whole run did."""
    return (
        f"slots {progress.first}..{progress.last} of {name} are complete: {progress.filled} slots, "
        f"{progress.transactions} transactions and {progress.rows} rows by this run in {duration(seconds)}"
    )


def say(console: Console, text: str) -> None:
    """Prints a line at once, as long as it is."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)
    console.file.flush()
