"""Fixtures of the API's tests: a ledger that commits rows as an indexer does, and a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import uvicorn

from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.connections import Connections
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database

GENESIS = datetime(2026, 11, 21, tzinfo=UTC)
Rows = Mapping[str, Sequence[Mapping[str, Any]]]

_EVENT = {"tx_index": 0, "ordinal": 0, "part": 0, "program": "Prog"}
DEFAULTS: dict[str, dict[str, Any]] = {
    "perps.trades": _EVENT
    | {
        "market": "SolMarket",
        "trade_id": "1",
        "taker": "alice",
        "taker_side": "long",
        "maker": "bob",
        "price": Decimal("150.25"),
        "size": Decimal(2),
        "quote": Decimal("300.5"),
        "taker_fee": Decimal("0.3"),
        "maker_fee": Decimal("-0.1"),
        "liquidation": False,
    },
    "perps.position_changes": _EVENT
    | {
        "market": "SolMarket",
        "wallet": "alice",
        "position_key": "alice-sol",
        "kind": "open",
        "side": "long",
        "size_delta": Decimal(2),
        "realized_pnl": Decimal(0),
        "fee": Decimal("0.3"),
        "funding": Decimal(0),
    },
    "perps.funding_rates": _EVENT
    | {
        "market": "SolMarket",
        "rate": Decimal("0.0000125"),
        "interval_seconds": 3600,
        "interval_rate": Decimal("0.0000125"),
    },
    "perps.funding_payments": _EVENT
    | {
        "market": "SolMarket",
        "wallet": "alice",
        "position_key": "alice-sol",
        "side": "long",
        "size": Decimal(2),
        "rate": Decimal("0.0000125"),
        "interval_seconds": 3600,
        "amount": Decimal("-0.00375"),
    },
    "perps.liquidations": _EVENT
    | {
        "market": "SolMarket",
        "liquidation_id": "1",
        "wallet": "alice",
        "position_key": "alice-sol",
        "side": "long",
        "size": Decimal(1),
        "price": Decimal(120),
        "quote": Decimal(120),
        "fee": Decimal("1.2"),
        "bad_debt": Decimal(0),
    },
    "perps.oracle_prices": _EVENT
    | {"market": "SolMarket", "source": "pyth", "price": Decimal(150), "publish_time": GENESIS},
    "perps.transfers": _EVENT
    | {
        "wallet": "alice",
        "asset": "USDC",
        "kind": "deposit",
        "amount": Decimal(1000),
        "free_delta": Decimal(1000),
        "locked_delta": Decimal(0),
    },
    "heliograph.transactions": {"tx_index": 0, "truncated": False},
    "perps.markets": {
        "market": "SolMarket",
        "program": "Prog",
        "symbol": "SOL-PERP",
        "base_asset": "SOL",
        "quote_asset": "USDC",
        "created_slot": 100,
        "created_at": GENESIS,
    },
    "perps.positions": {
        "position_key": "alice-sol",
        "opened_slot": 100,
        "opened_tx_index": 0,
        "opened_ordinal": 0,
        "lifecycle": 1,
        "program": "Prog",
        "market": "SolMarket",
        "wallet": "alice",
        "side": "long",
        "status": "open",
        "realized_pnl": Decimal(0),
        "fees": Decimal(0),
        "funding": Decimal(0),
        "changes": 1,
        "opened_at": GENESIS,
        "updated_at": GENESIS,
        "updated_slot": 100,
        "updated_tx_index": 0,
        "updated_ordinal": 0,
        "complete": True,
        "settled": True,
    },
    "perps.balances": {
        "wallet": "alice",
        "asset": "USDC",
        "free": Decimal(1000),
        "locked": Decimal(0),
        "updated_at": GENESIS,
        "updated_slot": 100,
        "updated_tx_index": 0,
        "updated_ordinal": 0,
    },
}
EVENT_TABLES = tuple(name for name, row in DEFAULTS.items() if "ordinal" in row)


def time_of(slot: int) -> datetime:
    """Four slots share a second, as on the chain."""
    return GENESIS + timedelta(seconds=slot // 4)


class Ledger:
    """Commits rows as an indexer does: rows, slots, coverage, log and notification in one transaction."""

    def __init__(self, database: Database, stream: str = "godark") -> None:
        self.database = database
        self.stream = stream

    async def create(self, first_slot: int = 100) -> None:
        async with self.database.acquire() as connection:
            await connection.execute(
                "INSERT INTO heliograph.streams (name, protocol, programs, first_slot) VALUES ($1, 'godark', '{Prog}', $2)",
                self.stream,
                first_slot,
            )
            await connection.execute("INSERT INTO heliograph.coverage (stream) VALUES ($1)", self.stream)

    async def put(self, table: str, **values: Any) -> None:
        """One row outside of any commit, as states are."""
        async with self.database.acquire() as connection:
            await self._insert(connection, table, {"stream": self.stream, **values})

    async def commit(
        self,
        slots: Mapping[int, Rows],
        *,
        kind: str = "apply",
        origin: str = "live",
        span: tuple[int, int] | None = None,
        notify: bool = True,
    ) -> int:
        """Writes slots whole, replacing what they held. Each row's own signature is made where it has none."""
        first, last = span or (min(slots), max(slots))
        rows = 0
        async with self.database.acquire() as connection, connection.transaction():
            seq: int = await connection.fetchval(
                "UPDATE heliograph.streams SET seq = seq + 1, head_slot = greatest(head_slot, $2),"
                " head_time = greatest(head_time, $3) WHERE name = $1 RETURNING seq",
                self.stream,
                last,
                time_of(last),
            )
            for slot, tables in slots.items():
                rows += await self._write_slot(connection, slot, seq, tables)
            await connection.execute(
                "UPDATE heliograph.coverage SET slots = slots + int8multirange(int8range($2, $3, '[]')) WHERE stream = $1",
                self.stream,
                first,
                last,
            )
            held = [slot for slot, tables in slots.items() if any(tables.values())]
            await connection.execute(
                "INSERT INTO heliograph.commits VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                self.stream,
                seq,
                kind,
                origin,
                first,
                last,
                time_of(min(held)) if held else None,
                time_of(max(held)) if held else None,
                rows,
            )
            if notify:
                await connection.execute("SELECT pg_notify('heliograph', $1)", f"{self.stream} {seq}")
        return seq

    async def trades(self, *slots: int, **options: Any) -> int:
        """One commit of one trade a slot, whose id is the slot's number."""
        return await self.commit(
            {slot: {"perps.trades": [{"trade_id": str(slot)}]} for slot in slots}, **options
        )

    async def _write_slot(self, connection: Any, slot: int, seq: int, tables: Rows) -> int:
        for table in (*EVENT_TABLES, "heliograph.transactions", "heliograph.signatures"):
            await connection.execute(
                f"DELETE FROM {table} WHERE stream = $1 AND slot = $2", self.stream, slot
            )
        await connection.execute(
            "INSERT INTO heliograph.slots (stream, slot, block_time, seq) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (stream, slot) DO UPDATE SET seq = excluded.seq",
            self.stream,
            slot,
            time_of(slot),
            seq,
        )
        count = 0
        signatures: dict[int, str] = {}
        for table, rows in tables.items():
            for number, row in enumerate(rows):
                tx_index = row.get("tx_index", 0)
                signature = row.get("signature", f"sig-{slot}-{tx_index}")
                signatures[tx_index] = signature
                place = {
                    "stream": self.stream,
                    "slot": slot,
                    "block_time": time_of(slot),
                    "signature": signature,
                }
                if table != "heliograph.transactions":
                    place["ordinal"] = number
                await self._insert(connection, table, place | dict(row))
                count += 1
        for tx_index, signature in signatures.items():
            await connection.execute(
                "INSERT INTO heliograph.signatures VALUES ($1, $2, $3, $4, $5)",
                signature,
                self.stream,
                time_of(slot),
                slot,
                tx_index,
            )
        return count

    @staticmethod
    async def _insert(connection: Any, table: str, values: Mapping[str, Any]) -> None:
        row = DEFAULTS[table] | dict(values)
        columns = ", ".join(row)
        places = ", ".join(f"${index}" for index in range(1, len(row) + 1))
        await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *row.values())


