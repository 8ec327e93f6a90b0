"""Streams as settings and arguments name them, checked and brought into the database."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from heliograph_cli.settings import StreamSettings
from heliograph_cli.stream_idls import IdlFiles, check_address, fetch_documents, read_files
from heliograph_core.errors import SettingsError
from heliograph_indexer.indexer import current_slot
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.protocols import ANCHOR, PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.idls import list_idls
from heliograph_sql.streams import StreamRow, check_name, get_stream

PATIENCE_S = 5.0
"""How long the cluster may take to answer while a command starts; the indexer itself is more patient."""


async def ensure_stream(
    database: Database, name: str, wanted: StreamSettings, indexer: IndexerSettings | None
) -> StreamRow:
    """The stream, added where it is not there yet; it begins at the cluster's slot of now where it names no first.

    IDLs come from the files that are named, those that are no part of Heliograph else from the chain. Raises SettingsError for an
    unknown protocol, a bad address, or a stream of that name that is another one, and where the cluster would have to
    be asked and none is named; IdlError; RpcUnavailable where it does not answer.
    """
    check_name(name)
    files = read_files(wanted.idls)
    programs = programs_of(wanted.protocol, wanted.programs, files)
    documents = files.documents(programs)
    found = await get_stream(database, name)
    if found is not None:
        first = found.first_slot
    elif wanted.first_slot is not None:
        first = wanted.first_slot
    elif indexer is not None:
        first = await slot_of_now(indexer)
    else:
        raise SettingsError(
            f"stream {name!r} names no first slot, and no cluster that could tell the current one: "
            "give --first-slot or --rpc"
        )
    stored = {each.program for each in await list_idls(database, name)}
    known = {} if wanted.protocol == ANCHOR else PROTOCOLS[wanted.protocol].idls()
    missing = [program for program in programs if program not in stored | documents.keys() | known.keys()]
    documents |= await _of_chain(missing, indexer)
    stream, _ = await add_new_stream(
        database,
        name,
        protocol=wanted.protocol,
        programs=programs,
        documents=documents,
        first_slot=first,
        log_events=wanted.log_events,
        instructions=wanted.instructions,
    )
    return stream


async def _of_chain(programs: Sequence[str], indexer: IndexerSettings | None) -> Mapping[str, bytes]:
    if not programs:
        return {}
    if indexer is None:
        raise SettingsError(
            f"no IDL of {programs[0]} is given, and no cluster that could have it: give --idl FILE or --rpc"
        )
    limits = replace(indexer.rpc, attempts=1, deadline_s=min(PATIENCE_S, indexer.rpc.deadline_s))
    return await fetch_documents(replace(indexer, rpc=limits), programs)


def choose_protocol(name: str, given: str | None, programs: Sequence[str]) -> str:
    """What gives the events their meaning: what was asked for, else the protocol of the stream's name or of the programs.

    Any other program is ANCHOR: its events are stored as they are. Raises SettingsError for an unknown protocol.
    """
    if given is not None:
        if given != ANCHOR and given not in PROTOCOLS:
            known = [*sorted(PROTOCOLS), ANCHOR]
            near = difflib.get_close_matches(given, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise SettingsError(f"unknown protocol {given!r}; {hint}")
        return given
    if not programs:
        return name if name in PROTOCOLS else ANCHOR
    knowing = [each.name for each in PROTOCOLS.values() if set(programs) <= each.channels().keys()]
    return knowing[0] if knowing else ANCHOR


def programs_of(protocol: str, addresses: Sequence[str], files: IdlFiles) -> tuple[str, ...]:
    """The addresses, or without any those of the IDLs, or those where the protocol is deployed.

    Raises SettingsError for what is no address and for a program that the protocol does not know.
    """
    for address in addresses:
        check_address(address)
    if protocol == ANCHOR:
        programs = tuple(addresses) or files.addresses
        if not programs:
            raise SettingsError("say which programs: their addresses, or IDLs that name them")
        return tuple(dict.fromkeys(programs))
    choose_protocol("", protocol, ())
    known = PROTOCOLS[protocol]
    for address in addresses:
        if address not in known.channels():
            raise SettingsError(
                f"program {address} is none of protocol {protocol!r}, which knows "
                f"{', '.join(sorted(known.channels()))}: leave --protocol away to index it as it is"
            )
    return tuple(addresses) or tuple(known.programs.values())


async def slot_of_now(indexer: IndexerSettings) -> int:
    """The cluster's newest slot. Raises RpcError where it does not answer soon, naming it and what to do."""
    limits = replace(indexer.rpc, attempts=1, deadline_s=min(PATIENCE_S, indexer.rpc.deadline_s))
    return await current_slot(replace(indexer, rpc=limits))
