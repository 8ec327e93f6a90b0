"""Our writer against the server's own COPY, into the same empty tables with all their indexes, in one run.

Two kinds of rows: Drift's OrderActionRecord as decoded events (a table of 40 columns and more), and canonical trades.
Ours takes decoded values through what commits the batches of a backfill: encoding, COPY from here, coverage, ledger and a
commit a batch. The other side is COPY FROM files that lie on the server already, one transaction, of exactly the
rows that ours wrote (those of the transactions and of the lookup of signatures too), text or binary, whichever is faster. Rounds
alternate; medians are compared. benchmarks/peers/database.py says which server.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import asyncpg
import base58
import psycopg
from psycopg import sql

from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.records import Trade
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.committing import Committer
from heliograph_indexer.event_layouts import event_layouts
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.model import Idl
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.settings import HealSettings
from heliograph_sql.batch import Batch, TransactionRow
from heliograph_sql.copy_encoder import HEADER, OPTIONS, TRAILER, encode
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventTables
from heliograph_sql.migrate import migrate
from heliograph_sql.plan import TablePlan
from heliograph_sql.rows import rows_by_table
from heliograph_sql.streams import add_stream
from heliograph_sql.table_making import make_tables
from heliograph_sql.writer import Writer

# The corpus is the decoder's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.decode import DRIFT, IDL_FILE, Corpus
from benchmarks.peers.database import database, server
from benchmarks.peers.server_copy import FORMS, ServerCopy

STREAM = "drift"
EVENT = "OrderActionRecord"
FIRST_SLOT = 400_000_000
GENESIS = 1_790_000_000
EVENTS_A_TRANSACTION = 2
TRANSACTIONS_A_SLOT = 25
SLOTS_A_SECOND = 4
ROWS = int(os.environ.get("HELIOGRAPH_BENCH_ROWS", "100000"))
ROUNDS = int(os.environ.get("HELIOGRAPH_BENCH_ROUNDS", "5"))
HEAL = HealSettings()


def main() -> int:
    if not IDL_FILE.is_file():
        print(
            f"write: no layout without {IDL_FILE.name} in ../shared/idl, beside the checkout", file=sys.stderr
        )
        return 1
    with server() as server_url, database(server_url, f"heliograph_bench_{os.getpid()}") as url:
        return asyncio.run(_compare(url))


async def _compare(url: str) -> int:
    tier = migrate(url).tier
    print(f"write: on {tier.label}", file=sys.stderr)
    corpus = EventCorpus(read_idl(IDL_FILE.read_bytes()))
    ratios: dict[str, float] = {}
    figures: dict[str, int] = {}
    async with await Database.open(url) as opened:
        await add_stream(opened, STREAM, protocol=STREAM, programs=(DRIFT,), first_slot=FIRST_SLOT)
        layouts = [layout for layout in event_layouts(DRIFT, corpus.idl) if layout.event == EVENT]
        tables = (await make_tables(opened, STREAM, layouts)).tables
        kinds: Mapping[str, Fill] = {"events": _event, "trades": _trade}
        for kind, fill in kinds.items():
            batches = list(_batches(corpus, fill))
            plans = {table.plan for batch in batches for table in rows_by_table(batch, tables)}
            with ServerCopy(url, list(plans)) as peer:
                contest = Contest(url, opened, batches, tables, peer)
                medians = {name: statistics.median(rates) for name, rates in (await contest.run()).items()}
                drivers = {
                    name: statistics.median(rates) for name, rates in (await contest.drivers()).items()
                }
            ratios[kind] = round(medians["ours"] / max(medians["copy_text"], medians["copy_binary"]), 2)
            figures |= {
                f"{kind}_{name}_rows_per_s": round(rate) for name, rate in (medians | drivers).items()
            }
            print(f"{kind}: ours is {ratios[kind]} of the server's own COPY, on {tier.label}")
    # The worse of both is what we promise.
    print(json.dumps({"bench": "write", "ratios": {"copy": min(ratios.values())}, "figures": figures}))
    return 0


class EventCorpus(Corpus):
    """The decoder's corpus, and what decodes it."""

    def __init__(self, idl: Idl) -> None:
        super().__init__(idl)
        self.decoder = Decoder(idl)


Fill = Callable[[EventCorpus, EventKey], Event | Trade]


def _batches(corpus: EventCorpus, fill: Fill) -> Iterator[Batch]:
    """ROWS rows, as history comes: whole slots, joined to batches, each with its transactions."""
    slot, made = FIRST_SLOT, 0
    while made < ROWS:
        slots: list[Slot] = []
        transactions: list[TransactionRow] = []
        rows: list[Event | Trade] = []
        first = slot
        while len(rows) + len(transactions) < HEAL.batch_rows:
            block_time = GENESIS + (slot - FIRST_SLOT) // SLOTS_A_SECOND
            here = []
            for tx_index in range(TRANSACTIONS_A_SLOT):
                signature = base58.b58encode(corpus.random.randbytes(64)).decode()
                payer = corpus.random.choice(corpus.wallets)
                here.append(
                    Transaction(signature, tx_index, None, None, None, fee=5000, fee_payer=payer, version="0")
                )
                keys = (
                    EventKey(block_time, slot, tx_index, n, signature) for n in range(EVENTS_A_TRANSACTION)
                )
                rows += [fill(corpus, key) for key in keys]
            transactions += [
                TransactionRow(transaction=one, slot=slot, block_time=block_time) for one in here
            ]
            slots.append(Slot(slot, block_time, tuple(here), blockhash=str(slot), parent=slot - 1))
            slot += 1
        made += len(rows)
        yield Batch(
            stream=STREAM,
            first=first,
            last=slot - 1,
            last_time=slots[-1].block_time,
            origin="backfill",
            final=True,
            slots=slots,
            transactions=transactions,
            events=[row for row in rows if isinstance(row, Event)],
            records=[row for row in rows if isinstance(row, Trade)],
        )


