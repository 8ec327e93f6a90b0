"""Adds a stream: what it indexes, its programs' IDLs, and the tables that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heliograph_core.errors import IdlError
from heliograph_indexer.decode import Layouts
from heliograph_indexer.event_layouts import layouts_of
from heliograph_indexer.event_store import open_event_tables, open_layouts
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.protocols import protocol_of
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventTables
from heliograph_sql.idls import add_idl
from heliograph_sql.streams import StreamRow, add_stream


async def add_new_stream(
    database: Database,
    name: str,
    *,
    protocol: str,
    programs: Sequence[str],
    documents: Mapping[str, bytes],
    first_slot: int,
    log_events: bool = False,
    instructions: bool = False,
) -> tuple[StreamRow, EventTables]:
    """documents: IDLs by program address, in force from slot 0; programs of a known protocol may go without.

    Adding it again changes nothing, and finishes what was broken off. Raises SettingsError for a name or a stream that
    is another one, IdlError for an IDL that cannot be read or that gives no tables, before anything is stored.
    """
    decoders = {}
    for program, document in documents.items():
        try:
            decoders[program] = Decoder(read_idl(document))
        except IdlError as error:
            raise IdlError(f"the IDL of {program} is at fault: {error}") from error
    layouts_of(Layouts({}, decoders, instructions=instructions))
    stream = await add_stream(
        database,
        name,
        protocol=protocol,
        programs=programs,
        first_slot=first_slot,
        log_events=log_events,
        instructions=instructions,
    )
    for program, document in documents.items():
        await add_idl(database, name, program, 0, document)
    layouts = await open_layouts(database, name, protocol_of(stream))
    return stream, await open_event_tables(database, name, layouts)
