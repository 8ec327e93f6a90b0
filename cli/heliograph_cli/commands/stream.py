"""`heliograph stream add | list | remove`: what is indexed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from heliograph_cli.settings import Settings, StreamSettings
from heliograph_cli.store import opened
from heliograph_cli.streams import ensure_stream
from heliograph_sql.removal import remove_stream
from heliograph_sql.streams import list_streams


async def add(
    settings: Settings, name: str, addresses: Sequence[str], *, protocol: str, first_slot: int | None
) -> int:
    wanted = StreamSettings(protocol=protocol, programs=tuple(addresses), first_slot=first_slot)
    async with opened(settings.database) as store:
        stream = await ensure_stream(store.database, name, wanted, settings.indexer)
    print(f"stream {stream.name}: {stream.protocol}, complete from slot {stream.first_slot} once indexed")
    print("`heliograph up` and `heliograph index` take it up when they start; restart those that run")
    return 0


async def list_all(settings: Settings) -> int:
    async with opened(settings.database) as store:
        streams = await list_streams(store.database)
    table = Table(box=None, pad_edge=False)
    for heading in ("stream", "protocol", "first slot", "programs"):
        table.add_column(heading, justify="right" if heading == "first slot" else "left")
    for stream in streams:
        table.add_row(stream.name, stream.protocol, str(stream.first_slot), "\n".join(stream.programs))
    if streams:
        Console().print(table)
    else:
        print("no streams yet: add one with `heliograph stream add`")
    return 0


async def remove(settings: Settings, name: str) -> int:
    async with opened(settings.database) as store:
        await remove_stream(store.database, name)
    print(f"stream {name} is removed")
    return 0
