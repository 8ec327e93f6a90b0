"""`heliograph idl fetch | list | diff | add`: the layouts that events are decoded with."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

from heliograph_cli.settings import Settings
from heliograph_cli.store import opened
from heliograph_cli.stream_idls import check_address, fetch_documents, read_document
from heliograph_cli.streams import PATIENCE_S
from heliograph_core.errors import SettingsError
from heliograph_indexer.decode import Layouts
from heliograph_indexer.idl.model import Idl
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.idl_changes import changes
from heliograph_indexer.new_idl import add_new_idl
from heliograph_indexer.protocols import protocol_of
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.idls import list_idls
from heliograph_sql.streams import StreamRow, get_stream, list_streams


async def fetch(settings: Settings, program: str, *, output: Path | None) -> int:
    """Writes the document to `output`, or to stdout. Raises SettingsError, IdlError, RpcError."""
    check_address(program)
    document = await _fetched(settings.indexing(), program)
    # What cannot be read is of no use to anybody: told here, not when it is needed.
    idl = read_idl(document)
    if output is None:
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
        return 0
    _write(output, document)
    print(
        f"{output}: {idl.name}, {len(idl.events)} events, {len(idl.accounts)} accounts, "
        f"{len(idl.instructions)} instructions"
    )
    return 0


async def list_all(settings: Settings, stream: str | None) -> int:
    """Prints the IDLs of one stream, or of all: those that ship with its protocol, and those that were added."""
    rows = [("stream", "program", "from slot", "idl", "events", "sha256")]
    async with opened(settings.database) as store:
        streams = [await _stream(store.database, stream)] if stream else await list_streams(store.database)
        for each in streams:
            layouts = Layouts.of(protocol_of(each), await list_idls(store.database, each.name))
            for program in each.programs:
                for version in layouts.history(program):
                    idl = version.decoder.idl
                    first, events = str(version.first_slot), str(len(idl.events))
                    rows.append((each.name, program, first, idl.name, events, version.sha256[:12]))
    if not streams:
        print("no streams yet: add one with `heliograph stream add`")
        return 0
    # Wider than many terminals, and of no use when addresses are cut: so no table that fits itself into one.
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


async def add(settings: Settings, stream: str, file: Path, *, from_slot: int, program: str | None) -> int:
    """Stores the IDL and decodes again what fits it. Raises SettingsError for a program that is not the stream's."""
    idl, document = read_document(file)
    address = program or idl.address
    if address is None:
        raise SettingsError(f"IDL {file} names no address: say it with --program")
    async with opened(settings.database) as store:
        row = await _stream(store.database, stream)
        if address not in row.programs:
            raise SettingsError(
                f"IDL {file} is of {address}, none of stream {stream!r}, which has {', '.join(row.programs)}"
            )
        arrived = await add_new_idl(
            store.database,
            stream,
            protocol_of(row),
            program=address,
            first_slot=from_slot,
            document=document,
            holder=f"{socket.gethostname()}:{os.getpid()}",
        )
    print(
        f"stream {stream}: {idl.name} is in force from slot {from_slot}; {arrived.decoded} events were decoded with "
        f"it, {arrived.left} are left undecoded"
    )
    for change in arrived.changes:
        print(change)
    return 0


async def _stream(database: Database, name: str) -> StreamRow:
    found = await get_stream(database, name)
    if found is None:
        raise SettingsError(f"there is no stream {name!r}: `heliograph stream list` shows those there are")
    return found


def _write(output: Path, document: bytes) -> None:
    try:
        output.write_bytes(document)
    except OSError as error:
        raise SettingsError(f"{output} cannot be written ({error.strerror}): name another file") from None


def diff(old: Path, new: Path) -> int:
    """Prints what the new one does to the tables. Returns 0 whether or not that is anything."""
    found = changes(_read(old), _read(new))
    for change in found:
        print(change)
    if not found:
        print("the tables stay as they are")
    return 0


async def _fetched(settings: IndexerSettings, program: str) -> bytes:
    limits = replace(settings.rpc, attempts=1, deadline_s=min(PATIENCE_S, settings.rpc.deadline_s))
    return (await fetch_documents(replace(settings, rpc=limits), [program]))[program]


def _read(file: Path) -> Idl:
    return read_document(file)[0]
