"""Whatever the chain does, the tables say what it says: forks, cut logs, odd text, reused addresses, closed accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from tests.endtoend.chaos import confirmed_slot, final_through
from tests.endtoend.indexing import PATIENCE_S, caught_up
from tests.endtoend.serving import serving
from tests.faults.run import FaultRun, fault_run

from heliograph_localnet import catalogue
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.exchange.arithmetic import Side
from heliograph_localnet.faults import Occasion, Reaction
from heliograph_localnet.manner import Manner
from heliograph_localnet.operation import UpdateFunding
from heliograph_sql.database import Database

FLOOD = Manner(before=("flood", "flood"))
"""So many lines that the node keeps nothing of what godark prints behind them."""
NUL = "NUL\0-PERP"


async def _rows(database: Database, query: str, *arguments: object) -> list[dict[str, Any]]:
    async with database.acquire() as connection:
        return [dict(row) for row in await connection.fetch(query, *arguments)]


@pytest.mark.parametrize("skips", [0.0, 0.6], ids=["few skips", "mostly skips"])
async def test_forks_cost_and_invent_no_row(database: Database, skips: float) -> None:
    async with fault_run(database, seed=81, skip_probability=skips) as run, run.indexer():
        for _ in range(8):
            await run.chaos.round(wait=run.dice.random() < 0.5)
        await run.end()
        assert run.chaos.gone > 0


async def test_lines_of_a_dropped_block_never_stand_for_those_of_the_block_that_replaced_it(
    database: Database,
) -> None:
    """The same transaction in the same slot says another thing, and nobody notifies that it was executed again."""
    async with fault_run(database, seed=82, rate=0) as run:
        block_the_record = run.nodes[0].faults.on(
            "request", Reaction(error=(-32019, "storage is away", None)), methods={"getSignaturesForAddress"}
        )
        async with run.indexer(wake_on_slot=True, socket_silence_s=60.0):
            await _subscribed(run)
            notified = asyncio.Event()
            first = run.localnet.deposit("alice", 10)
            second = run.localnet.deposit("alice", 5)
            block_watch = run.nodes[0].faults.add(_seen(second, notified))
            await run.localnet.step(3)
            async with asyncio.timeout(PATIENCE_S):
                await notified.wait()
            block_watch()
            # From now on nothing is notified, and the block is another: what is free afterwards differs.
            run.nodes[0].faults.on("notification", Reaction(copies=0))
            slot = run.localnet.chain.transaction(second).slot  # type: ignore[union-attr]
            run.localnet.fork(run.localnet.chain.open_slot - slot, drop={first}, shuffle=False)
            again = run.localnet.chain.transaction(second)
            assert again is not None and again.slot == slot, "the fork executed it again in the same slot"
            await run.localnet.step(2)
            block_the_record()
            await run.caught_up()
            await run.localnet.step(25)
            await final_through(database, run.stream, slot)
        (row,) = await _rows(database, "SELECT free_after FROM perps.transfers WHERE signature = $1", second)
        assert row["free_after"] == Decimal(5)
        await run.witness.sample()


async def _subscribed(run: FaultRun) -> None:
    """Returns once logs and accounts of both programs, and slots, are subscribed to."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if len(run.nodes[0].subscriptions) == 2 * len(run.localnet.programs) + 1:
                return
            await asyncio.sleep(0.02)


def _seen(signature: str, event: asyncio.Event) -> Any:
    def rule(occasion: Occasion) -> None:
        if occasion.method == "logsNotification" and occasion.value["value"]["signature"] == signature:
            event.set()

    return rule


