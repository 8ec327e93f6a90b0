"""A program of any IDL for tests of the API: its events are written by the writer that indexers use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_graphql.executor import Executor, Request
from heliograph_sql.batch import Batch, Origin, TransactionRow
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout, EventTables
from heliograph_sql.streams import add_stream
from heliograph_sql.table_making import make_tables
from heliograph_sql.writer import Writer

GENESIS = 1_790_000_000
PROGRAM = "Prog"


def layout(event: str, *fields: tuple[str, str], **more: Any) -> EventLayout:
    return EventLayout(more.pop("program", PROGRAM), more.pop("idl", "dex"), event, fields, **more)


class EventProgram:
    """One stream from slot 100. Four slots share a second."""

    def __init__(self, database: Database, stream: str) -> None:
        self.database, self.stream = database, stream
        self.tables = EventTables()

    async def create(self, *layouts: EventLayout) -> None:
        await add_stream(self.database, self.stream, protocol="anchor", programs=[PROGRAM], first_slot=100)
        await self.learn(*layouts)

    async def learn(self, *layouts: EventLayout) -> None:
        """Tables for all these, as an indexer makes them."""
        self.tables = (await make_tables(self.database, self.stream, layouts)).tables

    def batch(self, slot: int, said: Sequence[tuple[str, dict[str, Any]]], origin: Origin = "live") -> Batch:
        """said: (event, fields), each in a transaction of its own."""
        time = GENESIS + slot // 4
        events = [
            Event(
                EventKey(time, slot, index, index + 1, f"sig-{slot}-{index}"),
                PROGRAM,
                "Caller" if index % 2 else None,
                1,
                Channel.DATA,
                name,
                fields,
            )
            for index, (name, fields) in enumerate(said)
        ]
        transactions = tuple(
            Transaction(event.key.signature, event.key.tx_index, None, (), ()) for event in events
        )
        return Batch(
            stream=self.stream,
            first=slot,
            last=slot,
            last_time=time,
            origin=origin,
            slots=(Slot(slot, time, transactions),),
            transactions=[
                TransactionRow(transaction=each, slot=slot, block_time=time) for each in transactions
            ],
            events=events,
        )

    @property
    def writer(self) -> Writer:
        return Writer(self.database, self.stream, "test", event_tables=self.tables)

    async def say(self, slot: int, *said: tuple[str, dict[str, Any]], origin: Origin = "live") -> int:
        return await self.writer.commit(self.batch(slot, said, origin), epoch=None)

    async def say_instead(self, slot: int, *said: tuple[str, dict[str, Any]]) -> int:
        """A correction."""
        return await self.writer.rewrite_slots([slot], self.batch(slot, said), epoch=None)


async def ask(executor: Executor, text: str, **variables: Any) -> Any:
    """The answer's data; AssertionError where it has errors."""
    body = json.loads((await executor.execute(Request(text, None, variables))).body)
    assert "errors" not in body, body
    return body["data"]


async def refused(executor: Executor, text: str, **variables: Any) -> Any:
    """The only error."""
    answer = await executor.execute(Request(text, None, variables))
    (error,) = json.loads(answer.body)["errors"]
    assert 400 <= answer.status < 500, answer
    return error
