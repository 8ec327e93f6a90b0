"""`heliograph backfill STREAM --archive FILE…`: stores what files hold, with a bar on a terminal and plain lines elsewhere."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from heliograph_backfill.archive_job import ArchiveJob, ArchiveProgress
from heliograph_cli.commands.backfill import PLAIN_S, REDRAW_S, say
from heliograph_cli.failure import FAILED
from heliograph_cli.settings import Settings
from heliograph_cli.store import opened
from heliograph_cli.summary import duration
from heliograph_core.errors import SettingsError
from heliograph_indexer.protocols import protocol_of
from heliograph_indexer.sources.archive import Fault
from heliograph_sql.streams import get_stream


async def archive(settings: Settings, name: str, files: Sequence[Path], *, asked: bool, ranged: bool) -> int:
    """Returns once all files are read: 1 where something in them could not be, which goes to stderr, else 0."""
    if not asked:
        raise SettingsError(f"{files[0]} is given without --archive: say it before files, or leave them away")
    if not files:
        raise SettingsError("--archive without files: name at least one")
    if ranged:
        raise SettingsError("--archive takes what the files hold: leave --from, --to and --since away")
    console = Console()
    async with opened(settings.database) as store:
        stream = await get_stream(store.database, name)
        if stream is None:
            raise SettingsError(
                f"there is no stream {name!r}: `heliograph stream list` shows those there are"
            )
        job = ArchiveJob(
            store.database,
            stream,
            protocol_of(stream),
            files,
            holder=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}:archive",
            on_fault=_tell,
        )
        began = time.monotonic()
        running = asyncio.create_task(job.run())
        try:
            await _show(console, job, running, name)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        say(console, summary_of(job.progress, name, time.monotonic() - began))
    return FAILED if job.progress.faults else 0


def _tell(fault: Fault) -> None:
    print(f"heliograph: {fault}", file=sys.stderr, flush=True)


async def _show(console: Console, job: ArchiveJob, running: asyncio.Task[None], name: str) -> None:
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
            shown = bar.add_task(name, total=max(job.progress.total_bytes, 1), told="")
            while True:
                progress = job.progress
                bar.update(shown, completed=progress.read_bytes, told=told_of(progress), refresh=True)
                if running.done():
                    break
                await asyncio.wait({running}, timeout=REDRAW_S)
    else:
        while not running.done():
            done, _ = await asyncio.wait({running}, timeout=PLAIN_S)
            if not done:
                say(console, f"{time.strftime('%H:%M:%S')}  {line_of(job.progress, name)}")
    running.result()


def told_of(progress: ArchiveProgress) -> str:
    """How many are stored, or what is being waited for."""
    if progress.trouble is not None:
        return f"waiting: {progress.trouble}"
    return f"{progress.stored:,} transactions stored"


def line_of(progress: ArchiveProgress, name: str) -> str:
    """One plain line."""
    share = 100 * progress.read_bytes / max(progress.total_bytes, 1)
    return f"{name}  {share:.1f} % of {progress.total_bytes:,} bytes read  {told_of(progress)}"


def summary_of(progress: ArchiveProgress, name: str, seconds: float) -> str:
    """What the whole run did, and what it left out."""
    left_out = [
        f"{count:,} {why}"
        for count, why in (
            (progress.known, "stored already"),
            (progress.covered, "in slots that are complete"),
            (progress.foreign, "of other programs"),
            (progress.faults, "that cannot be read"),
        )
        if count
    ]
    told = f"{name}: {progress.stored:,} transactions stored in {duration(seconds)}"
    return f"{told}; left out: {', '.join(left_out)}" if left_out else told
