"""Real IDLs on a real runtime: programs at the protocols' addresses say encoded events, and typed tables hold just these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.endtoend.indexing import caught_up, indexing
from tests.peers.five_programs import Protocol, protocols
from tests.peers.stored_rows import as_stored, stored, tables_by_item
from tests.surfpool import surfnet
from tests.surfpool.conftest import Surfpool
from tests.surfpool.sbf_program import EVENT_AUTHORITY_SEED, Step, encode_step
from tests.surfpool.sender import Sender
from tests.surfpool.surfnet import Surfnet

from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.protocols import ANCHOR, protocol_of
from heliograph_indexer.settings import IndexerSettings
from heliograph_sql.database import Database

SEED = 7
MOST_PAYLOAD = 700
"""Bytes of an event: a transaction has 1,232."""
MOST_EVENTS = 12
"""Of one protocol, so that the runtime's slots are not what the test waits for."""
FIVE = {each.stream: each for each in protocols()}


@pytest.fixture(scope="module")
def five_programs(surfpool: Surfpool) -> Iterator[Surfnet]:
    """A runtime on which our program stands at the addresses of all five protocols."""
    [file] = set(surfpool.programs.values())
    with surfnet.start(surfpool.installed, {each.program: file for each in FIVE.values()}) as running:
        yield running


def instruction(protocol: Protocol, event: str, fields: dict[str, Any], *, cpi: bool) -> Instruction:
    """The program emits the event, by `Program data:` or by a self-CPI."""
    program = Pubkey.from_string(protocol.program)
    authority, bump = Pubkey.find_program_address([EVENT_AUTHORITY_SEED], program)
    metas = [AccountMeta(key, is_signer=False, is_writable=False) for key in (authority, program)]
    payload = protocol.encoder.event(event, fields)
    step = (
        encode_step(Step.EVENT, bytes((0, bump)) + EVENT_TAG + payload)
        if cpi
        else encode_step(Step.EMIT, payload)
    )
    return Instruction(program, step, metas)


def chosen(protocol: Protocol) -> Sequence[tuple[str, dict[str, Any]]]:
    """Events of the IDL that fit into a transaction."""
    fitting = [
        (event, fields)
        for event, fields in protocol.said(SEED)
        if len(protocol.encoder.event(event, fields)) <= MOST_PAYLOAD
    ]
    return fitting[:MOST_EVENTS]


@pytest.mark.skipif(not FIVE, reason="the real IDLs of ../shared are absent")
async def test_what_real_programs_say_ends_in_their_tables(
    five_programs: Surfnet, database: Database
) -> None:
    print("seed", SEED)
    said: dict[str, dict[str, tuple[str, dict[str, Any], bool]]] = {}
    async with httpx2.AsyncClient(trust_env=False) as client:
        sender = Sender(five_programs.rpc_url, five_programs.payer, client, five_programs.numbers)
        first = await sender.call("getSlot", {"commitment": "confirmed"})
        for name, protocol in FIVE.items():
            said[name] = {}
            for number, (event, fields) in enumerate(chosen(protocol)):
                cpi = number % 2 == 1
                signature = await sender.send(instruction(protocol, event, fields, cpi=cpi))
                said[name][signature] = event, fields, cpi
        sent = [signature for each in said.values() for signature in each]
        slots = await sender.confirm(*sent)
    settings = IndexerSettings(
        rpc_url=five_programs.front_url, ws_url=five_programs.ws_url, wake_on_slot=True, accounts=False
    )
    for name, protocol in FIVE.items():
        stream, _ = await add_new_stream(
            database,
            name,
            protocol=ANCHOR,
            programs=[protocol.program],
            documents={protocol.program: protocol.document},
            first_slot=first,
        )
        async with indexing(database, stream, protocol_of(stream), settings):
            await caught_up(database, stream, max(slots))
        places = await tables_by_item(database, name)
        found = {
            row["signature"]: (item, row)
            for (kind, _, item), table in places.items()
            if kind == "event"
            for row in await stored(database, name, table, "slot")
        }
        assert found.keys() == said[name].keys()
        for signature, (event, fields, _) in said[name].items():
            item, row = found[signature]
            assert item == event
            assert row["fields"] == as_stored(fields, places["event", protocol.program, event])
            assert row["program"] == protocol.program
    async with database.acquire() as connection:
        assert await connection.fetch("SELECT * FROM heliograph.undecoded") == []