@pytest.fixture
async def ledger(database: Database) -> Ledger:
    """A stream `godark` from slot 100, empty."""
    ledger = Ledger(database)
    await ledger.create()
    return ledger


class Server:
    """A uvicorn server on a free port."""

    def __init__(self, database: Database, settings: ApiSettings) -> None:
        self.connections = Connections(settings.gateway)
        self._app = create_app(database, settings)
        config = uvicorn.Config(
            self._app,
            port=0,
            log_level="warning",
            timeout_graceful_shutdown=5,
            http=self.connections.protocol,
        )
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.005)
            if self._task.done():
                await self._task

    async def stop(self) -> None:
        """As the command does it: live clients first, which would be waited for."""
        self._app.state.drain()
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    @property
    def port(self) -> int:
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"


class Servers:
    """Starts servers and stops them all at the end of the test."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._running: list[Server] = []

    async def start(self, **settings: Any) -> Server:
        server = Server(self.database, ApiSettings(**{"poll_interval_s": 0.2, **settings}))
        await server.start()
        self._running.append(server)
        return server

    async def stop(self) -> None:
        for server in self._running:
            await server.stop()


@pytest.fixture
async def servers(database: Database) -> AsyncIterator[Servers]:
    servers = Servers(database)
    yield servers
    await servers.stop()