def _event(corpus: EventCorpus, key: EventKey) -> Event:
    payload = corpus.encoder.event(EVENT, corpus.value(corpus.events[EVENT].type))
    name, fields = corpus.decoder.event(payload)
    return Event(key, DRIFT, None, 1, Channel.DATA, name, fields)


def _trade(corpus: EventCorpus, key: EventKey) -> Trade:
    draw = corpus.random
    price, size = (
        Decimal(draw.randrange(10**5, 10**9)).scaleb(-6),
        Decimal(draw.randrange(10**6, 10**12)).scaleb(-9),
    )
    return Trade(
        stream=STREAM,
        block_time=key.block_time,
        slot=key.slot,
        tx_index=key.tx_index,
        ordinal=key.ordinal,
        part=0,
        signature=key.signature,
        program=DRIFT,
        market=corpus.wallets[draw.randrange(20)],
        trade_id=str(key.slot * 1000 + key.ordinal),
        taker=draw.choice(corpus.wallets),
        taker_side=draw.choice(("long", "short")),
        maker=draw.choice(corpus.wallets),
        price=price,
        size=size,
        quote=price * size,
        taker_fee=Decimal(draw.randrange(10**7)).scaleb(-6),
        maker_fee=-Decimal(draw.randrange(10**6)).scaleb(-6),
        taker_position_key=draw.choice(corpus.wallets),
        maker_position_key=draw.choice(corpus.wallets),
        taker_order_id=str(draw.randrange(10**6)),
        maker_order_id=str(draw.randrange(10**6)),
        liquidation=False,
    )


class Contest:
    """Rounds of one kind of rows. Every contestant begins with empty tables."""

    def __init__(
        self,
        url: str,
        database: Database,
        batches: Sequence[Batch],
        tables: EventTables,
        peer: ServerCopy,
    ) -> None:
        self._url = url
        self._database = database
        self._batches = batches
        self._tables = tables
        self._peer = peer
        self.rows = sum(len(batch.events) + len(batch.records) for batch in batches)

    async def run(self) -> dict[str, list[float]]:
        """Rows a second of every round, by contestant."""
        found: dict[str, list[float]] = {"ours": [], "copy_text": [], "copy_binary": []}
        for number in range(ROUNDS):
            found["ours"].append(await self._ours())
            if number == 0:
                self._peer.dump()
            for form in FORMS:
                self._peer.empty()
                found[f"copy_{form}"].append(self.rows / self._peer.copy(form))
            told = ", ".join(f"{name} {rates[-1]:,.0f}" for name, rates in found.items())
            print(f"round {number + 1}: {told} rows/s", file=sys.stderr)
        return found

    async def drivers(self) -> dict[str, list[float]]:
        """Bytes that are encoded already, sent by each driver into the widest of the tables."""
        plan = max(self._peer.plans, key=lambda plan: len(plan.columns))
        chunks = [HEADER]
        for batch in self._batches:
            (table,) = (table for table in rows_by_table(batch, self._tables) if table.plan == plan)
            chunks.append(encode(plan, table.rows, table.turn))
        chunks.append(TRAILER)
        found: dict[str, list[float]] = {"asyncpg": [], "psycopg": []}
        for _ in range(ROUNDS):
            found["asyncpg"].append(await self._by_asyncpg(plan, chunks))
            found["psycopg"].append(self._by_psycopg(plan, chunks))
        return found

    async def _ours(self) -> float:
        self._peer.empty()
        writer = Writer(self._database, STREAM, "bench", event_tables=self._tables)
        # As a backfill's pipeline does it.
        committer = Committer(
            self._database, writer, epoch=None, retry_s=1.0, retry_max_s=1.0, at_once=HEAL.commits_at_once
        )
        batches: asyncio.Queue[Batch | None] = asyncio.Queue()
        for batch in (*self._batches, None):
            batches.put_nowait(batch)
        start = time.perf_counter()
        await committer.run(batches)
        return self.rows / (time.perf_counter() - start)

    async def _by_asyncpg(self, plan: TablePlan, chunks: Sequence[bytes]) -> float:
        self._peer.empty()

        async def source() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        connection = await asyncpg.connect(self._url)
        try:
            start = time.perf_counter()
            await connection.copy_to_table(plan.name, schema_name=plan.schema, source=source(), **OPTIONS)
            return self.rows / (time.perf_counter() - start)
        finally:
            await connection.close()

    def _by_psycopg(self, plan: TablePlan, chunks: Sequence[bytes]) -> float:
        self._peer.empty()
        options = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.SQL(name), sql.Literal(value)) for name, value in OPTIONS.items()
        )
        target = sql.SQL("COPY {} FROM STDIN ({})").format(sql.Identifier(plan.schema, plan.name), options)
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            start = time.perf_counter()
            with cursor.copy(target) as copy:
                for chunk in chunks:
                    copy.write(chunk)
            connection.commit()
            return self.rows / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