async def test_of_cut_logs_stays_what_is_left_and_everybody_is_told(database: Database) -> None:
    async with fault_run(database, seed=83) as run, run.indexer(), serving(database) as host:
        await run.trade(6)
        market = run.localnet.market("SOL-PERP")
        cut = run.localnet.submit(UpdateFunding(run.localnet.keeper, market), FLOOD)
        await run.trade(6)
        await run.caught_up()
        executed = run.localnet.chain.transaction(cut)
        assert executed is not None and executed.lost
        incidents = await _rows(
            database,
            "SELECT slot FROM heliograph.incidents WHERE kind = 'log_truncated'",
        )
        assert incidents == [{"slot": executed.slot}]
        said = await _rows(database, "SELECT 1 FROM perps.funding_rates WHERE signature = $1", cut)
        assert not said, "nobody can know what the cut line said"
        flags = await _rows(
            database, "SELECT truncated FROM heliograph.transactions WHERE signature = $1", cut
        )
        assert flags == [{"truncated": True}]
        slot = executed.slot
        assert await _truncated(host, slot, slot) is True
        assert await _truncated(host, run.stream.first_slot, slot + 2) is True
        assert await _truncated(host, slot + 1, slot + 2) is False
        await run.end()


async def _truncated(host: str, first: int, last: int) -> bool:
    where = f'where: {{ slot: {{ gte: "{first}", lte: "{last}" }} }}'
    query = f"{{ fundingRates(first: 1, {where}) {{ coverage {{ truncated }} }} }}"
    async with httpx2.AsyncClient() as client:
        answer = (await client.post(f"http://{host}/graphql", json={"query": query})).json()
    assert "errors" not in answer, answer
    found = answer["data"]["fundingRates"]["coverage"]["truncated"]
    assert isinstance(found, bool)
    return found


async def test_text_with_nul_is_stored_readably_and_whole(database: Database) -> None:
    """U+2400 in the row, the raw bytes beside it, and everything else as it was said."""
    async with fault_run(database, seed=84, rate=0) as run, run.indexer():
        await run.localnet.step(2)
        run.localnet.create_market(NUL, 10, catalogue.terms(NUL, 3600))
        run.localnet.open("alice", NUL, "long", 10, collateral=50)
        await run.trade(6)
        raw = await _rows(
            database,
            "SELECT data, reason FROM heliograph.undecoded WHERE data LIKE $1",
            b"%" + NUL.encode() + b"%",
        )
        assert len(raw) == 1 and "NUL" in raw[0]["reason"]
        (market,) = await _rows(database, "SELECT symbol FROM perps.markets WHERE symbol LIKE 'NUL%'")
        assert market["symbol"] == "NUL\u2400-PERP"
        (event,) = await _rows(database, "SELECT symbol FROM godark.market_created WHERE symbol LIKE 'NUL%'")
        assert event["symbol"] == "NUL\u2400-PERP"
        await run.end()


async def test_a_reused_address_is_a_new_position_each_time(database: Database) -> None:
    """Closed and opened again, also in one slot; and blocks that closed it, or held its whole life, are dropped."""
    async with fault_run(database, seed=85, rate=0) as run, run.indexer():
        for turn in range(4):
            life = await _lived(run, "long" if turn % 2 else "short", again=turn == 2)
            # What is stored by now was in blocks that are no more: its end, or all of it.
            dropped = life if turn == 1 else life[-1:]
            _take_back(run, [signature for each in dropped for signature in each])
            if turn == 1:
                assert _held(run) is None
                await _lived(run, "long", again=False)
            else:
                assert _held(run) is not None, "it lives again where its close is gone"
                await _stored(run, 1)
                run.localnet.close("alice", "SOL-PERP")
                await _stored(run, 1)
        await run.end()
        lives = await _rows(
            database,
            "SELECT lifecycle, status FROM perps.positions WHERE wallet = $1 ORDER BY lifecycle",
            run.localnet.wallet("alice"),
        )
    assert lives == [{"lifecycle": at, "status": "closed"} for at in range(1, 6)]


async def _lived(run: FaultRun, side: Side, *, again: bool) -> list[list[str]]:
    """Opened, reduced and closed, each stored; the signatures of each step. again: opened anew in the slot in which it closed."""
    net = run.localnet
    steps = [net.open("alice", "SOL-PERP", side, 10, collateral=5000)]
    await _stored(run, 2)
    steps.append(net.update("alice", "SOL-PERP", -4))
    await _stored(run, 1)
    if again:
        steps.append(net.close("alice", "SOL-PERP"))
        steps.append(net.open("alice", "SOL-PERP", "long", 3, collateral=5000))
        await _stored(run, 1)
    steps.append(net.close("alice", "SOL-PERP"))
    await _stored(run, 2)
    return steps


