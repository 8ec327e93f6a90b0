"""Streams as settings and arguments name them, checked and brought into the database."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from solders.pubkey import Pubkey

from heliograph_cli.settings import StreamSettings
from heliograph_core.errors import SettingsError
from heliograph_indexer.indexer import current_slot
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream, check_name, get_stream

PATIENCE_S = 5.0
"""How long the cluster may take to answer while a command starts; the indexer itself is more patient."""


async def ensure_stream(
    database: Database, name: str, wanted: StreamSettings, indexer: IndexerSettings | None
) -> StreamRow:
    """The stream, added where it is not there yet; it begins at the cluster's slot of now where it names no first.

    Raises SettingsError for an unknown protocol, a bad address, or a stream of that name that is another one, and
    where the cluster would have to be asked and none is named; RpcUnavailable where it does not answer.
    """
    check_name(name)
    protocol = protocol_of(wanted.protocol)
    programs = programs_of(protocol, wanted.programs)
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
    return await add_stream(database, name, protocol=wanted.protocol, programs=programs, first_slot=first)


def protocol_of(name: str) -> Protocol:
    """Raises SettingsError for a protocol that is not registered, naming those that are."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        near = difflib.get_close_matches(name, PROTOCOLS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(PROTOCOLS))}"
        raise SettingsError(f"unknown protocol {name!r}; {hint}") from None


def programs_of(protocol: Protocol, addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses, or without any those where the protocol is deployed.

    Raises SettingsError for what is no address and for a program that the protocol does not know.
    """
    known = protocol.channels()
    for address in addresses:
        try:
            Pubkey.from_string(address)
        except ValueError:
            raise SettingsError(f"{address!r} is no address: give a program's, 32 bytes in base58") from None
        if address not in known:
            raise SettingsError(
                f"program {address} is none of protocol {protocol.name!r}, which knows {', '.join(sorted(known))}"
            )
    return tuple(addresses) or tuple(protocol.programs.values())


async def slot_of_now(indexer: IndexerSettings) -> int:
    """The cluster's newest slot. Raises RpcError where it does not answer soon, naming it and what to do."""
    limits = replace(indexer.rpc, attempts=1, deadline_s=min(PATIENCE_S, indexer.rpc.deadline_s))
    return await current_slot(replace(indexer, rpc=limits))
