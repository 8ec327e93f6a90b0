"""`heliograph stream add | list | tables | remove`: what is indexed, and where it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from heliograph_cli.settings import Settings, StreamSettings
from heliograph_cli.store import opened
from heliograph_cli.stream_idls import read_files
from heliograph_cli.streams import choose_protocol, ensure_stream
from heliograph_core.errors import SettingsError
from heliograph_indexer.protocols import ANCHOR
from heliograph_sql.removal import remove_stream
from heliograph_sql.streams import get_stream, list_streams
from heliograph_sql.table_making import NotedTable, list_noted_tables
from heliograph_sql.typed_names import snake


async def add(
    settings: Settings,
    name: str,
    addresses: Sequence[str],
    *,
    idls: Sequence[str],
    protocol: str | None,
    first_slot: int | None,
    instructions: bool,
    log_events: bool,
) -> int:
    programs = tuple(addresses) or read_files(idls).addresses
    wanted = StreamSettings(
        protocol=choose_protocol(name, protocol, programs),
        programs=programs,
        first_slot=first_slot,
        idls=tuple(idls),
        instructions=instructions,
        log_events=log_events,
    )
    if log_events and wanted.protocol != ANCHOR:
        raise SettingsError(
            f"--log-events is for protocol {ANCHOR}: {wanted.protocol} says itself where its events are"
        )
    async with opened(settings.database) as store:
        stream = await ensure_stream(store.database, name, wanted, settings.indexer)
        made = Counter(table.kind for table in await list_noted_tables(store.database, name))
    print(f"stream {stream.name}: {stream.protocol}, complete from slot {stream.first_slot} once indexed")
    counts = f"{made['event']} events, {made['account']} account types and {made['instruction']} instructions"
    print(
        f"schema {stream.name} has tables for {counts}: `heliograph stream tables {stream.name}` lists them"
    )
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


async def tables(settings: Settings, name: str) -> int:
    """One line a column, for eyes and for `grep`; a name that is not simply the field's is marked with *."""
    async with opened(settings.database) as store:
        if await get_stream(store.database, name) is None:
            raise SettingsError(
                f"there is no stream {name!r}: `heliograph stream list` shows those there are"
            )
        noted = await list_noted_tables(store.database, name)
    if not noted:
        print(f"stream {name} has no tables yet: they are made when it is indexed for the first time")
    for table in noted:
        print("\n".join(_lines(name, table)))
    return 0


def _lines(stream: str, table: NotedTable) -> list[str]:
    of = f"  {table.item} of {table.program}" if table.item else ""
    lines = [f"{stream}.{table.name}  {table.kind}{of}"]
    for column in table.columns:
        mark = "" if column.name == snake(column.field) else " *"
        docs = f"  {column.docs}" if column.docs else ""
        lines.append(f"  {column.name}{mark}  {column.type}  {column.field}{docs}")
    return lines


async def remove(settings: Settings, name: str) -> int:
    async with opened(settings.database) as store:
        await remove_stream(store.database, name)
    print(f"stream {name} is removed")
    return 0
