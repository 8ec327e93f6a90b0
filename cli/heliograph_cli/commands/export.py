"""`heliograph export`: the rows of a table as CSV or Parquet, into a file that appears whole, or to stdout."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from heliograph_cli.parts import in_thread, uninterrupted
from heliograph_cli.settings import Settings
from heliograph_cli.store import reachable
from heliograph_core.errors import SettingsError
from heliograph_sql.export import Completeness, CsvSink, Export, Format, Request, parse_bound
from heliograph_sql.parquet import ParquetSink

REDRAW_S = 0.1
PLAIN_S = 5.0
STDOUT = "-"


async def export(
    settings: Settings,
    table: str,
    *,
    first: str | None,
    last: str | None,
    stream: str | None,
    wanted: str | None,
    output: str,
    overwrite: bool,
) -> int:
    """Raises SettingsError, DatabaseError, OSError; whatever it raises, no file is left that is not whole."""
    request = Request(
        table=table,
        first=None if first is None else parse_bound(first, "--from"),
        last=None if last is None else parse_bound(last, "--to"),
        stream=stream,
    )
    kind = _format(wanted, output)
    console = Console(stderr=True)
    with _opened(output, kind, overwrite=overwrite) as file:
        sink = ParquetSink(file) if kind is Format.PARQUET else CsvSink(file)
        work = Export()
        # No migration: whoever may only read exports too.
        async with reachable(settings.database) as (url, _):
            running = asyncio.ensure_future(in_thread(lambda: work.run(url, request, sink), name="export"))
            await _finished(console, work, running)
    where = "" if output == STDOUT else f" to {output}"
    _say(console, f"{work.rows} rows of {work.table}{where}")
    for one in work.completeness:
        _say(console, told(one))
    return 0


def told(one: Completeness) -> str:
    """How complete the export is in one stream, in one line."""
    if one.complete_through is None:
        reached = f"its first slot {one.first_slot} is not covered yet"
    else:
        at = one.complete_through_time
        time = (
            "" if at is None else f" ({datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%SZ})"
        )
        reached = f"complete from slot {one.first_slot} through slot {one.complete_through}{time}"
    if one.complete:
        return f"{one.stream}: {reached}; nothing that was asked for is missing"
    if not one.gaps:
        return f"{one.stream}: {reached}; what was asked for reaches beyond"
    shown = ", ".join(f"{first}..{last}" for first, last in one.gaps[:3])
    more = f" and {len(one.gaps) - 3} more" if len(one.gaps) > 3 else ""
    return f"{one.stream}: {reached}; slots {shown}{more} are missing from the export"


def _format(wanted: str | None, output: str) -> Format:
    if wanted is None:
        return Format.PARQUET if Path(output).suffix == ".parquet" else Format.CSV
    try:
        return Format(wanted)
    except ValueError:
        raise SettingsError(f"--format {wanted!r} is none: it is {' or '.join(Format)}") from None


@contextmanager
def _opened(output: str, kind: Format, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Where to write. A file is written beside its place under another name, and put there once it is whole."""
    if output == STDOUT:
        if kind is Format.PARQUET and sys.stdout.isatty():
            raise SettingsError(
                "Parquet is not for a terminal: name a file with --output, or use --format csv"
            )
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    place = Path(output)
    if place.is_dir():
        raise SettingsError(f"{output} is a folder: name a file in it with --output")
    if place.exists() and not overwrite:
        raise SettingsError(
            f"{output} exists: choose another name with --output, or replace it with --overwrite"
        )
    if not place.parent.is_dir():
        raise SettingsError(f"{output} cannot be written: there is no folder {place.parent}; make it first")
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


async def _finished(console: Console, work: Export, task: asyncio.Future[None]) -> None:
    """Shows how it goes on until it is done; when cancelled it is stopped, and awaited."""
    try:
        await _show(console, work, task)
    except asyncio.CancelledError:
        work.stop()
        await uninterrupted(_ended(task))
        raise
    task.result()


async def _ended(task: asyncio.Future[None]) -> None:
    await asyncio.wait({task})
    # Fetched, so that asyncio does not print it: it was stopped, and that is all.
    task.exception()


async def _show(console: Console, work: Export, task: asyncio.Future[None]) -> None:
    if not console.is_terminal:
        while not task.done():
            await asyncio.wait({task}, timeout=PLAIN_S)
            if not task.done():
                _say(console, line_of(work))
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[told]}"),
        console=console,
        auto_refresh=False,
        transient=True,
    )
    with bar:
        shown = bar.add_task("export", total=None, told="")
        while not task.done():
            bar.update(shown, total=work.total, completed=work.rows, told=line_of(work), refresh=True)
            await asyncio.wait({task}, timeout=REDRAW_S)


def line_of(work: Export) -> str:
    """How far it is."""
    if work.total is None:
        return f"counting the rows of {work.table}" if work.table else "connecting"
    share = 100 * work.rows / work.total if work.total else 100.0
    return f"{work.rows} of {work.total} rows ({share:.1f} %)"


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
