"""What the tests of the database write: one stream, slots and records made from a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.peers.server import EMBEDDED, TIMESCALE

from heliograph_core.records import Balance, Market, PositionChange, Record, State, Trade, Transfer
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_sql.batch import Batch, TransactionRow
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream
from heliograph_sql.writer import Writer

GENESIS = 1_700_000_000


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever needs a database is tested on the embedded server and on a TimescaleDB."""
    chosen = any(mark.args[0] == "server" for mark in metafunc.definition.iter_markers("parametrize"))
    if "server" in metafunc.fixturenames and not chosen:
        metafunc.parametrize("server", [EMBEDDED, TIMESCALE], indirect=True)


class Make:
    """Rows of stream `s`. Slot n has block time GENESIS + n // 4, as four slots share a second."""

    stream = "s"

    def time(self, slot: int) -> int:
        return GENESIS + slot // 4

    def key(self, slot: int, tx_index: int = 0, ordinal: int = 0) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "block_time": self.time(slot),
            "slot": slot,
            "tx_index": tx_index,
            "ordinal": ordinal,
            "part": 0,
            "signature": f"sig{slot}-{tx_index}",
            "program": "Program",
        }

    def trade(self, slot: int, tx_index: int = 0, ordinal: int = 0, **other: Any) -> Trade:
        values: dict[str, Any] = {
            "market": "Market",
            "trade_id": f"{slot}/{tx_index}/{ordinal}",
            "taker": "Taker",
            "taker_side": "long",
            "maker": None,
            "price": Decimal("10.5"),
            "size": Decimal(2),
            "quote": Decimal(21),
            "taker_fee": Decimal("0.01"),
            "maker_fee": Decimal("-0.005"),
            "taker_position_key": None,
            "maker_position_key": None,
            "taker_order_id": None,
            "maker_order_id": None,
            "liquidation": False,
        }
        return Trade(**{**self.key(slot, tx_index, ordinal), **values, **other})

    def change(
        self, slot: int, kind: str = "open", size: int = 1, key: str = "P", **other: Any
    ) -> PositionChange:
        values: dict[str, Any] = {
            "market": "Market",
            "wallet": "Wallet",
            "position_key": key,
            "kind": kind,
            "side": "long",
            "size_delta": Decimal(size),
            "size_after": Decimal(size),
            "price": Decimal(10),
            "entry_price_after": Decimal(10),
            "collateral_delta": Decimal(1),
            "collateral_after": Decimal(5),
            "realized_pnl": Decimal(0),
            "fee": Decimal("0.1"),
            "funding": Decimal(0),
            "liquidation_price_after": None,
            "trade_id": None,
        }
        place = {name: other.pop(name) for name in ("tx_index", "ordinal") if name in other}
        return PositionChange(**{**self.key(slot, **place), **values, **other})

    def transfer(self, slot: int, free: int, wallet: str = "Wallet") -> Transfer:
        return Transfer(
            **self.key(slot, ordinal=7),
            wallet=wallet,
            asset="USDC",
            kind="deposit",
            amount=Decimal(1),
            free_delta=Decimal(1),
            locked_delta=Decimal(0),
            free_after=Decimal(free),
            locked_after=Decimal(0),
            position_key=None,
        )

    def balance(self, slot: int, free: int, wallet: str = "Wallet") -> Balance:
        return Balance(
            stream=self.stream,
            wallet=wallet,
            asset="USDC",
            free=Decimal(free),
            locked=Decimal(0),
            updated_at=self.time(slot),
            updated_slot=slot,
            updated_tx_index=0,
            updated_ordinal=7,
        )

    def market(self, slot: int, **other: Any) -> Market:
        values: dict[str, Any] = {
            "stream": self.stream,
            "market": "Market",
            "program": "Program",
            "symbol": "SOL-PERP",
            "base_asset": "SOL",
            "quote_asset": "USDC",
            "oracle": None,
            "tick_size": Decimal("0.01"),
            "lot_size": None,
            "initial_margin_ratio": None,
            "maintenance_margin_ratio": None,
            "taker_fee_rate": None,
            "maker_fee_rate": None,
            "funding_interval_seconds": 3600,
            "created_slot": slot,
            "created_at": self.time(slot),
        }
        return Market(**{**values, **other})

    def batch(
        self,
        first: int,
        last: int | None = None,
        records: Sequence[Record] = (),
        states: Sequence[State] = (),
        **other: Any,
    ) -> Batch:
        """A batch whose slots and transactions are those that its records name."""
        last = first if last is None else last
        places = sorted({(record.slot, record.tx_index) for record in records})
        rows = [
            TransactionRow(
                transaction=Transaction(
                    signature=f"sig{slot}-{tx_index}",
                    tx_index=tx_index,
                    err=None,
                    logs=None,
                    instructions=None,
                ),
                slot=slot,
                block_time=self.time(slot),
            )
            for slot, tx_index in places
        ]
        slots = [
            Slot(
                number=slot,
                block_time=self.time(slot),
                transactions=tuple(row.transaction for row in rows if row.slot == slot),
                blockhash=f"hash{slot}",
                parent=slot - 1,
            )
            for slot in sorted({slot for slot, _ in places})
        ]
        values: dict[str, Any] = {"last_time": self.time(last), "slots": slots, "transactions": rows}
        return Batch(
            stream=self.stream,
            first=first,
            last=last,
            records=list(records),
            states=list(states),
            **{**values, **other},
        )


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
async def stream(database: Database) -> StreamRow:
    """Stream `s`, from slot 0."""
    return await add_stream(database, "s", protocol="godark", programs=["Program"], first_slot=0)


@pytest.fixture
def writer(database: Database, stream: StreamRow) -> Writer:
    return Writer(database, stream.name, "holder-1")


@pytest.fixture
def fetch(database: Database) -> Callable[..., Any]:
    """fetch(sql, *args) -> rows as tuples."""

    async def fetch(statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        async with database.acquire() as connection:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]

    return fetch
