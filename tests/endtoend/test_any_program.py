"""Real programs without a line of code for them: what their transactions say ends in typed tables, equal to what was encoded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from tests.endtoend.indexing import caught_up, indexing
from tests.graphql.event_program import ask
from tests.peers.five_programs import Protocol, protocols
from tests.peers.made_values import MadeValues
from tests.peers.server import ON_BOTH
from tests.peers.shown_events import expected, first_difference, read_events
from tests.peers.stored_rows import as_stored, stored, tables_by_item

from heliograph_graphql.executor import Executor
from heliograph_graphql.settings import ApiSettings
from heliograph_indexer.idl.model import Pubkey
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.protocols import ANCHOR, protocol_of
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.chain import Chain
from heliograph_localnet.node import Node
from heliograph_localnet.scripted import Said, ScriptedProgram
from heliograph_sql.database import Database

SEED = 20_261_122
PAYER = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
MOST_LINE_BYTES = 2_000
"""What would be cut by the log limit is said by self-CPI."""
FIVE = {each.stream: each for each in protocols()}
needs_idls = pytest.mark.skipif(not FIVE, reason="the real IDLs of ../shared are absent")


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    running = Node(
        Chain(seed=SEED, genesis_time=1_790_000_000, slot_ms=250, first_slot=1_000, finalized_lag=4)
    )
    await running.start()
    yield running
    await running.stop()


@needs_idls
@ON_BOTH
@pytest.mark.parametrize("name", FIVE)
async def test_what_a_program_says_and_holds_ends_in_its_tables(
    name: str, database: Database, node: Node
) -> None:
    print("seed", SEED)
    protocol = FIVE[name]
    program = ScriptedProgram(protocol.document, protocol.program)
    stream, _ = await add_new_stream(
        database,
        name,
        protocol=ANCHOR,
        programs=[program.address],
        documents={program.address: protocol.document},
        first_slot=1_000,
        instructions=True,
    )
    story = Story(protocol, program, node.chain)
    story.tell()
    through = node.chain.open_slot - 2
    settings = IndexerSettings(rpc_url=node.rpc_url, ws_url=node.ws_url, reconcile_interval_s=0.5)
    async with indexing(database, stream, protocol_of(stream), settings):
        await caught_up(database, stream, through, accounts=True)
        before = await read(database, name, "account")
        story.close_accounts()
        await caught_up(database, stream, node.chain.open_slot - 2, accounts=True)
        after = await read(database, name, "account")

    places = await tables_by_item(database, name)
    said = {(row["signature"], item): row for item, row in await read(database, name, "event")}
    assert len(said) == len(story.said)
    for (signature, event), (fields, caller) in story.said.items():
        row = said[signature, event]
        assert row["fields"] == as_stored(fields, places["event", program.address, event])
        assert (row["caller"], row["program"]) == (caller, program.address)
    executor = Executor(database, ApiSettings())
    assert await executor.editions.refresh()
    shown = await read_events(ask, executor, name)
    assert shown.keys() == story.said.keys()
    for (signature, event), (fields, _) in story.said.items():
        wanted = expected(fields, places["event", program.address, event])
        of_list, of_type = shown[signature, event]
        assert first_difference(of_list, wanted, event) is None
        assert first_difference(of_type, wanted, event) is None
    asked = {row["signature"]: (item, row) for item, row in await read(database, name, "instruction")}
    assert len(asked) == len(story.asked)
    for signature, (instruction, fields, failed) in story.asked.items():
        item, row = asked[signature]
        assert item == instruction
        assert row["fields"] == as_stored(fields, places["instruction", program.address, item])
        assert (row["failed"], row["error"]) == (failed is not None, failed)
    held = {row["address"]: (item, row) for item, row in before}
    assert held.keys() == story.held.keys()
    for address, (account, fields) in story.held.items():
        item, row = held[address]
        assert item == account
        assert row["fields"] == as_stored(fields, places["account", program.address, item])
    assert [row["address"] for _, row in after] == [list(story.held)[-1]]
    async with database.acquire() as connection:
        assert await connection.fetch("SELECT * FROM heliograph.undecoded") == []
        closed = await connection.fetch(
            f'SELECT DISTINCT address FROM "{name}".account_history WHERE lamports = 0 AND name IS NULL'
        )
    assert {row["address"] for row in closed} == set(list(story.held)[:-1])


async def read(database: Database, stream: str, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """(item, row) of every table of that kind."""
    places = await tables_by_item(database, stream)
    return [
        (item, row)
        for (of, _, item), table in places.items()
        if of == kind
        for row in await stored(database, stream, table, "slot")
    ]


class Story:
    """What happens on the chain. said: (signature, event) to fields and caller; asked: signature to instruction, fields
    and the name of the error; held: address to account type and fields.
    """

    def __init__(self, protocol: Protocol, program: ScriptedProgram, chain: Chain) -> None:
        self._protocol, self._program, self._chain = protocol, program, chain
        self._values = MadeValues(protocol.encoder.idl, Random(f"{protocol.stream} {SEED}"))
        self.said: dict[tuple[str, str], tuple[dict[str, Any], str | None]] = {}
        self.asked: dict[str, tuple[str, dict[str, Any], str | None]] = {}
        self.held: dict[str, tuple[str, dict[str, Any]]] = {}

    def tell(self) -> None:
        router = self._values.of(Pubkey())
        for number, (event, fields) in enumerate(self._protocol.said(SEED)):
            size = len(self._protocol.encoder.event(event, fields))
            manner = "cpi" if number % 2 or size > MOST_LINE_BYTES else "data"
            caller = router if number % 3 == 0 else None
            said = Said(event, fields, manner)  # type: ignore[arg-type]
            signature = self._chain.submit(self._program.draft(PAYER, [said], caller=caller))
            self.said[signature, event] = fields, caller
            self._produce(number)
        self._ask()
        self._hold()
        for _ in range(8):
            self._chain.produce()

    def _ask(self) -> None:
        idl = self._protocol.encoder.idl
        for number, instruction in enumerate(idl.instructions):
            args = self._values.struct(instruction.args)
            accounts = [self._values.of(Pubkey()) for _ in instruction.accounts]
            error = idl.errors[number % len(idl.errors)].name if number % 4 == 0 and idl.errors else None
            draft = self._program.draft(
                PAYER, instruction=instruction.name, args=args, accounts=accounts, error=error
            )
            named = {
                f"account:{meta.name}": key for meta, key in zip(instruction.accounts, accounts, strict=True)
            }
            self.asked[self._chain.submit(draft)] = instruction.name, {**args, **named}, error
            self._produce(number)

    def _hold(self) -> None:
        writes = {}
        for account in self._protocol.encoder.idl.accounts:
            address, fields = self._values.of(Pubkey()), self._values.struct(account.type)
            writes[address] = self._program.account(account.name, fields, padding=9)
            self.held[address] = account.name, fields
        self._chain.submit(self._program.draft(PAYER, writes=writes))

    def close_accounts(self) -> None:
        """All but the last."""
        self._chain.submit(self._program.draft(PAYER, writes=dict.fromkeys(list(self.held)[:-1])))
        for _ in range(4):
            self._chain.produce()

    def _produce(self, number: int) -> None:
        """Several in a block, and a block skipped now and then."""
        if number % 3 == 2:
            self._chain.produce(skip=number % 5 == 0)
