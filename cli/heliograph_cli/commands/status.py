"""`heliograph status`: how far each stream is."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from heliograph_cli.progress import Progress, read_progress
from heliograph_cli.settings import Settings
from heliograph_cli.store import opened, shown
from heliograph_cli.summary import duration


async def status(settings: Settings) -> int:
    async with opened(settings.database) as store:
        streams = await read_progress(store.database)
    console = Console()
    if not console.is_terminal:
        # A pipe has no width; whoever reads it wants whole numbers.
        console = Console(width=PIPE_WIDTH)
    console.print(f"{shown(store.url)} ({store.label})", soft_wrap=True, highlight=False)
    if not streams:
        console.print("no streams yet: add one with `heliograph stream add`", markup=False)
        return 0
    console.print(table_of(streams))
    return 0


PIPE_WIDTH = 200


def table_of(streams: list[Progress]) -> Table:
    """One row a stream; what does not fit is folded, never cut."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stream", overflow="fold")
    for heading in ("from", "complete through", "head", "final", "gaps", "behind"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("leader", overflow="fold")
    for stream in streams:
        table.add_row(
            stream.name,
            str(stream.first_slot),
            _or_dash(stream.complete_through),
            _or_dash(stream.head_slot),
            _or_dash(stream.final_slot),
            str(stream.gaps),
            duration(max(0.0, stream.behind_s)) if stream.behind_s is not None else "-",
            stream.leader or "-",
        )
    return table


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
