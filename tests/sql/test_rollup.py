"""Aggregates equal what the rows say at every moment: before, between and after roll-ups, on whatever tier runs."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from tests.sql.aggregate_rows import compute, differences, read_aggregates, read_rows

from heliograph_core.records import FundingPayment, FundingRate, OraclePrice, Record
from heliograph_core.slot import Slot
from heliograph_sql.batch import Batch
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.queries import load
from heliograph_sql.rollup import Rollup
from heliograph_sql.streams import StreamRow
from heliograph_sql.writer import Writer

HOUR, DAY = 3_600, 86_400
PER_SECOND = 4
MARKETS = ("Market", "Other")


def day(number: int) -> int:
    """First slot of a day; half a day after the genesis of the rows, which is no midnight."""
    return number * DAY * PER_SECOND


class Rows:
    """Random rows of all kinds, made from a seed."""

    def __init__(self, make: Any, seed: int) -> None:
        self.make = make
        self.chance = Random(seed)
        self.open = {"long": Decimal(0), "short": Decimal(0)}

    def slot(self, slot: int) -> list[Record]:
        """What happens in one slot: a few rows of several transactions."""
        chance, found = self.chance, []
        for tx_index in range(chance.randint(1, 3)):
            for ordinal in range(chance.randint(1, 3)):
                found.append(self._row(slot, tx_index, ordinal))
        return found

    def _row(self, slot: int, tx_index: int, ordinal: int) -> Any:
        chance = self.chance
        key = self.make.key(slot, tx_index, ordinal)
        market, price = chance.choice(MARKETS), Decimal(chance.randint(1, 10**12)).scaleb(-6)
        side: Any = chance.choice(["long", "short"])
        kind = chance.randrange(5)
        if kind == 0:
            size = Decimal(chance.randint(1, 10**9)).scaleb(-9)
            return self.make.trade(
                slot,
                tx_index,
                ordinal,
                market=market,
                price=price,
                size=size,
                quote=size * price,
                taker_side=side,
                liquidation=chance.random() < 0.1,
            )
        if kind == 1:
            rate = Decimal(chance.randint(-(10**6), 10**6)).scaleb(-9)
            return FundingRate(
                **key,
                market=market,
                mark_price=chance.choice([None, price]),
                index_price=None,
                premium=None,
                interest=None,
                rate=rate,
                interval_seconds=3_600,
                interval_rate=rate,
            )
        if kind == 2:
            return FundingPayment(
                **key,
                market=market,
                wallet="Wallet",
                position_key="P",
                side=side,
                size=Decimal(1),
                rate=Decimal(1),
                interval_seconds=3_600,
                amount=Decimal(chance.randint(-(10**9), 10**9)).scaleb(-6),
            )
        if kind == 3:
            return OraclePrice(
                **key,
                market=market,
                source="test",
                oracle=None,
                price=price,
                confidence=None,
                publish_time=key["block_time"],
            )
        return self.make.change(
            slot,
            "increase",
            chance.randint(-5, 5),
            f"P{slot}",
            tx_index=tx_index,
            ordinal=ordinal,
            market=market,
            side=side,
        )

    def batch(self, first: int, last: int, slots: int, **other: Any) -> Batch:
        chosen = sorted({self.chance.randint(first, last) for _ in range(slots)})
        records = [record for slot in chosen for record in self.slot(slot)]
        batch: Batch = self.make.batch(first, last, records, **other)
        return batch


@pytest.fixture
def rollup(database: Database) -> Rollup:
    return Rollup(database)


Check = Callable[[], Any]


@pytest.fixture
def check(database: Database) -> Check:
    """Asserts that all aggregates of stream `s` are what its rows say."""

    async def check() -> None:
        async with database.acquire() as connection:
            rows, told = await read_rows(connection, "s"), await read_aggregates(connection, "s")
        found = differences(compute(rows), told)
        assert not found, found

    return check


async def rolled(fetch: Callable[..., Any]) -> int:
    """Candles of an hour that are rolled up, wherever they are stored."""
    count: int = (await fetch("SELECT count(*) FROM heliograph_rollup.rolled_candles_1h"))[0][0]
    return count


async def stale(fetch: Callable[..., Any]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = await fetch(
        "SELECT extract(epoch FROM first_time)::bigint, extract(epoch FROM last_time)::bigint "
        "FROM heliograph.stale_ranges ORDER BY 1"
    )
    return rows


async def test_nothing_rolled_up_is_answered_from_the_rows(
    make: Any, writer: Writer, check: Check, fetch: Callable[..., Any]
) -> None:
    await writer.commit(Rows(make, 1).batch(0, day(1), 200), epoch=None)
    await check()
    assert await rolled(fetch) == 0


@pytest.mark.parametrize("seed", range(2))
async def test_answers_equal_the_rows_through_live_late_and_corrected_history(
    make: Any,
    database: Database,
    stream: StreamRow,
    writer: Writer,
    rollup: Rollup,
    check: Check,
    fetch: Callable[..., Any],
    seed: int,
) -> None:
    print(f"seed {seed}")
    rows = Rows(make, seed)
    lease = Lease(database, stream.name, "leader", 600)
    epoch = await lease.acquire()
    leader = Writer(database, stream.name, "leader")
    # Live: hours at the head, some rolled up in between.
    at = day(31)
    for hour in range(5):
        first = at + hour * HOUR * PER_SECOND
        await leader.commit(rows.batch(first, first + HOUR * PER_SECOND - 1, 30), epoch=epoch)
        if hour % 2:
            await rollup.catch_up()
        await check()
    assert await rolled(fetch) > 0
    # A backfill of the thirty days below, piece by piece in any order, with roll-ups in between.
    pieces = list(range(30))
    rows.chance.shuffle(pieces)
    for count, piece in enumerate(pieces):
        batch = rows.batch(day(1 + piece), day(2 + piece) - 1, 6, origin="backfill")
        await writer.commit(batch, epoch=None)
        if count % 3 == 2:
            if count % 9 == 8:
                await check()
            assert await stale(fetch) != []
            await rollup.catch_up()
            assert await stale(fetch) == []
    await rollup.catch_up()
    await check()
    # Corrections: slots that lose their rows, get others, or move in time.
    stored = [row[0] for row in await fetch("SELECT slot FROM heliograph.slots ORDER BY random()")]
    for slot in stored[:5]:
        again = [] if rows.chance.random() < 0.3 else rows.slot(slot)
        batch = make.batch(slot, slot, again)
        await writer.rewrite_slots([slot], batch, epoch=None)
        await check()
    await rollup.catch_up()
    assert await stale(fetch) == []
    await check()


async def test_a_slot_that_moves_in_time_changes_both_buckets(
    make: Any, writer: Writer, rollup: Rollup, check: Check, fetch: Callable[..., Any]
) -> None:
    await writer.commit(make.batch(0, day(3), [make.trade(10), make.trade(day(2))]), epoch=None)
    await rollup.catch_up()
    late = make.time(10) + 2 * HOUR
    moved = make.trade(10, block_time=late, price=Decimal(99))
    batch = make.batch(10, 10, [moved])
    slot: Slot = batch.slots[0]
    slots = [
        Slot(
            number=10,
            block_time=late,
            transactions=slot.transactions,
            blockhash=slot.blockhash,
            parent=slot.parent,
        )
    ]
    batch = make.batch(10, 10, [moved], slots=slots)
    await writer.rewrite_slots([10], batch, epoch=None)
    assert await stale(fetch) == [(make.time(10), late)]
    await check()
    await rollup.catch_up()
    await check()


async def test_rows_supplied_by_a_new_layout_count_at_once(
    make: Any, writer: Writer, rollup: Rollup, check: Check, database: Database
) -> None:
    await writer.commit(make.batch(0, day(2), [make.trade(10), make.trade(day(1))]), epoch=None)
    await rollup.catch_up()
    trade = make.trade(10, ordinal=4)
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.undecoded VALUES ('s', to_timestamp($1), 10, 0, 4, 'sig10-0', 'P', 'data', '', 'x')",
            make.time(10),
        )
    place = (make.time(10), 10, 0, 4)
    batch = make.batch(10, 10, [trade], slots=[], transactions=[])
    await writer.supply(batch, [place])
    await check()
    await rollup.catch_up()
    await check()


async def test_what_is_rolled_up_is_what_is_read(
    make: Any, writer: Writer, rollup: Rollup, check: Check, fetch: Callable[..., Any], database: Database
) -> None:
    """The comparison would notice: a row that changes behind the ledger's back is not in the roll-up."""
    await writer.commit(make.batch(0, day(2), [make.trade(10), make.trade(day(1))]), epoch=None)
    await rollup.catch_up()
    async with database.acquire() as connection:
        await connection.execute("UPDATE perps.trades SET price = 11 WHERE slot = 10")
    with pytest.raises(AssertionError, match="the rows say"):
        await check()


