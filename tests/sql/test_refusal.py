"""A row that the database cannot hold stops nothing: it is set aside with the reason, the others are written."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

from heliograph_core.event import Channel, EventKey, RawEvent, Undecoded
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_sql.batch import TransactionRow
from heliograph_sql.lease import Lease
from heliograph_sql.writer import Writer

LONG = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(250))
"""Longer than an index entry may be, and not to be compressed."""
UNDECODED = "SELECT ordinal, channel, reason FROM heliograph.undecoded ORDER BY slot, ordinal"


async def test_what_is_refused_goes_to_undecoded_and_the_rest_is_written(
    writer: Writer, make: Any, fetch: Any
) -> None:
    good = [make.trade(1, ordinal=ordinal) for ordinal in range(100)]
    bad = [
        make.trade(1, ordinal=200, taker_side="up"),
        make.trade(1, ordinal=201, price=None),
        make.trade(1, ordinal=202, quote=Decimal("NaN")),
        make.trade(1, ordinal=203, market=LONG),
    ]
    mixed = [*good[:50], *bad, *good[50:]]
    assert await writer.commit(make.batch(1, 1, mixed), epoch=None) == 1
    assert await fetch("SELECT count(*), max(ordinal) FROM perps.trades") == [(100, 99)]
    rows = await fetch(UNDECODED)
    assert [(ordinal, channel) for ordinal, channel, _ in rows] == [
        (n, "record") for n in (200, 201, 202, 203)
    ]
    reasons = [reason for _, _, reason in rows]
    assert "trades_taker_side_check" in reasons[0]
    assert reasons[1] == "perps.trades: price is missing"
    assert "NaN is no number" in reasons[2]
    assert "index row" in reasons[3]
    [(data,)] = await fetch("SELECT data FROM heliograph.undecoded WHERE ordinal = 200")
    assert msgspec.json.decode(data)["taker_side"] == "up"
    assert await fetch("SELECT row_count FROM heliograph.commits") == [(105,)]


async def test_the_raw_event_is_kept_where_the_caller_has_it(writer: Writer, make: Any, fetch: Any) -> None:
    raw = RawEvent(program="Program", caller=None, depth=1, channel=Channel.CPI, ordinal=3, data=b"\1\2\0")
    batch = make.batch(1, 1, [make.trade(1, ordinal=3, taker_side="up")], originals={(1, 0, 3): raw})
    await writer.commit(batch, epoch=None)
    assert await fetch("SELECT ordinal, channel, data FROM heliograph.undecoded") == [(3, "cpi", b"\1\2\0")]


async def test_nul_is_stored_as_its_symbol_with_the_bytes_beside_it(
    writer: Writer, make: Any, fetch: Any
) -> None:
    raw = RawEvent(program="Program", caller=None, depth=1, channel=Channel.DATA, ordinal=3, data=b"x\0y")
    records = [make.trade(1, ordinal=3, trade_id="x\0y", maker="\0"), make.trade(1, ordinal=4)]
    await writer.commit(make.batch(1, 1, records, originals={(1, 0, 3): raw}), epoch=None)
    assert await fetch("SELECT ordinal, trade_id, maker FROM perps.trades ORDER BY ordinal") == [
        (3, "x\u2400y", "\u2400"),
        (4, "1/0/4", None),
    ]
    [(ordinal, channel, reason)] = await fetch(UNDECODED)
    assert (ordinal, channel) == (3, "data")
    assert "U+2400" in reason
    assert await fetch("SELECT data FROM heliograph.undecoded") == [(b"x\0y",)]


async def test_one_event_refused_by_two_tables_is_one_undecoded_event(
    writer: Writer, make: Any, fetch: Any
) -> None:
    records = [make.trade(1, ordinal=3, taker_side="up"), make.change(1, ordinal=3, kind="explode")]
    await writer.commit(make.batch(1, 1, records), epoch=None)
    [(_, _, reason)] = await fetch(UNDECODED)
    assert "position_changes_kind_check" in reason and "trades_taker_side_check" in reason


async def test_two_rows_at_one_place_do_not_look_like_another_writer(
    writer: Writer, make: Any, fetch: Any
) -> None:
    first, second = make.trade(1, trade_id="first"), make.trade(1, trade_id="second")
    assert await writer.commit(make.batch(1, 1, [first, second]), epoch=None) == 1
    assert await fetch("SELECT trade_id FROM perps.trades") == [("first",)]
    [(_, _, reason)] = await fetch(UNDECODED)
    assert "perps.trades has two rows at (1, 0, 0, 0)" in reason


async def test_a_refused_change_is_not_folded(writer: Writer, make: Any, fetch: Any, database: Any) -> None:
    epoch = await Lease(database, "s", "h").acquire()
    changes = [make.change(1), make.change(1, "increase", 9, ordinal=1, side="up")]
    await writer.commit(make.batch(1, 1, changes), epoch=epoch)
    assert await fetch("SELECT size, changes FROM perps.positions") == [(1, 1)]


async def test_a_refused_state_is_an_incident(writer: Writer, make: Any, fetch: Any) -> None:
    states = [make.balance(1, free=1), make.balance(1, free=1, wallet=LONG), make.market(1)]
    await writer.commit(make.batch(1, 1, [make.trade(1)], states), epoch=None)
    assert await fetch("SELECT wallet FROM perps.balances") == [("Wallet",)]
    assert await fetch("SELECT symbol FROM perps.markets") == [("SOL-PERP",)]
    assert await fetch("SELECT kind, detail ->> 'table' FROM heliograph.incidents") == [
        ("refused", "perps.balances")
    ]


async def test_a_refused_transaction_is_an_incident_and_its_events_stay(
    writer: Writer, make: Any, fetch: Any
) -> None:
    transaction = Transaction(signature="sig", tx_index=2**40, err=None, logs=None, instructions=None)
    odd = TransactionRow(transaction=transaction, slot=1, block_time=make.time(1))
    slot = Slot(number=1, block_time=make.time(1), transactions=())
    batch = make.batch(1, 1, [make.trade(1)])
    await writer.commit(
        msgspec.structs.replace(batch, slots=[slot], transactions=[*batch.transactions, odd]), epoch=None
    )
    assert await fetch("SELECT signature FROM heliograph.transactions") == [("sig1-0",)]
    assert await fetch("SELECT detail ->> 'table' FROM heliograph.incidents ORDER BY id") == [
        ("heliograph.signatures",),
        ("heliograph.transactions",),
    ]


async def test_undecoded_events_are_kept_with_their_bytes(writer: Writer, make: Any, fetch: Any) -> None:
    key = EventKey(block_time=make.time(1), slot=1, tx_index=0, ordinal=8, signature="sig1-0")
    one = Undecoded(
        key=key,
        program="Program",
        channel=Channel.LOG,
        data=b"\0junk",
        reason="no layout: \0",
        caller="Caller",
    )
    await writer.commit(make.batch(1, 1, [make.trade(1)], undecoded=[one]), epoch=None)
    assert await fetch("SELECT ordinal, channel, data, reason FROM heliograph.undecoded") == [
        (8, "log", b"\0junk", "no layout: \u2400")
    ]