def _held(run: FaultRun) -> object:
    return run.localnet.exchange.position(run.localnet.wallet("alice"), run.localnet.market("SOL-PERP"))


async def _stored(run: FaultRun, slots: int) -> None:
    """So many slots, and the indexer has them. None goes by meanwhile: what they hold can still be taken back."""
    await run.localnet.step(slots)
    await caught_up(run.database, run.stream, confirmed_slot(run.localnet))


def _take_back(run: FaultRun, signatures: list[str]) -> None:
    """Other blocks from the first of them on, which hold everything else in the same order."""
    chain = run.localnet.chain
    slots = [executed.slot for each in signatures if (executed := chain.transaction(each)) is not None]
    assert len(slots) == len(signatures)
    gone = run.localnet.fork(chain.open_slot - min(slots), drop=set(signatures), shuffle=False)
    assert set(gone) == set(signatures)


async def test_closed_accounts_are_found_though_nobody_tells_of_them(database: Database) -> None:
    async with fault_run(database, seed=86, rate=0) as run:
        for name in "abcdef":
            run.localnet.open(name, "SOL-PERP", "long", 2, collateral=500)
        await run.localnet.step(3)
        held = {
            name: run.localnet.exchange.position(run.localnet.wallet(name), run.localnet.market("SOL-PERP"))
            for name in "abcdef"
        }
        addresses = [each.key for each in held.values() if each is not None]
        async with run.indexer():
            await run.trade(1)
            await _accounts(run, addresses, open_=6)
            for name in "abc":
                run.localnet.close(name, "SOL-PERP")
            await run.trade(2)
            await _accounts(run, addresses, open_=3)
        # Closed while nobody looked.
        for name in "de":
            run.localnet.close(name, "SOL-PERP")
        await run.localnet.step(3)
        async with run.indexer():
            await _accounts(run, addresses, open_=1)
            await run.end()
        closed = await _rows(
            database, "SELECT status, count(*) AS n FROM perps.positions WHERE wallet = ANY ($1) GROUP BY 1 ORDER BY 1",
            [run.localnet.wallet(name) for name in "abcdef"],
        )  # fmt: skip
        assert closed == [{"status": "closed", "n": 5}, {"status": "open", "n": 1}], "each closed once"


async def _accounts(run: FaultRun, addresses: list[str], open_: int) -> None:
    """Returns once so many of the accounts are stored as open."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            rows = await _rows(
                run.database,
                "SELECT 1 FROM heliograph.accounts WHERE lamports > 0 AND address = ANY ($1)",
                addresses,
            )
            if len(rows) == open_:
                return
            await asyncio.sleep(0.02)


async def test_where_confirmed_is_final_nothing_waits_for_finality(database: Database) -> None:
    """An Alpenglow cluster: whatever `finalized` would have answered is not asked for."""
    async with fault_run(database, seed=87, finalized_lag=1) as run:
        run.nodes[0].view.alpenglow = True
        run.nodes[0].faults.add(_finalized_is_away)
        async with run.indexer():
            for _ in range(5):
                await run.trade(4)
                last = confirmed_slot(run.localnet)
                await final_through(database, run.stream, last)
            assert last == run.localnet.chain.slot_at(Commitment.FINALIZED)
            await run.end()


def _finalized_is_away(occasion: Occasion) -> Reaction | None:
    wanted = occasion.value[-1] if isinstance(occasion.value, list) and occasion.value else None
    asked = wanted.get("commitment") if isinstance(wanted, Mapping) else None
    if occasion.moment == "request" and asked == "finalized":
        return Reaction(error=(-32005, "Node is behind by 42 slots", None))
    return None
