"""Writes commits of trades at a steady pace and tells when each was committed; a process of its own.

Arguments: database URL, commits, milliseconds between them. On stdout one JSON line a commit: slot, the monotonic clock
(seconds, the same for every process of a machine) when its transaction had returned, and each trade's key and who is in it.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from decimal import Decimal

import base58

from heliograph_core.records import Trade
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_sql.batch import Batch, TransactionRow
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventTables
from heliograph_sql.writer import Writer

STREAM = "fanout"
PROGRAM = "11111111111111111111111111111111"
FIRST_SLOT = 1_000
GENESIS = 1_790_000_000
SLOTS_A_SECOND = 4
TRADES = 160
"""Trades a slot."""


def names(kind: str, count: int) -> list[str]:
    """Made-up addresses, the same in every process."""
    draw = random.Random(kind)
    return [base58.b58encode(draw.randbytes(32)).decode() for _ in range(count)]


WALLETS = names("wallet", 480)
MARKETS = names("market", 20)


def batch(slot: int, draw: random.Random) -> Batch:
    """One slot of trades, a transaction each, between wallets drawn at random."""
    block_time = GENESIS + (slot - FIRST_SLOT) // SLOTS_A_SECOND
    signatures = [base58.b58encode(draw.randbytes(64)).decode() for _ in range(TRADES)]
    transactions = [
        Transaction(signature, index, None, None, None, fee=5000, fee_payer=WALLETS[0], version="0")
        for index, signature in enumerate(signatures)
    ]
    trades = []
    for index, signature in enumerate(signatures):
        price, size = Decimal(draw.randrange(10**8)).scaleb(-6), Decimal(draw.randrange(1, 10**10)).scaleb(-9)
        trades.append(
            Trade(
                stream=STREAM,
                block_time=block_time,
                slot=slot,
                tx_index=index,
                ordinal=0,
                part=0,
                signature=signature,
                program=PROGRAM,
                market=draw.choice(MARKETS),
                trade_id=f"{slot}-{index}",
                taker=draw.choice(WALLETS),
                taker_side=draw.choice(("long", "short")),
                maker=draw.choice(WALLETS),
                price=price,
                size=size,
                quote=price * size,
                taker_fee=Decimal("0.01"),
                maker_fee=Decimal("-0.002"),
                taker_position_key=None,
                maker_position_key=None,
                taker_order_id=None,
                maker_order_id=None,
                liquidation=False,
            )
        )
    return Batch(
        stream=STREAM,
        first=slot,
        last=slot,
        last_time=block_time,
        origin="live",
        final=False,
        slots=[Slot(slot, block_time, tuple(transactions), blockhash=str(slot), parent=slot - 1)],
        transactions=[
            TransactionRow(transaction=one, slot=slot, block_time=block_time) for one in transactions
        ],
        records=trades,
    )


async def write(url: str, commits: int, pace_s: float) -> None:
    draw = random.Random(20261129)
    told = []
    async with await Database.open(url) as database:
        writer = Writer(database, STREAM, "bench", event_tables=EventTables(()))
        start = time.monotonic()
        for number in range(commits):
            made = batch(FIRST_SLOT + number, draw)
            await asyncio.sleep(max(0.0, start + number * pace_s - time.monotonic()))
            await writer.commit(await writer.prepare(made), epoch=None)
            at = time.monotonic()
            trades = [(t.tx_index, t.market, t.taker, t.maker) for t in made.records if isinstance(t, Trade)]
            told.append({"slot": FIRST_SLOT + number, "at": at, "trades": trades})
    for each in told:
        print(json.dumps(each))


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) / 1000))