@pytest.mark.parametrize("lost", ["staled", "mark_stale"])
async def test_a_commit_that_forgets_to_say_what_it_changed_is_found_out(
    make: Any, writer: Writer, rollup: Rollup, check: Check, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Mutation: without its range a late commit, or a correction, is missing from the answers."""
    await writer.commit(make.batch(day(1), day(3), [make.trade(day(1)), make.trade(day(2))]), epoch=None)
    await rollup.catch_up()
    if lost == "staled":
        forgetful = dict(load("commit.sql"))
        forgetful["number_commit"] = forgetful["number_commit"].replace(
            "WHERE stream = $1 AND through >", "WHERE false AND through >"
        )
        monkeypatch.setattr(writer, "_queries", forgetful)
        await writer.commit(make.batch(0, 20, [make.trade(10)]), epoch=None)
    else:

        async def forget(*_: object) -> None:
            return None

        monkeypatch.setattr(writer, "_mark_stale", forget)
        await writer.rewrite_slots([day(1)], make.batch(day(1), day(1)), epoch=None)
    with pytest.raises(AssertionError, match="the rows say"):
        await check()


async def test_a_commit_during_a_roll_up_stays_stale(
    make: Any, writer: Writer, rollup: Rollup, check: Check, database: Database, fetch: Callable[..., Any]
) -> None:
    """Its rows may be missing from what is being computed: its range is not the roll-up's to take away."""
    await writer.commit(make.batch(day(1), day(3), [make.trade(day(1) + 5)]), epoch=None)
    await rollup.catch_up()
    queries = load("rollup.sql")
    await writer.commit(make.batch(0, 20, [make.trade(10)]), epoch=None)
    async with database.acquire() as connection:
        taken = await connection.fetchrow(queries["take_day"], "s")
        await writer.commit(make.batch(30, 40, [make.trade(35)]), epoch=None)
        await connection.execute(queries["delete_done"], taken["ids"], taken["next_day"])
    assert await stale(fetch) == [(make.time(35), make.time(35))]


async def test_two_processes_roll_up_one_at_a_time(
    make: Any, writer: Writer, database: Database, rollup: Rollup, check: Check
) -> None:
    await writer.commit(Rows(make, 5).batch(0, day(3), 60), epoch=None)
    await asyncio.gather(*(Rollup(database).catch_up() for _ in range(4)))
    await rollup.catch_up()
    await check()


async def test_a_stream_that_comes_again_has_nothing_of_its_former_self(
    make: Any, database: Database, writer: Writer, rollup: Rollup, check: Check, fetch: Callable[..., Any]
) -> None:
    from heliograph_sql.removal import remove_stream
    from heliograph_sql.streams import add_stream

    await writer.commit(Rows(make, 6).batch(0, day(3), 60), epoch=None)
    await rollup.catch_up()
    await remove_stream(database, "s")
    await check()
    await add_stream(database, "s", protocol="godark", programs=["Program"], first_slot=0)
    await writer.commit(Rows(make, 7).batch(day(2), day(4), 20), epoch=None)
    await rollup.catch_up()
    await check()
    assert await rolled(fetch) > 0


@pytest.mark.parametrize("step", ["1m", "1h", "4h", "1d"])
async def test_candles_between_two_times_are_those_of_the_view(
    make: Any, writer: Writer, rollup: Rollup, fetch: Callable[..., Any], step: str
) -> None:
    rows = Rows(make, 9)
    hole = day(4) + 20 * 60 * PER_SECOND

    async def compare() -> None:
        between = "WHERE price_kind = $3 AND bucket >= to_timestamp($1::bigint) AND bucket < to_timestamp($2::bigint)"
        ranges = [(make.time(day(0)), make.time(day(6)) + DAY)]
        for first in [make.time(rows.chance.randint(day(1), day(6))) for _ in range(4)]:
            ranges.append((first, first + rows.chance.randint(1, 3 * DAY)))
        for first, end in ranges:
            for kind in ("trade", "mark", "oracle", "bid"):
                wanted = await fetch(
                    f"SELECT * FROM perps.candles_{step} {between} ORDER BY 1, 2, 4", first, end, kind
                )
                found = await fetch(
                    "SELECT * FROM perps.candles($4, to_timestamp($1::bigint), to_timestamp($2::bigint), of_kind => $3) "
                    "ORDER BY 1, 2, 4",
                    *(first, end, kind, step),
                )
                assert found == wanted

    await writer.commit(rows.batch(day(2), day(4), 200), epoch=None)
    await writer.commit(rows.batch(hole, day(6), 200), epoch=None)
    await compare()
    await rollup.catch_up()
    await compare()
    # Late rows: some buckets are stale now, and some of those are rolled up.
    await writer.commit(rows.batch(day(0), day(1), 50), epoch=None)
    await compare()
    await writer.commit(rows.batch(day(4) + 1, hole - 1, 50), epoch=None)
    await compare()


async def test_filled_candles_carry_the_close_with_no_volume(
    make: Any, writer: Writer, rollup: Rollup, fetch: Callable[..., Any]
) -> None:
    minute = 60 * PER_SECOND
    base = make.time(0) - make.time(0) % 60 + 60
    start = (base - make.time(0)) * PER_SECOND
    trades = [make.trade(start + 1, price=Decimal(7)), make.trade(start + 3 * minute, price=Decimal(9))]
    await writer.commit(make.batch(0, start + 5 * minute, trades), epoch=None)
    for _ in range(2):
        rows = await fetch(
            "SELECT extract(epoch FROM bucket)::bigint, open, high, low, close, volume, points "
            "FROM perps.candles_filled('1m', to_timestamp($1::bigint), to_timestamp($2::bigint), 'Market')",
            base - 120,
            base + 300,
        )
        assert [(at - base, *rest) for at, *rest in rows] == [
            (0, 7, 7, 7, 7, 2, 1),
            (60, 7, 7, 7, 7, 0, 0),
            (120, 7, 7, 7, 7, 0, 0),
            (180, 9, 9, 9, 9, 2, 1),
            (240, 9, 9, 9, 9, 0, 0),
        ]
        later = await fetch(
            "SELECT close, points FROM perps.candles_filled('1m', to_timestamp($1::bigint), to_timestamp($2::bigint))",
            base + 86_400,
            base + 86_460,
        )
        assert later == [(9, 0)]
        await rollup.catch_up()


@pytest.mark.parametrize("step", ["1h", "1d"])
async def test_filled_open_interest_is_the_running_sum_of_all_changes(
    make: Any, writer: Writer, rollup: Rollup, fetch: Callable[..., Any], step: str
) -> None:
    await writer.commit(Rows(make, 8).batch(0, day(6), 200), epoch=None)
    await rollup.catch_up()
    width = {"1h": HOUR, "1d": DAY}[step]
    first, end = make.time(day(3)) // DAY * DAY + 5 * HOUR, make.time(day(5))
    rows = await fetch(
        "SELECT market, extract(epoch FROM bucket)::bigint, long_size, short_size "
        "FROM perps.open_interest_filled($1, to_timestamp($2::bigint), to_timestamp($3::bigint))",
        step,
        first,
        end,
    )
    assert len({at for _, at, _, _ in rows}) == -(-(end - first // width * width) // width)
    for market, at, long_size, short_size in rows:
        sums = await fetch(
            "SELECT coalesce(sum(size_delta) FILTER (WHERE side = 'long'), 0), "
            "coalesce(sum(size_delta) FILTER (WHERE side = 'short'), 0) "
            "FROM perps.position_changes WHERE market = $1 AND block_time < to_timestamp($2::bigint)",
            market,
            at + width,
        )
        assert [(long_size, short_size)] == sums


async def test_filled_volume_is_zero_where_nothing_was_traded(
    make: Any, writer: Writer, fetch: Callable[..., Any]
) -> None:
    await writer.commit(make.batch(0, day(1), [make.trade(10)], [make.market(5)]), epoch=None)
    at = datetime.datetime.fromtimestamp(make.time(10) // HOUR * HOUR, datetime.UTC)
    rows = await fetch(
        "SELECT bucket, quote, trades FROM perps.volume_filled($1, $2)", at, at + datetime.timedelta(hours=3)
    )
    hour = datetime.timedelta(hours=1)
    assert rows == [(at, 21, 1), (at + hour, 0, 0), (at + 2 * hour, 0, 0)]


async def test_filled_funding_carries_the_last_rate(
    make: Any, writer: Writer, fetch: Callable[..., Any]
) -> None:
    rate = Decimal("0.000012500")
    record = FundingRate(
        **make.key(10),
        market="Market",
        mark_price=None,
        index_price=None,
        premium=None,
        interest=None,
        rate=rate,
        interval_seconds=3_600,
        interval_rate=rate,
    )
    await writer.commit(make.batch(0, day(1), [record]), epoch=None)
    hour = make.time(10) // HOUR * HOUR
    rows = await fetch(
        "SELECT rate, rates, long_amount FROM perps.funding_filled('1h', to_timestamp($1::bigint), to_timestamp($2::bigint), 'Market')",
        hour,
        hour + 2 * HOUR,
    )
    assert rows == [(rate, 1, 0), (rate, 0, 0)]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            "perps.candles_filled('2m', now(), now())",
            "candles have no step '2m': it is one of 1m, 5m, 15m, 1h, 4h, 1d",
        ),
        ("perps.candles_filled('1m', now(), now(), of_kind => 'bid')", "trade, mark or oracle"),
        ("perps.funding_filled('1m', now(), now())", "it is one of 1h, 1d"),
        ("perps.candles_filled('1m', '-infinity', now())", "between two times"),
    ],
)
async def test_a_step_that_is_not_kept_is_refused_with_those_that_are(
    database: Database, call: str, told: str
) -> None:
    async with database.acquire() as connection:
        with pytest.raises(Exception, match=told):
            await connection.fetch(f"SELECT * FROM {call}")
