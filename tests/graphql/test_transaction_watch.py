"""Following transactions: one look for everybody, as the log grows and as blocks become final."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from solders.signature import Signature
from tests.graphql.conftest import Ledger

from heliograph_core.errors import DatabaseUnavailable
from heliograph_graphql.failures import RequestError
from heliograph_graphql.transaction_state import EXPIRY_SLOTS, Standing, State
from heliograph_graphql.transaction_watch import TransactionWatch
from heliograph_sql.tail import Tail

NEVER = 3600.0
ONE, TWO = (str(Signature(bytes([n]) * 64)) for n in (1, 2))


@asynccontextmanager
async def watching(
    ledger: Ledger, *, poll_interval_s: float = NEVER, most: int = 1000
) -> AsyncIterator[TransactionWatch]:
    """Nothing but a commit wakes it, unless it polls."""
    tail = Tail(ledger.database, poll_interval_s=NEVER)
    task = asyncio.create_task(tail.run())
    await tail.started()
    readers = ledger.database.readers(5.0)
    yield TransactionWatch(readers, tail, poll_interval_s=poll_interval_s, most=most)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def land(ledger: Ledger, slot: int, *signatures: str, **row: Any) -> None:
    rows = [{"signature": each, "tx_index": n, **row} for n, each in enumerate(signatures)]
    await ledger.commit({slot: {"heliograph.transactions": rows}})


async def finalize(ledger: Ledger, slot: int) -> None:
    async with ledger.database.acquire() as connection:
        await connection.execute("UPDATE heliograph.streams SET final_slot = $1", slot)


async def next_of(changes: Any) -> Mapping[str, Standing]:
    async with asyncio.timeout(20):
        found: Mapping[str, Standing] = await anext(changes)
        return found


def states(news: Mapping[str, Standing]) -> dict[str, State]:
    return {signature: now.state for signature, now in news.items()}


async def test_a_transaction_is_told_from_pending_to_final_and_then_it_ends(ledger: Ledger) -> None:
    async with watching(ledger, poll_interval_s=0.05) as watch:
        changes = watch.follow([ONE, TWO], None)
        assert states(await next_of(changes)) == {ONE: State.PENDING, TWO: State.PENDING}
        await land(ledger, 100, ONE)
        assert states(await next_of(changes)) == {ONE: State.INDEXED}
        await land(ledger, 101, TWO, err='{"InstructionError": [0, {"Custom": 6001}]}', err_name="Slippage")
        news = await next_of(changes)
        assert states(news) == {TWO: State.FAILED} and not news[TWO].final
        landing = news[TWO].landing
        assert landing is not None and (landing.slot, landing.err_name) == (101, "Slippage")
        # Finality has no commit: it is found by looking.
        await finalize(ledger, 100)
        assert states(await next_of(changes)) == {ONE: State.FINALIZED}
        await finalize(ledger, 101)
        news = await next_of(changes)
        assert states(news) == {TWO: State.FAILED} and news[TWO].final
        with pytest.raises(StopAsyncIteration):
            await next_of(changes)


async def test_above_a_gap_it_is_seen_until_the_gap_is_closed(ledger: Ledger) -> None:
    await land(ledger, 100)
    async with watching(ledger) as watch, aclosing(watch.follow([ONE], None)) as changes:
        await next_of(changes)
        await land(ledger, 102, ONE)
        assert states(await next_of(changes)) == {ONE: State.SEEN}
        await land(ledger, 101)
        assert states(await next_of(changes)) == {ONE: State.INDEXED}


async def test_a_correction_takes_it_back_and_it_may_come_again(ledger: Ledger) -> None:
    async with watching(ledger) as watch, aclosing(watch.follow([ONE], None)) as changes:
        await next_of(changes)
        await land(ledger, 100, ONE)
        before = (await next_of(changes))[ONE]
        await ledger.commit({100: {}}, kind="correct")
        dropped = (await next_of(changes))[ONE]
        assert dropped.state is State.PENDING and dropped.takes_back(before)
        await land(ledger, 101, ONE)
        again = (await next_of(changes))[ONE]
        assert again.state is State.INDEXED and not again.takes_back(dropped)


async def test_another_outcome_at_the_same_place_is_told(ledger: Ledger) -> None:
    async with watching(ledger) as watch, aclosing(watch.follow([ONE], None)) as changes:
        await next_of(changes)
        await land(ledger, 100, ONE)
        before = (await next_of(changes))[ONE]
        failed = {"heliograph.transactions": [{"signature": ONE, "err": '"AccountInUse"'}]}
        await ledger.commit({100: failed}, kind="correct")
        now = (await next_of(changes))[ONE]
        assert now.state is State.FAILED and now.takes_back(before)


async def test_what_does_not_come_is_unknown_and_still_followed(ledger: Ledger) -> None:
    await land(ledger, 100)
    async with watching(ledger) as watch, aclosing(watch.follow([ONE], None)) as changes:
        assert states(await next_of(changes)) == {ONE: State.PENDING}
        await ledger.commit({}, span=(101, 99 + EXPIRY_SLOTS))
        await ledger.commit({}, span=(100 + EXPIRY_SLOTS, 100 + EXPIRY_SLOTS))
        assert states(await next_of(changes)) == {ONE: State.UNKNOWN}
        await land(ledger, 101 + EXPIRY_SLOTS, ONE)
        assert states(await next_of(changes)) == {ONE: State.INDEXED}


async def test_only_the_streams_that_are_asked_count(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")
    await other.create()
    await land(other, 100, ONE)
    async with watching(ledger) as watch:
        async with aclosing(watch.follow([ONE], frozenset({"godark"}))) as changes:
            assert states(await next_of(changes)) == {ONE: State.PENDING}
        async with aclosing(watch.follow([ONE], None)) as changes:
            (now,) = (await next_of(changes)).values()
            assert now.landing is not None and now.landing.stream == "other"
        with pytest.raises(RequestError, match="there is no stream 'nowhere': there are godark, other"):
            await next_of(watch.follow([ONE], frozenset({"nowhere"})))


async def test_many_who_follow_cost_one_look(ledger: Ledger) -> None:
    async with watching(ledger) as watch:
        followed = [watch.follow([ONE, TWO], None) for _ in range(100)]
        await asyncio.gather(*map(next_of, followed))
        before = watch.looks
        await land(ledger, 100, ONE)
        for news in await asyncio.gather(*map(next_of, followed)):
            assert states(news) == {ONE: State.INDEXED}
        assert before <= 2 and watch.looks == before + 1
        for changes in followed:
            await changes.aclose()


async def test_more_than_a_process_may_follow_is_refused_and_room_is_given_back(ledger: Ledger) -> None:
    async with watching(ledger, most=3) as watch:
        async with aclosing(watch.follow([ONE, TWO], None)) as changes:
            await next_of(changes)
            with pytest.raises(RequestError, match="follows 2 transactions, 3 are allowed"):
                await next_of(watch.follow([ONE, TWO], None))
        async with aclosing(watch.follow([ONE, TWO], None)) as changes:
            await next_of(changes)


async def test_who_cannot_be_told_now_is_told_later(ledger: Ledger) -> None:
    class Failing:
        """The first look finds no database."""

        def __init__(self) -> None:
            self._readers = ledger.database.readers(5.0)
            self.failed = 0

        @asynccontextmanager
        async def acquire(self) -> AsyncIterator[Any]:
            if not self.failed:
                self.failed += 1
                raise DatabaseUnavailable("gone")
            async with self._readers.acquire() as connection:
                yield connection

    readers = Failing()
    watch = TransactionWatch(readers, None, poll_interval_s=0.01, most=10)
    async with aclosing(watch.follow([ONE], None)) as changes:
        assert states(await next_of(changes)) == {ONE: State.PENDING}
    assert readers.failed == 1


async def test_a_slip_of_ours_ends_those_who_follow_and_the_next_begins_anew(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(ledger) as watch:
        look = watch._look

        async def slip() -> None:
            raise RuntimeError("a slip")

        monkeypatch.setattr(watch, "_look", slip)
        with pytest.raises(RuntimeError, match="a slip"):
            await next_of(watch.follow([ONE], None))
        monkeypatch.setattr(watch, "_look", look)
        async with aclosing(watch.follow([ONE], None)) as changes:
            assert states(await next_of(changes)) == {ONE: State.PENDING}
