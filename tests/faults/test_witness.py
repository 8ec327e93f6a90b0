"""The witness of the fault runs sees each kind of lie, and calls nothing a lie that a fork explains."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import pytest
from tests.endtoend.indexing import PATIENCE_S, caught_up, indexing
from tests.faults.witness import LateWitness, Witness, digest_of, witnessing

from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import StreamRow, add_stream

GODARK = PROTOCOLS["godark"]
SETTINGS = LocalnetSettings(seed=4, rate=80, traders=20, skip_probability=0.1)

_COMMIT = (
    "UPDATE heliograph.streams SET seq = seq + 1",
    (
        "INSERT INTO heliograph.commits SELECT (jsonb_populate_record(c, jsonb_build_object('seq', c.seq + 1))).* "
        "FROM heliograph.commits AS c ORDER BY c.seq DESC LIMIT 1"
    ),
    "UPDATE heliograph.slots SET seq = s.seq FROM heliograph.streams AS s WHERE slot = {slot}",
)
"""The slot was written once more."""
WRITTEN = {
    "a row is missing": ("DELETE FROM perps.transfers WHERE slot = {slot}", "lost: slot"),
    "a transaction is missing": (
        "DELETE FROM heliograph.transactions WHERE slot = {slot}",
        "heliograph.transactions: .* 0 stored",
    ),
    "an event is missing": ("DELETE FROM godark.collateral_deposited WHERE slot = {slot}", "lost: slot"),
    "a row is there twice": (
        (
            "INSERT INTO perps.oracle_prices SELECT (jsonb_populate_record(p, '{{\"ordinal\": 99}}')).* "
            "FROM perps.oracle_prices AS p WHERE slot = {slot} LIMIT 1"
        ),
        "invented: .*ordinal 99",
    ),
    "a value is wrong": ("UPDATE perps.transfers SET free_delta = 7 WHERE slot = {slot}", "differs: slot"),
}
CLAIMED = {
    "a slot that is not there yet is covered": (
        "UPDATE heliograph.coverage SET slots = slots + int8multirange(int8range({last} + 1, {last} + 3))",
        "never confirmed beyond",
    ),
    "a slot that is not read yet is covered": (
        "UPDATE heliograph.coverage SET slots = slots + int8multirange(int8range({last}, {last} + 1))",
        "lost: slot",
    ),
    "a covered slot is covered no more": (
        "UPDATE heliograph.coverage SET slots = slots - int8multirange(int8range({slot}, {slot} + 1))",
        "not any more",
    ),
    "what can still change is called final": (
        "UPDATE heliograph.streams SET final_slot = {slot}",
        "called final",
    ),
    "a number is missing": ("UPDATE heliograph.streams SET seq = seq + 1", "commit log has holes"),
}


async def _stream(database: Database) -> StreamRow:
    async with Localnet(SETTINGS) as localnet:
        return await add_stream(
            database,
            SETTINGS.stream,
            protocol=GODARK.name,
            programs=localnet.programs,
            first_slot=SETTINGS.first_slot,
        )


async def _index(database: Database, localnet: Localnet, stream: StreamRow) -> None:
    settings = IndexerSettings(
        rpc_url=localnet.rpc_url,
        ws_url=localnet.ws_url,
        poll_interval_s=0.05,
        # Whatever a fork leaves behind stays for the witness to see.
        finalize_interval_s=3600.0,
        reconcile_interval_s=0.1,
    )
    async with indexing(database, stream, GODARK, settings):
        await caught_up(database, stream, localnet.chain.slot_at(Commitment.CONFIRMED), accounts=True)


async def _run(database: Database, *statements: str) -> None:
    async with database.acquire() as connection:
        for statement in statements:
            await connection.execute(statement)


@pytest.mark.parametrize("lie", [*WRITTEN, *CLAIMED])
async def test_a_lie_is_seen_in_the_next_sample(database: Database, lie: str) -> None:
    stream = await _stream(database)
    async with Localnet(SETTINGS) as localnet:
        witness = Witness(database, localnet, stream)
        await localnet.step(12)
        localnet.deposit("alice", 5)
        localnet.set_price("SOL-PERP", 150)
        await localnet.step()
        slot = localnet.chain.open_slot - 1
        await localnet.step(2)
        await _index(database, localnet, stream)
        await witness.sample()
        assert witness.samples == 1 and witness.last.complete_through >= slot
        localnet.deposit("bob", 5)
        await localnet.step(2)
        statement, seen = (WRITTEN | CLAIMED)[lie]
        statements = (statement, *_COMMIT) if lie in WRITTEN else (statement,)
        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        await _run(database, *[each.format(slot=slot, last=last) for each in statements])
        with pytest.raises(AssertionError, match=seen):
            await witness.sample()


@pytest.mark.parametrize(
    ("lie", "seen"),
    [
        ("DELETE FROM perps.transfers WHERE slot = {slot}", "other rows"),
        ("UPDATE perps.oracle_prices SET price = price + 1 WHERE slot = {slot}", "other rows"),
        ("DELETE FROM heliograph.transactions WHERE slot = {slot}", "other rows"),
        # What was taken out of coverage must not be there.
        (
            "UPDATE heliograph.coverage SET slots = slots - int8multirange(int8range({slot}, {slot} + 1))",
            "not any more",
        ),
        (
            "UPDATE heliograph.coverage SET slots = slots + int8multirange(int8range({last} + 1, {last} + 3))",
            "is confirmed through",
        ),
        (None, None),
    ],
)
async def test_a_lie_is_seen_by_the_one_who_judges_late(
    database: Database, lie: str | None, seen: str | None
) -> None:
    stream = await _stream(database)
    async with Localnet(SETTINGS) as localnet:

        async def confirmed() -> int:
            return localnet.chain.slot_at(Commitment.CONFIRMED)

        await localnet.step(12)
        localnet.deposit("alice", 5)
        localnet.set_price("SOL-PERP", 150)
        slot = localnet.chain.open_slot
        await localnet.step(3)
        await _index(database, localnet, stream)
        last = await confirmed()
        witness = LateWitness(database, stream, confirmed, seed=4)
        await witness.sample()
        if lie is not None:
            await _run(database, lie.format(slot=slot, last=last))
        judging = pytest.raises(AssertionError, match=seen) if seen is not None else nullcontext()
        with judging:
            for _ in range(3):
                await witness.sample()
            witness.end(localnet.truth(last))
        assert witness.samples >= 1


async def test_a_new_commit_of_the_same_rows_is_no_lie(database: Database) -> None:
    stream = await _stream(database)
    async with Localnet(SETTINGS) as localnet:
        witness = Witness(database, localnet, stream)
        await localnet.step(10)
        await _index(database, localnet, stream)
        await witness.sample()
        slot = localnet.chain.slot_at(Commitment.CONFIRMED)
        await _run(database, *[each.format(slot=slot) for each in _COMMIT])
        await witness.sample()
        assert witness.samples == 2


async def test_of_two_looks_at_once_the_earlier_is_judged_first(database: Database) -> None:
    """What the later one saw is no reason to call the earlier one a step back."""
    stream = await _stream(database)
    async with Localnet(SETTINGS) as localnet:
        witness = Witness(database, localnet, stream)
        await localnet.step(30)
        first_looked, go_on = asyncio.Event(), asyncio.Event()
        look = witness._look

        async def slow_look(connection: Any) -> Any:
            seen = await look(connection)
            if not first_looked.is_set():
                # It waits for longer than a transaction may be idle, on a busy machine.
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                first_looked.set()
                await go_on.wait()
            return seen

        witness._look = slow_look  # type: ignore[method-assign]
        earlier = asyncio.create_task(witness.sample())
        await first_looked.wait()
        await _index(database, localnet, stream)
        later = asyncio.create_task(witness.sample())
        # Time enough to overtake, for a look that does not wait its turn.
        await asyncio.wait({later}, timeout=2)
        go_on.set()
        await asyncio.gather(earlier, later)
        assert witness.samples == 2 and witness.last.complete_through > 0


async def test_what_is_wrong_where_nothing_changed_is_seen_at_the_end(database: Database) -> None:
    stream = await _stream(database)
    async with Localnet(SETTINGS) as localnet:
        witness = Witness(database, localnet, stream)
        await localnet.step(10)
        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        await _index(database, localnet, stream)
        await witness.end(last)
        with pytest.raises(AssertionError, match=f"complete through {last}"):
            await witness.end(last + 1)
        await _run(database, "UPDATE perps.balances SET free = free + 1")
        with pytest.raises(AssertionError, match=r"perps\.balances"):
            await witness.end(last)


async def test_rows_of_a_dropped_block_are_a_lie_only_once_they_are_called_final(database: Database) -> None:
    stream = await _stream(database)
    async with Localnet(SETTINGS) as localnet:
        witness = Witness(database, localnet, stream)
        await localnet.step(SETTINGS.finalized_lag + 5)
        gone = localnet.deposit("alice", 5)
        await localnet.step(3)
        slot = next(block.slot for block in localnet.chain.blocks(0, 10**12) if _has(block, gone))
        await _index(database, localnet, stream)
        await witness.sample()
        localnet.fork(3, drop={gone}, shuffle=False)
        await localnet.step(2)
        await witness.sample()
        with pytest.raises(AssertionError, match=f"slot {slot} at the end"):
            await witness.end(slot)
        while localnet.chain.slot_at(Commitment.FINALIZED) < slot:
            await localnet.step()
        await _run(database, f"UPDATE heliograph.streams SET final_slot = {slot}")
        with pytest.raises(AssertionError, match=f"slot {slot} is called final"):
            await witness.sample()


async def test_a_run_fails_with_what_its_witness_sees(database: Database) -> None:
    stream = await _stream(database)
    async with Localnet(SETTINGS) as localnet:
        await localnet.step(5)
        with pytest.raises(AssertionError, match="never confirmed beyond"):
            async with witnessing(database, localnet, stream), asyncio.timeout(PATIENCE_S):
                # Nobody indexes: all of this is claimed and nothing of it is there.
                far = localnet.chain.open_slot + 1000
                await _run(
                    database,
                    "UPDATE heliograph.coverage SET slots = int8multirange(int8range("
                    f"{SETTINGS.first_slot}, {far}))",
                )
                await asyncio.Event().wait()


def test_equal_rows_have_one_digest() -> None:
    one: Any = {"t": [{"slot": 1, "price": Decimal("1.50")}, {"slot": 2, "price": None}], "u": []}
    other: Any = {"t": [{"price": None, "slot": 2}, {"price": Decimal("1.5"), "slot": 1}]}
    assert digest_of(one) == digest_of(other)
    for value in ("1.5", 1, True):
        changed: Any = {"t": [{"slot": 1, "price": value}, {"slot": 2, "price": None}]}
        assert digest_of(changed) != digest_of(one)


def _has(block: Any, signature: str) -> bool:
    return any(each.signature == signature for each in block.transactions)
