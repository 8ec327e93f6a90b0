"""`heliograph idl fetch | list | diff | add`: the layouts that events are decoded with."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from solders.pubkey import Pubkey

from heliograph_cli.settings import Settings
from heliograph_cli.streams import PATIENCE_S
from heliograph_core.errors import IdlError, SettingsError
from heliograph_indexer.idl.model import Idl
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.idl_changes import changes
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.idl import fetch_idl
from heliograph_indexer.settings import IndexerSettings


async def fetch(settings: Settings, program: str, *, output: Path | None) -> int:
    """Writes the document to `output`, or to stdout. Raises SettingsError, IdlError, RpcError."""
    _check_address(program)
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
    async with RpcClient(settings.rpc_url, limits) as client:
        return (await fetch_idl(Cluster(client, settings.commitment), program)).document


def _check_address(program: str) -> None:
    try:
        Pubkey.from_string(program)
    except ValueError:
        raise SettingsError(f"{program!r} is no address: give a program's, 32 bytes in base58") from None


def _read(file: Path) -> Idl:
    return read_document(file)[0]


def read_document(file: Path) -> tuple[Idl, bytes]:
    """Raises SettingsError, naming the file."""
    try:
        document = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): name another file") from None
    try:
        return read_idl(document), document
    except IdlError as error:
        raise SettingsError(f"IDL {file} is at fault at {error}") from error
