"""`heliograph status`: how far each stream is, who leads it, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from heliograph_cli.settings import Settings
from heliograph_cli.store import Store, opened, shown
from heliograph_cli.streams import slot_of_now
from heliograph_cli.summary import duration
from heliograph_core.errors import RpcError
from heliograph_sql.progress import Progress, Tallies, read_progress, read_tallies

PIPE_WIDTH = 200
LABEL_WIDTH = 18
STREAM_WIDTH = 29
"""A time with its words fits in; two streams beside each other fit into 80 columns."""


@dataclass(frozen=True)
class Report:
    """What is told. cluster_slot: the cluster's newest slot, None where no cluster is named or none answers."""

    database: str
    tier: str
    streams: Sequence[Progress]
    tallies: Tallies
    cluster_slot: int | None

    def lag_slots(self, stream: Progress) -> int | None:
        """Slots between the cluster's newest and the stream's head."""
        if self.cluster_slot is None or stream.head_slot is None:
            return None
        return max(0, self.cluster_slot - stream.head_slot)


async def status(settings: Settings, *, json: bool) -> int:
    async with opened(settings.database) as store:
        report = await _read(settings, store)
    if json:
        print(orjson.dumps(document_of(report), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
        return 0
    console = Console()
    if not console.is_terminal:
        # A pipe has no width; whoever reads it wants whole lines.
        console = Console(width=PIPE_WIDTH)
    console.print(f"{report.database} ({report.tier})", soft_wrap=True, highlight=False, markup=False)
    if not report.streams:
        console.print("no streams yet: add one with `heliograph stream add`", markup=False)
    for table in tables_of(report, console.width):
        console.print()
        console.print(table, highlight=False)
    return 0


async def _read(settings: Settings, store: Store) -> Report:
    cluster_slot = None
    if settings.indexer is not None:
        try:
            cluster_slot = await slot_of_now(settings.indexer)
        except RpcError:
            # What the database knows is worth telling without it; the missing figure says enough.
            cluster_slot = None
    return Report(
        shown(store.url),
        store.label,
        await read_progress(store.database),
        await read_tallies(store.database),
        cluster_slot,
    )


def document_of(report: Report) -> dict[str, Any]:
    """The report as a JSON value: slots are numbers, times ISO 8601, what is unknown null."""
    return {
        "database": report.database,
        "tier": report.tier,
        "cluster_slot": report.cluster_slot,
        "streams": [
            asdict(stream)
            | {
                "lag_slots": report.lag_slots(stream),
                "incidents": dict(report.tallies.incidents.get(stream.name, {})),
                "undecoded": dict(report.tallies.undecoded.get(stream.name, {})),
            }
            for stream in report.streams
        ],
    }


def tables_of(report: Report, width: int) -> list[Table]:
    """As many streams beside each other as fit into `width` columns; what is too long for its column is folded."""
    beside = max(1, (width - LABEL_WIDTH) // (STREAM_WIDTH + 1))
    streams = list(report.streams)
    return [_table(report, streams[at : at + beside]) for at in range(0, len(streams), beside)]


def _table(report: Report, streams: Sequence[Progress]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("stream", style="dim", no_wrap=True)
    for stream in streams:
        table.add_column(stream.name, overflow="fold", style="bold" if len(streams) == 1 else "")
    columns = [_cells(report, stream) for stream in streams]
    for label in columns[0]:
        table.add_row(label, *(column[label] for column in columns))
    return table


def _cells(report: Report, stream: Progress) -> dict[str, str]:
    """Label to text, the same labels for every stream."""
    lag_slots = report.lag_slots(stream)
    return {
        "protocol": stream.protocol,
        "from slot": str(stream.first_slot),
        "head": _or_dash(stream.head_slot),
        "final": _or_dash(stream.final_slot),
        "complete through": _or_dash(stream.complete_through),
        "  time": _time(stream.complete_time),
        "behind": f"{_late(stream)}{'' if lag_slots is None else f', {lag_slots:,} slots'}",
        "gaps": f"{stream.gaps} of {stream.gap_slots:,} slots" if stream.gaps else "0",
        "accounts through": _accounts_through(stream),
        "leader": stream.leader or "nobody",
        "  lease": "-" if stream.lease_s is None else f"{stream.lease_s:.1f} s left",
        "dirty keys": f"{stream.dirty:,}",
        "undecoded": _tally(report.tallies.undecoded.get(stream.name, {})),
        "incidents": _tally(report.tallies.incidents.get(stream.name, {})),
        "commits": f"{stream.seq:,}",
    }


def _accounts_through(stream: Progress) -> str:
    # Begins one below the first slot, as nothing is read yet.
    through = stream.accounts_through
    return "none yet" if through is not None and through < stream.first_slot else _or_dash(through)


def _late(stream: Progress) -> str:
    return "-" if stream.behind_s is None else duration(max(0.0, stream.behind_s))


def _time(time: datetime | None) -> str:
    return "-" if time is None else time.strftime("%Y-%m-%d %H:%M:%S UTC")


def _tally(counts: Mapping[str, int]) -> str:
    """The total, and each kind on a line of its own."""
    total = sum(counts.values())
    return "\n".join([f"{total:,}", *(f"{count:,} {kind}" for kind, count in sorted(counts.items()))])


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
