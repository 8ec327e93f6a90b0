"""The live summary: a few lines that are redrawn in a terminal, one plain line now and then elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.live import Live
from rich.text import Text

from heliograph_core.errors import DatabaseUnavailable
from heliograph_indexer.indexer import Indexer
from heliograph_indexer.indexer_status import IndexerStatus
from heliograph_sql.database import Database
from heliograph_sql.progress import Counts, Progress, count_rows, read_progress, sum_rows

REDRAW_S = 1.0
PLAIN_S = 5.0
RATE_WINDOW = 10
"""Readings over which rows a second are averaged."""


class Summary:
    """Reads the streams' progress and shows it until cancelled.

    indexers: those that run in this process, by stream. counting: show exact counts of rows too.
    """

    def __init__(
        self,
        database: Database,
        console: Console,
        indexers: Mapping[str, Indexer] | None = None,
        *,
        counting: bool = False,
    ) -> None:
        self._database = database
        self._console = console
        self._indexers = indexers or {}
        self._counting = counting
        self._rates: dict[str, Rate] = {}

    async def run(self) -> None:
        if self._console.is_terminal:
            with Live(Text("starting …", style="dim"), console=self._console, auto_refresh=False) as live:
                await self._repeat(REDRAW_S, lambda streams: live.update(_block(streams), refresh=True))
        else:
            # A first look at once would only say that nothing is there yet.
            await asyncio.sleep(PLAIN_S)
            await self._repeat(PLAIN_S, self._print_plain)

    def _print_plain(self, streams: list[list[Text]]) -> None:
        now = time.strftime("%H:%M:%S")
        for lines in streams:
            print(now, *(line.plain for line in lines), sep="  ", file=self._console.file, flush=True)

    async def _repeat(self, interval_s: float, show: Callable[[list[list[Text]]], object]) -> None:
        while True:
            show(await self._read())
            await asyncio.sleep(interval_s)

    async def _read(self) -> list[list[Text]]:
        """For each stream its lines."""
        try:
            streams = await read_progress(self._database)
            return [await self._lines(stream) for stream in streams]
        except DatabaseUnavailable as error:
            # The writers retry by themselves; the summary only says why nothing moves.
            return [[Text(f"waiting for the database: {error}", style="yellow")]]

    async def _lines(self, stream: Progress) -> list[Text]:
        rate = self._rates.setdefault(stream.name, Rate())
        rows, seq = await sum_rows(self._database, stream.name, rate.seq)
        rate.add(rows, seq, time.monotonic())
        indexer = self._indexers.get(stream.name)
        lines = [line_of(stream, rate, indexer.status if indexer is not None else None)]
        if self._counting and stream.head_slot is not None:
            lines.append(line_of_counts(await count_rows(self._database, stream.name)))
        return lines


def _block(streams: list[list[Text]]) -> Text:
    """All lines below each other; one that is too long for the terminal is cut, so that the block keeps its height."""
    lines = [
        line for first, *more in streams for line in (first, *(Text("  ").append(each) for each in more))
    ]
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


class Rate:
    """Rows written so far and a second, from the commit log. `seq` is the last commit that was counted."""

    def __init__(self) -> None:
        self.seq = 0
        self.rows = 0
        self._readings: deque[tuple[float, int]] = deque(maxlen=RATE_WINDOW)

    def add(self, rows: int, seq: int, now: float) -> None:
        self.seq = seq
        self.rows += rows
        self._readings.append((now, self.rows))

    def per_second(self) -> int | None:
        """None before there are two readings."""
        (first, before), (last, after) = self._readings[0], self._readings[-1]
        return round((after - before) / (last - first)) if last > first else None


def line_of(stream: Progress, rate: Rate, indexer: IndexerStatus | None = None) -> Text:
    """How far one stream is."""
    line = Text()
    line.append(stream.name, style="bold")
    if indexer is not None and indexer.state == "standby":
        line.append(f"  standing by, {stream.leader} leads", style="yellow")
    if stream.head_slot is None:
        line.append("  nothing indexed yet", style="dim")
        return _with_trouble(line, indexer)
    line.append(f"  slot {stream.head_slot}")
    if stream.gaps or stream.complete_through != stream.head_slot:
        line.append(f"  complete through {stream.complete_through}, {stream.gaps} gaps", style="yellow")
    late = _lateness(stream, indexer)
    if late:
        line.append(f"  {late} behind", style="yellow")
    line.append(f"  {rate.rows:,} rows")
    per_second = rate.per_second()
    if per_second is not None:
        line.append(f" ({per_second:,}/s)", style="dim")
    return _with_trouble(line, indexer)


def _with_trouble(line: Text, indexer: IndexerStatus | None) -> Text:
    """The line, and which endpoint is ill, so that it may not move, or which WebSocket, so that it comes late."""
    if indexer is not None and indexer.trouble:
        line.append(f"  trouble with the cluster: {' '.join(indexer.trouble.split())}", style="yellow")
    elif indexer is not None and indexer.deaf:
        line.append(f"  polling, without notifications: {' '.join(indexer.deaf.split())}", style="yellow")
    return line


def line_of_counts(counts: Counts) -> Text:
    """What the canonical tables hold."""
    return Text(
        f"{counts.markets} markets, {counts.open_positions:,} open positions, {counts.trades:,} trades, "
        f"{counts.funding_payments:,} funding payments, {counts.liquidations:,} liquidations"
    )


SLOTS_BEHIND = 8
SECONDS_BEHIND = 10.0
"""Below these nobody is behind: a slot is confirmed late now and then, and block times are whole seconds."""


def _lateness(stream: Progress, indexer: IndexerStatus | None) -> str:
    """How far behind the cluster, empty where not; by slots where the indexer knows the cluster's head."""
    if indexer is not None and indexer.lag_slots is not None:
        return f"{indexer.lag_slots:,} slots" if indexer.lag_slots >= SLOTS_BEHIND else ""
    if stream.behind_s is not None and stream.behind_s >= SECONDS_BEHIND:
        return duration(stream.behind_s)
    return ""


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"
